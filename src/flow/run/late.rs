//! What happens when the shop changes or cancels an order that M3 has. Pure.
//!
//! Guarantees: M3 is not touched; a person is told what differs from the order that M3 has,
//! field by field, once for each state of the shop's order; what a person was told and has
//! dealt with is not told again.

use super::{Case, Context, Ending, Run, Stage, Standing};
use crate::{
    flow::{
        cause::{Cause, CauseKind},
        changes::changes,
    },
    order::Order,
};

/// Begins a detail that says what the shop did while somebody was looking at another cause.
const SINCE: &str = "since then the shop changed: ";

/// What the shop says now, compared with what M3 has and with what a person knows.
struct Reading {
    hash: String,
    standing: Standing,
    content: Content,
    /// How the shop stands to it, where a person does not know.
    turned: Option<Standing>,
    /// What differs from the order that M3 has.
    said: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// A person knows, or there is nothing to know.
    Known,
    Changed,
    /// It is again as M3 has it, after a person was told of something else.
    Back,
}

impl Reading {
    fn is_news(&self) -> bool {
        self.content != Content::Known || self.turned.is_some()
    }
}

impl Run {
    /// Whether M3 has the order, or may come to have it without being asked again.
    pub(super) fn is_late(&self) -> bool {
        let is_discarded = matches!(self.stage, Stage::Done(Ending::Discarded));
        self.orno.is_some() || self.placing.past_confirm() || is_discarded
    }

    fn news(&self, hash: &String) -> Content {
        match (&self.content, &self.told) {
            (_, Some(told)) if told == hash => Content::Known,
            (Some(placed), Some(_)) if placed == hash => Content::Back,
            (Some(placed), None) if placed == hash => Content::Known,
            (Some(_) | None, _) => Content::Changed,
        }
    }

    /// Remembers what a person is told.
    fn take_note(&mut self, reading: &Reading) {
        self.told = Some(reading.hash.clone());
        self.standing = reading.standing;
    }
}

impl Case {
    /// Takes in the order as the shop has it, now that it is too late to change it in silence.
    pub(super) fn on_late_order(&mut self, order: Order, context: &Context<'_>) {
        let reading = self.reading(order);
        if let Stage::Parked { .. } = &self.run.stage {
            return self.tell_while_parked(&reading, context);
        }
        if let Stage::Done(Ending::NotWanted | Ending::Cancelled) = &self.run.stage
            && self.is_wanted(context)
        {
            self.run.mark(context.now_ms, "the shop wants the order that M3 has");
            self.run.stage = Stage::Check;
            // What differs is told as soon as the comparison is done.
            self.run.reread = reading.content != Content::Known;
            return;
        }
        if reading.is_news() {
            let cause = self.late_cause(&reading);
            self.run.take_note(&reading);
            self.run.park(cause, context.now_ms);
        }
    }

    /// Keeps the order as M3 has it beside the one that the shop has now.
    fn reading(&mut self, order: Order) -> Reading {
        let hash = order.content_hash();
        let is_placed = |placed: &Order| self.run.content == Some(placed.content_hash());
        let placed = self.placed.take().filter(is_placed);
        let placed = placed.or_else(|| self.order.take().filter(is_placed));
        let said = match &placed {
            _ if self.run.content.as_ref() == Some(&hash) => Vec::new(),
            Some(placed) => changes(placed, &order),
            None => vec!["what exactly changed is not known any more".to_owned()],
        };
        let standing = self.run.seen;
        self.placed = placed.filter(|_| !said.is_empty());
        self.order = Some(order);
        let content = self.run.news(&hash);
        let turned = Some(standing).filter(|standing| *standing != self.run.standing);
        Reading { hash, standing, content, turned, said }
    }

    /// A person is looking at it already: they see how it stands now.
    fn tell_while_parked(&mut self, reading: &Reading, context: &Context<'_>) {
        let Stage::Parked { cause, .. } = &self.run.stage else { return };
        let late = [CauseKind::ChangedAfterConfirm, CauseKind::CancelledAfterConfirm];
        let fresh = match (late.contains(&cause.kind), reading.is_news()) {
            (true, false) => return,
            (true, true) => {
                // Whoever replays may have looked before the cancellation came: that is asked
                // about once more, so its being told is not noted.
                self.run.told = Some(reading.hash.clone());
                self.run.changed_again(context.now_ms);
                self.late_cause(reading)
            }
            // It is told as a cause of its own when this one is settled.
            (false, _) => {
                let mut cause = cause.clone();
                cause.details.retain(|detail| !detail.starts_with(SINCE));
                let cancelled = match reading.standing {
                    Standing::Cancelled => Some("it is cancelled".to_owned()),
                    Standing::Wanted => None,
                };
                let said = cancelled.iter().chain(&reading.said);
                let said: Vec<String> = said.map(|what| format!("{SINCE}{what}")).collect();
                cause.with_details(&said)
            }
        };
        if let Stage::Parked { cause, .. } = &mut self.run.stage {
            *cause = fresh;
        }
    }

    fn late_cause(&self, reading: &Reading) -> Cause {
        let Reading { hash: _, standing, content, turned, said } = reading;
        let m3_has = match &self.run.orno {
            Some(orno) => format!("after M3 had confirmed it as {orno}"),
            None => "after a person had discarded it".to_owned(),
        };
        let what = match (standing, turned, content) {
            (Standing::Cancelled, _, _) => "cancelled the order",
            (Standing::Wanted, Some(_), _) => "wants the order again that it had cancelled",
            (Standing::Wanted, None, Content::Back) => "changed the order back to what it was",
            (Standing::Wanted, None, Content::Known | Content::Changed) => "changed the order",
        };
        let kind = match standing {
            Standing::Cancelled => CauseKind::CancelledAfterConfirm,
            Standing::Wanted => CauseKind::ChangedAfterConfirm,
        };
        let listed = if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) };
        Cause::new(kind, format!("the shop {what} {m3_has}{listed}")).with_details(said)
    }
}
