//! The command line: what can be asked of the program, and how it ends.
//!
//! What this module guarantees:
//! 1. Every command that reads the configuration reads it with the code of a start.
//! 2. The exit status says whether starting again can help: 64 usage, 78
//!    configuration (it cannot), 70 a part gave up (it can), 1 `doctor` or `journal verify` found something.
//! 3. `run` never ends the process; a caller in the same process gets a [`Fault`].

pub mod alert;
pub mod backup;
pub mod buyers;
mod check;
pub mod contract;
pub mod customers;
mod destinations;
mod doctor;
mod fault;
pub mod goods;
mod ion;
pub mod journal;
pub mod load;
pub mod m3;
pub mod memory;
mod notify;
pub mod parked;
pub mod payments;
pub mod pretty;
pub mod probe;
pub mod profiles;
pub mod reconcile;
pub mod report;
pub mod serve;
pub mod table;
pub mod xcart;

pub use fault::{Fault, explain};

use crate::{config, journal::guard};
use alert::Alert;
use clap::{Args, Parser, Subcommand, error::ErrorKind};
use parked::Parked;
use std::{
    ffi::OsString,
    io::{self, Write},
    path::PathBuf,
};
use tokio::runtime::Runtime;

/// Joins an X-Cart shop to an Infor M3 ERP.
#[derive(Debug, Parser)]
#[command(name = "causeway", version, arg_required_else_help = true)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway until it is told to stop.
    Gateway(Site),
    /// Read the configuration and the credentials as a start would, and say what would run.
    Check(Site),
    /// Try each connection layer by layer, and say what to do about what fails.
    Doctor(ConfigFile),
    /// Look after what was set aside for a person.
    Parked(Parked),
    /// Write a back-up of journal and state to one file; the gateway may run.
    Backup(backup::Backup),
    /// Check a back-up and build an empty state folder from it.
    Restore(backup::Restore),
    /// Look at the events on the disk; the gateway must be stopped.
    Journal(journal::Journal),
    /// Open one database and look at it. What the gateway starts before it opens one itself.
    #[command(name = guard::COMMAND, hide = true)]
    Look(journal::Look),
    /// Try the channels by which people are told, see what is raised, mute.
    Alert(Alert),
    /// See how the shop's stock and prices follow M3, and which goods differ.
    Goods(goods::Goods),
    /// Bring the shop to what M3 says for the first time: planned, at a rate, halted and gone on with.
    Load(load::Load),
    /// See which of the shop's profiles have a customer in M3, and which need a person.
    Profiles(profiles::Profiles),
    /// See how the shop's buyers follow M3's customers, and which differ.
    Buyers(buyers::Buyers),
    /// Compare orders, customers and goods of the shop with M3.
    Reconcile(reconcile::Reconcile),
    /// See what the shop captured and what M3 has of it, and settle what is in doubt.
    Payments(payments::Payments),
    /// See which customer of M3 each buyer is, and say which.
    Customers(customers::Customers),
    /// Say what M3 can be asked, and ask it.
    M3(m3::Ask),
    /// Try which facts about a system hold there.
    Contract(contract::Contract),
    /// Look at the shop's API.
    Xcart(xcart::Ask),
    /// Print the version.
    Version,
}

/// One gateway of perhaps several on a box.
#[derive(Debug, Args)]
struct Site {
    #[command(flatten)]
    config: ConfigFile,
    /// Check also that it goes with the other gateways of this box: their files, or the folder they
    /// are in.
    #[arg(long, value_name = "FILE OR FOLDER")]
    beside: Vec<PathBuf>,
}

impl Site {
    /// Reads the configuration; says how many others it goes with.
    fn load(&self) -> Result<(config::Loaded, usize), config::ConfigError> {
        let loaded = config::load(&self.config.path)?;
        let own = (self.config.path.as_path(), &loaded.config);
        let others = config::check_beside(own, &self.beside)?;
        Ok((loaded, others))
    }
}

/// Where the configuration is.
#[derive(Clone, Debug, Args)]
pub struct ConfigFile {
    /// The configuration file.
    #[arg(
        long = "config",
        value_name = "FILE",
        global = true,
        default_value = "/etc/causeway/causeway.toml"
    )]
    pub path: PathBuf,
}

/// Does what the command line asks, and returns when it is done.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Result<(), Fault> {
    let line = match Line::try_parse_from(args) {
        Ok(line) => line,
        Err(error) => return not_a_command(error),
    };
    match line.command {
        Command::Gateway(site) => serve::run(site.load()?.0),
        Command::Check(site) => {
            let (loaded, others) = site.load()?;
            let told = check::told(&loaded.config, m3::standing(&loaded).as_deref());
            let beside = match others {
                0 => String::new(),
                count => format!("It goes with {count} others on this box.\n"),
            };
            say(&(told + &beside))
        }
        Command::Doctor(file) => doctor::run(&config::load(&file.path)?),
        Command::Parked(parked) => parked::run(&parked),
        Command::Backup(backup) => backup::run(&backup),
        Command::Restore(restore) => backup::restore(&restore),
        Command::Journal(journal) => journal::run(&journal),
        Command::Look(look) => journal::look(&look),
        Command::Alert(alert) => alert::run(&alert),
        Command::Goods(goods) => goods::run(&goods),
        Command::Load(load) => load::run(&load),
        Command::Profiles(profiles) => profiles::run(&profiles),
        Command::Buyers(buyers) => buyers::run(&buyers),
        Command::Reconcile(asked) => reconcile::run(&asked),
        Command::Payments(payments) => payments::run(&payments),
        Command::Customers(customers) => customers::run(&customers),
        Command::M3(ask) => m3::run(&ask),
        Command::Contract(contract) => contract::run(&contract),
        Command::Xcart(ask) => xcart::run(&ask),
        Command::Version => say(&format!("causeway {}\n", env!("CARGO_PKG_VERSION"))),
    }
}

/// Help and version come out of clap as errors; they are not.
fn not_a_command(error: clap::Error) -> Result<(), Fault> {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked { say(&error.to_string()) } else { Err(Fault::Usage(error)) }
}

/// Makes what the asking commands run on: one thread.
fn runtime() -> Result<Runtime, Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Fault::NoStart { part: "the runtime", source: Box::new(error) })
}

fn say(text: &str) -> Result<(), Fault> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Fault::Unsaid)
}

/// Says something that is no part of the answer.
fn aside(text: &str) {
    // Who closed stderr does not want to know.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::process::ExitCode;

    fn fault(args: &[&str]) -> Fault {
        run(args.iter().map(Into::into)).unwrap_err()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Line::command().debug_assert();
    }

    #[test]
    fn what_cannot_work_ends_with_its_own_status() {
        let broken = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(broken.path(), "nonsense = 1\n").unwrap();
        let file = broken.path().to_str().unwrap();
        let table: [(&[&str], u8); 21] = [
            (&["causeway"], 64),
            (&["causeway", "dance"], 64),
            (&["causeway", "gateway", "--colour", "red"], 64),
            (&["causeway", "parked", "replay"], 64),
            (&["causeway", "alert", "mute", "disk"], 64),
            (&["causeway", "alert", "mute", "disk", "--for", "soon"], 64),
            (&["causeway", "parked", "replay", "X117", "--all"], 64),
            (&["causeway", "parked", "replay", "X117", "--cause", "no-sku"], 64),
            (&["causeway", "parked", "replay", "X117", "--with-old-rules"], 64),
            (&["causeway", "parked", "discard", "--reason", "a test"], 64),
            (&["causeway", "m3", "call"], 64),
            (&["causeway", "m3", "call", "OIS100MI/GetHead", "ORNO"], 64),
            (&["causeway", "m3", "call", "OIS100MI/GetHead", "--json", "--csv"], 64),
            (&["causeway", "m3", "describe", "OIS100MI/Get/Head"], 64),
            (&["causeway", "contract", "m3", "--write"], 64),
            (&["causeway", "contract", "m3", "--confirm", "--customer", "C", "--item", "I"], 64),
            (&["causeway", "load", "start", "--rate", "0"], 64),
            (&["causeway", "load", "start", "--only", "orders"], 64),
            (&["causeway", "gateway", "--config", "/nowhere"], 78),
            (&["causeway", "check", "--config", file], 78),
            (&["causeway", "doctor", "--config", file], 78),
        ];
        for (args, status) in table {
            let got = fault(args).exit_code();
            // `ExitCode` has no equality, only a form to print.
            assert_eq!(format!("{got:?}"), format!("{:?}", ExitCode::from(status)), "{args:?}");
        }
    }

    #[test]
    fn each_command_is_understood() {
        let table: [&[&str]; 39] = [
            &["alert", "test", "--channel", "ops"],
            &["alert", "list", "--json"],
            &["alert", "mute", "away/m3", "--for", "4h"],
            &["alert", "unmute", "away/m3"],
            &["gateway", "--config", "f"],
            &["check"],
            &["doctor", "--config", "f"],
            &["parked", "list"],
            &["parked", "show", "X117"],
            &["parked", "replay", "X117", "X118", "--from-start"],
            &["parked", "replay", "--all"],
            &["parked", "list", "--flat", "--json", "--cause", "no-sku"],
            &["parked", "replay", "--cause", "no-sku"],
            &["parked", "replay", "X117", "--from-start", "--with-old-rules"],
            &["parked", "discard", "--cause", "no-sku", "--reason", "a test"],
            &["parked", "discard", "X117", "--reason", "a test order"],
            &["journal", "verify", "--json"],
            &["journal", "list"],
            &["journal", "show", "117", "--body"],
            &["journal", "export", "--from", "5", "--to", "9"],
            &["journal", "export"],
            &["backup", "/mnt/stick", "--config", "f"],
            &["restore", "causeway.backup"],
            &["restore", "--check", "causeway.backup"],
            &["verify-store", "/s/journal/00000000000000000001"],
            &["load", "plan", "--only", "items,stock", "--as", "csv", "--rate", "120"],
            &["load", "start", "--only", "prices", "--rate", "30"],
            &["load", "pause", "--config", "f"],
            &["m3", "describe"],
            &["m3", "--config", "f", "describe", "OIS100MI/GetHead", "--json", "--refresh"],
            &["m3", "call", "OIS100MI/GetHead", "ORNO=1", "--columns", "ORST,ORSL", "--max", "0"],
            &["contract", "m3", "--json", "--bulk-max", "500"],
            &["contract", "m3", "--write", "--confirm", "--customer", "C", "--item", "I"],
            &["xcart", "get", "/orders/5"],
            &["contract", "xcart", "--write", "--product", "5", "--order", "7"],
            &["buyers", "list", "--only", "unknown", "--as", "csv"],
            &["buyers", "show", "a@x"],
            &["reconcile", "--what", "orders,customers", "--last"],
            &["version"],
        ];
        for args in table {
            let parsed = Line::try_parse_from(std::iter::once(&"causeway").chain(args));
            assert!(parsed.is_ok(), "{args:?}: {parsed:?}");
        }
    }
}
