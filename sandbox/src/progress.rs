//! One line that says where the orders are, drawn anew on a terminal.

use crate::proof::Proof;
use causeway_sim::{m3::Books, xcart::BookedOrder};
use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
};

/// Where the orders are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The time of a business day.
    pub hour: Option<String>,
    pub wanted: usize,
    pub taken: usize,
    pub in_m3: usize,
    pub delivered: usize,
    pub invoiced: usize,
    pub told: usize,
    pub cancelled: usize,
    pub parked: usize,
    pub at_clerk: usize,
}

/// Draws progress; not more often than something changed.
pub(crate) struct Screen {
    terminal: bool,
    last: Progress,
}

impl Progress {
    pub(crate) fn of(
        (hour, wanted): (Option<String>, usize),
        shop: &[BookedOrder],
        m3: &Books,
        proof: &Proof,
    ) -> Self {
        let reached = |status: &str| m3.orders.iter().filter(|o| o.orsl.as_str() >= status).count();
        Self {
            hour,
            wanted,
            taken: shop.len(),
            in_m3: proof.created,
            delivered: reached("66"),
            invoiced: reached("77"),
            told: proof.told,
            cancelled: proof.cancelled,
            parked: proof.parked,
            at_clerk: proof.at_clerk,
        }
    }
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { terminal: io::stdout().is_terminal(), last: Progress::default() }
    }

    pub(crate) fn draw(&mut self, now: Progress) -> io::Result<()> {
        if now == self.last {
            return Ok(());
        }
        self.last = now.clone();
        let Progress { wanted, taken, in_m3, delivered, invoiced, told, .. } = now;
        let hour = now.hour.map(|hour| hour + "  ").unwrap_or_default();
        let mut line = format!(
            "{hour}shop {taken}/{wanted}  >  in M3 {in_m3}  >  delivered {delivered}  >  invoiced {invoiced}  >  shop knows {told}"
        );
        let beside = [
            ("cancelled", now.cancelled),
            ("parked", now.parked),
            ("at the clerk's", now.at_clerk),
        ];
        for (name, count) in beside.iter().filter(|(_, count)| *count > 0) {
            // Writing into a String cannot fail.
            let _ = write!(line, "   {name} {count}");
        }
        let mut out = io::stdout().lock();
        let end = if self.terminal { "   \r" } else { "\n" };
        write!(out, "{line}{end}")?;
        out.flush()
    }

    pub(crate) fn end(&self) -> io::Result<()> {
        if self.terminal { writeln!(io::stdout().lock()) } else { Ok(()) }
    }
}
