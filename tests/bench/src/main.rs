//! Measures the journal beside a raw log and other stores, and the gateway beside simulated systems.
//!
//! What it guarantees: what is compared runs in turns within one run, each time in a process of its
//! own; the result is a median. No time is ever judged by itself, only ratios are.

mod bodies;
mod disk;
mod fjall_log;
mod gauge;
mod goods;
mod ingest;
mod machine;
mod orders;
mod raw_log;
mod redb_log;
mod report;
mod rounds;
mod sqlite_log;
mod start;
mod wire;

use crate::{disk::Engine, gauge::Fault, ingest::Task};
use causeway::journal::record::Packing;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Measures the journal and the gateway, and prints ratios.
#[derive(Debug, Parser)]
#[command(name = "causeway-bench")]
struct Bench {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures everything in turns.
    Run(rounds::Plan),
    /// Stock and prices of a large shop: calls, times, memory.
    Goods(goods::Plan),
    /// One measurement of one store in this process; prints one JSON object.
    Ingest(Ingest),
    /// Serves webhooks until its input ends; prints its port, then one JSON object.
    Serve(Serve),
    /// Fills a journal until it is killed; prints a line when it is large enough.
    Backlog(Backlog),
}

#[derive(Debug, Args)]
struct Ingest {
    #[arg(long)]
    engine: Engine,
    #[arg(long)]
    senders: usize,
    #[arg(long)]
    span_ms: u64,
    #[arg(long)]
    folder: PathBuf,
    #[arg(long, default_value = "zstd")]
    packing: Pack,
}

#[derive(Debug, Args)]
struct Serve {
    #[arg(long)]
    engine: Engine,
    #[arg(long)]
    folder: PathBuf,
}

#[derive(Debug, Args)]
struct Backlog {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    bytes: u64,
}

/// The journal's `compression`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Pack {
    None,
    Lz4,
    Zstd,
}

impl From<Pack> for Packing {
    fn from(pack: Pack) -> Self {
        match pack {
            Pack::None => Self::None,
            Pack::Lz4 => Self::Lz4,
            Pack::Zstd => Self::Zstd,
        }
    }
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            report::complain(&*fault);
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Fault> {
    let bench = Bench::parse();
    // As many workers as the gateway has.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        match bench.command {
            Command::Run(plan) => rounds::run(&plan).await,
            Command::Goods(plan) => goods::run(&plan).await,
            Command::Ingest(ingest) => {
                let Ingest { engine, senders, span_ms, folder, packing } = ingest;
                let (span, packing) = (Duration::from_millis(span_ms), packing.into());
                let task = Task { engine, senders, span, folder, packing };
                // On a worker, as the gateway's own tasks are.
                let mut tasks = tokio::task::JoinSet::new();
                tasks.spawn(ingest::run(task));
                let figures = tasks.join_next().await.ok_or("nothing was measured")???;
                report::line(&serde_json::to_string(&figures)?);
                Ok(())
            }
            Command::Serve(Serve { engine, folder }) => wire::serve(engine, &folder).await,
            Command::Backlog(Backlog { folder, bytes }) => start::fill(&folder, bytes).await,
        }
    })
}
