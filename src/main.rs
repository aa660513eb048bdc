//! Starts the gateway and turns its end into an exit status systemd can act on.

use causeway::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::memory::settle();
    match cli::run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            cli::explain(&fault);
            fault.exit_code()
        }
    }
}
