//! Faults of the storage under a gateway that keeps webhooks: calls that fail, a volume that is full
//! or turns read-only, files that are damaged.
//!
//! Hard rules, each judged by what is on the disk afterwards: nothing that was answered yes is missing
//! or altered without being named; the process neither hangs nor falls; after a passing fault it takes
//! webhooks again by itself; once the fault is gone it starts.

mod damage;
mod inject;
mod volume;

use crate::{
    ledger::{self, Verdict},
    site::{Answer, Fault, Sender, Site},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long a start may take, also when it is slowed down by a tracer.
pub(crate) const START_TIME_MAX: Duration = Duration::from_secs(40);
/// How long it may take until webhooks are taken again.
const RECOVERY_TIME_MAX: Duration = Duration::from_secs(45);
/// So many in a row count as taking webhooks.
const IN_A_ROW: u32 = 4;
/// So many panics count as a loop of them.
const PANICS_MAX: usize = 20;

/// Which faults.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The gateway.
    #[arg(long)]
    gateway: PathBuf,
    /// Calls that are made to fail; 0 for none.
    #[arg(long, default_value_t = 16)]
    calls: usize,
    /// Damaged files; 0 for none.
    #[arg(long, default_value_t = 24)]
    damages: usize,
    /// Leaves the full and the read-only volume out.
    #[arg(long)]
    no_volumes: bool,
    /// A gateway that refuses to start on damage is wrong, too.
    #[arg(long)]
    must_serve: bool,
    /// The same seed draws the same faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this fault, as it was printed.
    #[arg(long)]
    only: Option<String>,
}

/// What was sent to a gateway and what it said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    kept: BTreeSet<u64>,
    tries: BTreeMap<u64, u64>,
    next: u64,
}

impl Book {
    async fn one(&mut self, sender: &Sender) -> Answer {
        self.next += 1;
        let answer = sender.send(self.next).await;
        *self.tries.entry(self.next).or_default() += 1;
        if answer == Answer::Kept {
            self.kept.insert(self.next);
        }
        answer
    }

    /// Sends so many; returns how many were kept.
    async fn some(&mut self, sender: &Sender, count: usize) -> usize {
        let mut kept = 0;
        for _ in 0..count {
            kept += usize::from(self.one(sender).await == Answer::Kept);
        }
        kept
    }

    /// Sends until some in a row are kept; says whether that came about in time.
    async fn until_served(&mut self, sender: &Sender) -> bool {
        let deadline = Instant::now() + RECOVERY_TIME_MAX;
        let mut row = 0;
        while row < IN_A_ROW && Instant::now() < deadline {
            if self.one(sender).await == Answer::Kept {
                row += 1;
            } else {
                row = 0;
                thread::sleep(Duration::from_millis(50));
            }
        }
        row == IN_A_ROW
    }

    fn judge(&self, journal: &Path) -> Result<Verdict, Fault> {
        Ok(Verdict::of(&self.kept, &self.tries, &ledger::read(journal)?))
    }
}

/// How often the log tells of a panic.
fn panics(site: &Site) -> usize {
    site.log().matches("panicked at").count()
}

/// Does all that was asked for; says whether every rule was kept.
pub(crate) async fn faults(args: &Args) -> Result<bool, Fault> {
    let folder = tempfile::Builder::new().prefix("causeway-storage-").tempdir()?;
    let mut good = true;
    if args.calls > 0 {
        if !inject::is_there() {
            return Err(
                "calls are made to fail by strace, which is not here (package strace)".into()
            );
        }
        good &= inject::calls(args, &folder.path().join("calls")).await?;
    }
    if !args.no_volumes && args.only.is_none() {
        good &= volume::volumes(args, &folder.path().join("volumes")).await?;
    }
    if args.damages > 0 {
        good &= damage::damages(args, &folder.path().join("damage")).await?;
    }
    Ok(good)
}
