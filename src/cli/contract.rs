//! `causeway contract`: which facts of our notes on a system hold on the one that is configured.
//!
//! Guarantees: reads only, unless writes are allowed; the table names what was not taken away again.

use super::{ConfigFile, Fault, aside, m3::failed, say, table::aligned};
use crate::{
    config::{self, Loaded},
    connector::Kind,
    contract::{Book, Depth, Fact, Verdict, ion, m3, xcart},
};
use clap::{Args, Subcommand};
use serde_json::json;
use std::{fs, path::PathBuf};
use tokio::runtime::Runtime;

/// Try which facts hold there.
#[derive(Debug, Args)]
pub struct Contract {
    /// Where the systems are found.
    #[command(flatten)]
    pub config: ConfigFile,
    /// Which system.
    #[command(subcommand)]
    pub system: System,
}

/// Which system is tried.
#[derive(Debug, Subcommand)]
pub enum System {
    /// M3; use a test company.
    M3(OnM3),
    /// The shop; use a staging shop.
    Xcart(OnShop),
    /// Our own end points for ION, and ION; the gateway must run.
    Ion(OnIon),
}

/// What the trials about ION may do and need.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct OnIon {
    /// Where ION finds us, up to and without `/service`; absent: where this box listens.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// PEM file with the only authorities to trust there; absent: those of the system.
    #[arg(long, value_name = "FILE", requires = "url")]
    pub ca_file: Option<PathBuf>,
    /// A document of your site, taken out of ION; it is read here and goes nowhere.
    #[arg(long = "document", value_name = "FILE")]
    pub documents: Vec<PathBuf>,
    /// Give documents, to ourselves and to ION, of which nothing comes.
    #[arg(long)]
    pub write: bool,
    /// As JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

/// What the trials on M3 may do and need.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct OnM3 {
    /// A customer that orders may be entered for.
    #[arg(long, value_name = "CUNO")]
    pub customer: Option<String>,
    /// An item that may be ordered.
    #[arg(long, value_name = "ITNO")]
    pub item: Option<String>,
    /// An order that was delivered.
    #[arg(long, value_name = "ORNO")]
    pub order: Option<String>,
    /// Transactions tried in one bulk call, at most.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub bulk_max: u16,
    /// Enter temporary orders and delete them again.
    #[arg(long, requires = "customer", requires = "item")]
    pub write: bool,
    /// Confirm one as well, which makes a real order, and delete it.
    #[arg(long, requires = "write")]
    pub confirm: bool,
    /// As JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

/// What the trials on the shop may do and need.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct OnShop {
    /// Internal id of an order whose status may be set to what it is.
    #[arg(long, value_name = "ID")]
    pub order: Option<u64>,
    /// Internal id of a product whose amount may be set to what it is.
    #[arg(long, value_name = "ID")]
    pub product: Option<u64>,
    /// Set both to what they are.
    #[arg(long)]
    pub write: bool,
    /// As JSON, one object a line.
    #[arg(long)]
    pub json: bool,
}

/// Tries all, and prints what came of it; a fault when something differs that is relied on.
pub fn run(contract: &Contract) -> Result<(), Fault> {
    let loaded = config::load(&contract.config.path)?;
    let runtime = super::runtime()?;
    let (book, json) = match &contract.system {
        System::M3(asked) => (on_m3(&runtime, &loaded, asked)?, asked.json),
        System::Xcart(asked) => (on_shop(&runtime, &loaded, asked)?, asked.json),
        System::Ion(asked) => (on_ion(&runtime, &loaded, asked)?, asked.json),
    };
    say(&if json { as_json(&book) } else { as_text(&book) })?;
    match book.broken() {
        0 => Ok(()),
        broken => Err(Fault::Differs(broken)),
    }
}

fn on_m3(runtime: &Runtime, loaded: &Loaded, asked: &OnM3) -> Result<Book, Fault> {
    let m3 = super::m3::connect(loaded)?;
    let given = given(asked);
    let mut told = aside;
    let trial = m3::Trial::new(&m3, &given, &loaded.config, &mut told);
    let book = runtime.block_on(Box::pin(trial.run()));
    book.map_err(|failure| failed(&failure, Kind::Read))
}

fn on_shop(runtime: &Runtime, loaded: &Loaded, asked: &OnShop) -> Result<Book, Fault> {
    let OnShop { order, product, write, json: _ } = *asked;
    let depth = if write { Depth::Write } else { Depth::Read };
    let given = xcart::Given { depth, order, product };
    let shop = super::xcart::shop(loaded)?;
    let stranger = super::xcart::stranger(loaded)?;
    let book = runtime.block_on(Box::pin(xcart::Trial::new(&shop, &stranger, &given).run()));
    book.map_err(|failure| failed(&failure, Kind::Read))
}

fn on_ion(runtime: &Runtime, loaded: &Loaded, asked: &OnIon) -> Result<Book, Fault> {
    let OnIon { url, ca_file, documents, write, json: _ } = asked;
    let (intake, settings) = super::ion::settings(loaded)?;
    let caller = super::ion::caller(loaded, url.as_deref(), ca_file.clone())?;
    let publisher = super::ion::publisher(loaded)?;
    let read = |path: &PathBuf| match fs::read(path) {
        Ok(bytes) => Ok((path.display().to_string(), bytes)),
        Err(error) => Err(Fault::Misasked(format!("{}: {error}", path.display()))),
    };
    let documents = documents.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let given = ion::Given { depth: if *write { Depth::Write } else { Depth::Read }, documents };
    let parties = ion::Parties { caller: &caller, publisher: publisher.as_ref() };
    let settings = ion::Settings {
        ion: settings,
        company: loaded.config.m3.as_ref().map(|m3| m3.company),
        body_bytes_max: u64::try_from(settings.largest_body(&intake.limits)).unwrap_or(u64::MAX),
    };
    let mut told = aside;
    let trial = ion::Trial::new(parties, settings, &given, &mut told);
    let book = runtime.block_on(Box::pin(trial.run()));
    book.map_err(|failure| super::ion::unreached(&failure))
}

fn given(asked: &OnM3) -> m3::Given {
    let depth = match (asked.write, asked.confirm) {
        (true, true) => Depth::Confirm,
        (true, false) => Depth::Write,
        (false, _) => Depth::Read,
    };
    let OnM3 { customer, item, order, bulk_max, .. } = asked;
    m3::Given {
        depth,
        customer: customer.clone(),
        item: item.clone(),
        order: order.clone(),
        bulk_max: usize::from(*bulk_max),
    }
}

fn as_text(book: &Book) -> String {
    let rows = book.rows().iter().map(|(fact, verdict)| {
        let cells = [verdict.word(), fact.name, fact.text, fact.section, verdict.seen()];
        cells.map(str::to_owned).to_vec()
    });
    let rows: Vec<_> = rows.collect();
    let table = aligned(&["result", "name", "fact", "section", "seen"], &rows);
    let broken = book.broken();
    let sum = match broken {
        0 => "nothing that the gateway relies on differs".to_owned(),
        1 => "1 fact that the gateway relies on differs".to_owned(),
        many => format!("{many} facts that the gateway relies on differ"),
    };
    format!("{table}{} facts; {sum}\n", book.rows().len())
}

fn as_json(book: &Book) -> String {
    let line = |(fact, verdict): &(Fact, Verdict)| {
        let value = json!({
            "name": fact.name,
            "fact": fact.text,
            "section": fact.section,
            "weight": fact.weight.to_string(),
            "result": verdict.word().to_lowercase(),
            "seen": verdict.seen(),
        });
        format!("{value}\n")
    };
    book.rows().iter().map(line).collect()
}
