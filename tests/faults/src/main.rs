//! Kills, power cuts, storage faults and outages against the real gateway, with proofs.
//!
//! Each command prints what it showed behind a bar, and ends with status 0 only if it was shown.

mod kill;
mod ledger;
mod outage;
mod power;
mod site;
mod storage;

use clap::{Parser, Subcommand};
use site::Fault;
use std::process::ExitCode;

/// Fault tests of the gateway; docs/faults.md says what each of them shows.
#[derive(Debug, Parser)]
#[command(name = "causeway-faults", version)]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Kills the gateway at every place that has a name.
    Kill(kill::Args),
    /// Days without M3 and a million events that wait, under a memory limit.
    Outage(outage::Args),
    /// Cuts the power at many points and looks for what was acknowledged.
    Power(power::Args),
    /// Part of `power`.
    #[command(hide = true)]
    PowerWrite(power::WriteArgs),
    /// Part of `power`.
    #[command(hide = true)]
    PowerLook(power::LookArgs),
    /// Faults of the storage: calls that fail, full and read-only volumes, damaged files.
    Storage(storage::Args),
}

fn main() -> ExitCode {
    match run(Args::parse().what) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("causeway-faults: {}", causeway::log::chain(&*fault));
            ExitCode::from(2)
        }
    }
}

fn run(what: What) -> Result<bool, Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match what {
        What::Kill(args) => runtime.block_on(kill::kill(&args)),
        What::Outage(args) => runtime.block_on(outage::play(&args)),
        What::Power(args) => power::cut(&args),
        What::Storage(args) => runtime.block_on(storage::faults(&args)),
        What::PowerWrite(args) => runtime.block_on(power::write(args)).map(|()| true),
        What::PowerLook(args) => runtime.block_on(power::look(args)).map(|()| true),
    }
}
