//! Shop, M3 and gateway in one command, with a proof that no order was lost or doubled.
//!
//! The two systems are the simulators of `tests/sim`; the gateway is a process of its
//! own (this program once more, or the binary given by `--gateway`), so that it can
//! be killed like a real one and its memory is its own. The proof is made from the
//! simulators' books, never from the gateway's.

mod args;
mod child;
mod day;
mod incidents;
mod market;
mod money;
mod people;
mod play;
mod progress;
mod proof;
mod report;
mod setting;

use clap::Parser as _;
use std::{
    io::{self, Write as _},
    process::ExitCode,
};

/// First argument with which this program acts as the gateway.
const AS_GATEWAY: &str = "as-gateway";

fn main() -> ExitCode {
    let mut given = std::env::args_os();
    let program = given.next();
    if std::env::args_os().nth(1).is_some_and(|first| first == AS_GATEWAY) {
        causeway::cli::memory::settle();
        let rest = program.into_iter().chain(given.skip(1));
        return match causeway::cli::run(rest) {
            Ok(()) => ExitCode::SUCCESS,
            Err(fault) => {
                causeway::cli::explain(&fault);
                fault.exit_code()
            }
        };
    }
    let args = args::Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(play::run(args)));
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            let _ = writeln!(io::stderr(), "sandbox: {fault}");
            ExitCode::FAILURE
        }
    }
}
