//! Cuts the power: rebuilds the disk as it was at any write, mounts it, and looks for what was
//! acknowledged by then.
//!
//! A run is recorded once, on a disk whose every write and flush is logged. Then images are made of
//! prefixes of that log, and of prefixes less some of the writes since the last flush, because a disk
//! with a volatile cache may have lost any of them. Each image is mounted (ext4 replays its journal)
//! and opened by the product. Later sessions begin on such an image, so that recovery is cut, too.

mod disk;
mod log;
mod work;

use crate::site::{Answer, Fault, Site};
pub(crate) use disk::{Logged, Mounted, run, text};
use log::{Disk, Log};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use work::{Acked, Expected};

/// How long the gateway may take to start on the logged disk.
const START_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a look at an image may take.
const LOOK_S_MAX: u64 = 60;

/// What is cut.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// How many images are looked at.
    #[arg(long, default_value_t = 60)]
    images: usize,
    /// The same seed draws the same cuts of the same log; the log itself differs from run to run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Batches that the writer appends in each session.
    #[arg(long, default_value_t = 150)]
    batches: u64,
    /// Sessions of the writer; each but the first begins on a cut disk.
    #[arg(long, default_value_t = 3)]
    sessions: u64,
    /// The gateway's binary: then webhooks are sent to it in one more session.
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// The writer syncs nothing, and the images must show that something is lost.
    #[arg(long)]
    control: bool,
    /// Where disks, logs and images lie; in memory it is faster.
    #[arg(long, default_value = "/dev/shm")]
    folder: PathBuf,
    /// Keeps disk, log and acknowledgements of a session with a broken image here.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Looks at one kept image again: the folder that was kept.
    #[arg(long)]
    again: Option<PathBuf>,
}

/// The part that runs as a process of its own on the logged disk.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct WriteArgs {
    folder: PathBuf,
    log: PathBuf,
    session: u64,
    batches: u64,
}

/// The part that looks at a mounted image, as a process of its own.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LookArgs {
    folder: PathBuf,
    expected: PathBuf,
}

/// What is to be found on an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Want {
    /// What the writer was told.
    Work(Expected),
    /// Webhooks that were answered yes, and how often each was sent.
    Hooks(BTreeSet<u64>, BTreeMap<u64, u64>),
}

/// A session: what was on the disk, what was done to it, and what was acknowledged when.
struct Session {
    start: Vec<u8>,
    log: Log,
    acked: Vec<(usize, Acked)>,
    hooks: Vec<(usize, u64)>,
    before: Expected,
    is_gateway: bool,
}

impl Session {
    /// What must be there after a cut.
    fn want(&self, cut: usize) -> Want {
        let position = self.log.position(cut);
        if self.is_gateway {
            let kept = self.hooks.iter().filter(|(at, _)| *at <= position);
            let tries = self.hooks.iter().map(|(_, number)| (*number, 1)).collect();
            return Want::Hooks(kept.map(|(_, number)| *number).collect(), tries);
        }
        let mut expected = self.before.clone();
        for (_, acked) in self.acked.iter().filter(|(at, _)| *at <= position) {
            expected.add(*acked);
        }
        Want::Work(expected)
    }
}

/// Puts an empty disk into use, mounted at `folder/mnt`.
pub(crate) fn plug_in(folder: &Path) -> Result<Logged, Fault> {
    let missing = disk::missing();
    if !missing.is_empty() {
        return Err(format!("a disk needs what is not here: {}", missing.join(", ")).into());
    }
    Logged::new(&disk::format(folder)?, folder)
}

/// Writes; see [`work`].
pub(crate) async fn write(args: WriteArgs) -> Result<(), Fault> {
    work::write(&args.folder, &args.log, args.session, args.batches).await
}

/// Looks at an image; prints what is wrong.
pub(crate) async fn look(args: LookArgs) -> Result<(), Fault> {
    let want: Want = serde_json::from_slice(&fs::read(&args.expected)?)?;
    let wrong = match want {
        Want::Work(expected) => work::check(&args.folder, &expected).await?,
        Want::Hooks(kept, tries) => {
            let journal = args.folder.join("journal");
            let stored = if journal.exists() { crate::ledger::read(&journal)? } else { Vec::new() };
            let verdict = crate::ledger::Verdict::of(&kept, &tries, &stored);
            if verdict.holds() { Vec::new() } else { vec![format!("{verdict:?}")] }
        }
    };
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ").into()) }
}

/// Records sessions, cuts them, and says whether what was to be shown was shown.
pub(crate) fn cut(args: &Args) -> Result<bool, Fault> {
    let missing = disk::missing();
    if !missing.is_empty() {
        return Err(format!("power cuts need what is not here: {}", missing.join(", ")).into());
    }
    let folder = tempfile::Builder::new().prefix("causeway-power-").tempdir_in(&args.folder)?;
    if let Some(kept) = &args.again {
        return look_again(kept, folder.path());
    }
    let begun = Instant::now();
    let mut dice = fastrand::Rng::with_seed(args.seed);
    let mut start = disk::format(folder.path())?;
    let mut before = Expected::default();
    let sessions = args.sessions + u64::from(args.gateway.is_some());
    let share = args.images.div_ceil(usize::try_from(sessions)?);
    let mut total = Tally::default();
    for number in 0..sessions {
        let session = if number < args.sessions {
            record(args, folder.path(), number, (start.clone(), before.clone()))?
        } else {
            record_gateway(args, folder.path())?
        };
        println!(
            "| session {number}: {} entries, {} flushes, {} acknowledgements",
            session.log.len(),
            session.log.flushes(),
            session.acked.len() + session.hooks.len()
        );
        if session.log.flushes() == 0 && !args.control {
            return Err("no flush reached the log: what was synced is not known".into());
        }
        let looked = Instant::now();
        let tally = look_at(args, folder.path(), &session, (share, &mut dice), number)?;
        let Tally { images, broken } = tally;
        let seconds = looked.elapsed().as_secs_f64();
        println!("| session {number}: {images} images in {seconds:.0} s, {broken} with losses");
        total.add(tally);
        (start, before) = somewhere(&session, &mut dice);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let Tally { images, broken } = total;
    println!("| seed {}: {images} images, {broken} with losses, {seconds:.0} s in all", args.seed);
    Ok(if args.control { broken > 0 } else { broken == 0 })
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    images: usize,
    broken: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.images += other.images;
        self.broken += other.broken;
    }
}

/// Draws a cut in the middle of a session; the next one begins there.
fn somewhere(session: &Session, dice: &mut fastrand::Rng) -> (Vec<u8>, Expected) {
    let cut = dice.usize(session.log.len() / 2..=session.log.len());
    let mut disk = Disk::new(session.start.clone(), &session.log);
    disk.advance(cut);
    let image = disk.image(|| dice.bool());
    match session.want(cut) {
        Want::Work(expected) => (image, expected),
        Want::Hooks(..) => (image, Expected::default()),
    }
}

fn record(
    args: &Args,
    folder: &Path,
    number: u64,
    (start, before): (Vec<u8>, Expected),
) -> Result<Session, Fault> {
    let logged = Logged::new(&start, folder)?;
    let state = folder.join("mnt/state_dir");
    fs::create_dir_all(&state)?;
    let mut writer = Command::new(std::env::current_exe()?);
    writer.arg("power-write").args([&state, logged.log()]);
    writer.args([number.to_string(), args.batches.to_string()]);
    if args.control {
        writer.env("CAUSEWAY_PLANT", "no-sync");
    }
    let mut child = writer.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().ok_or("the writer has no output")?;
    let mut acked = Vec::new();
    for line in BufReader::new(out).lines() {
        let line = line?;
        match line.strip_prefix("# ") {
            Some(told) => println!("| session {number}: {told}"),
            None => acked.push(serde_json::from_str(&line)?),
        }
    }
    let status = child.wait()?;
    if !status.success() {
        return Err(format!("session {number}: the writer ended with {status}").into());
    }
    // Where nothing is synced the unmounting would write what the power cut is to catch.
    let end = if args.control { Some(fs::metadata(logged.log())?.len()) } else { None };
    let log = Log::parse(logged.finish(end)?)?;
    Ok(Session { start, log, acked, hooks: Vec::new(), before, is_gateway: false })
}

/// The real binary on the logged disk, with webhooks over HTTPS.
fn record_gateway(args: &Args, folder: &Path) -> Result<Session, Fault> {
    let program = args.gateway.as_deref().ok_or("which gateway?")?;
    let start = disk::format(folder)?;
    let logged = Logged::new(&start, folder)?;
    let state = folder.join("mnt/state_dir");
    let stores = "[journal]\nfree_bytes_min = 0\nsegment_bytes_max = 1048576\n\
                  handle_bytes_max = 262144\n[state]\nfree_bytes_min = 0";
    let mut site = Site::new(program, &folder.join("site"), &state, stores)?;
    if args.control {
        site.variables.push(("CAUSEWAY_PLANT".to_owned(), "no-sync".to_owned()));
    }
    site.start_well(START_TIME_MAX)?;
    let sender = site.sender()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut hooks = Vec::new();
    runtime.block_on(async {
        for first in (1..=args.batches * 2).step_by(4) {
            let four = [first, first + 1, first + 2, first + 3];
            let [a, b, c, d] = four.map(|number| sender.send(number));
            let answers = tokio::join!(a, b, c, d);
            let position = usize::try_from(fs::metadata(logged.log())?.len())?;
            for (number, answer) in four.into_iter().zip(<[Answer; 4]>::from(answers)) {
                if answer != Answer::Kept {
                    return Err(format!("webhook {number}: {answer:?}").into());
                }
                hooks.push((position, number));
            }
        }
        Ok::<(), Fault>(())
    })?;
    site.kill();
    let end = if args.control { Some(fs::metadata(logged.log())?.len()) } else { None };
    let log = Log::parse(logged.finish(end)?)?;
    let (before, acked) = (Expected::default(), Vec::new());
    Ok(Session { start, log, acked, hooks, before, is_gateway: true })
}

/// Looks at so many images of a session.
fn look_at(
    args: &Args,
    folder: &Path,
    session: &Session,
    (images, dice): (usize, &mut fastrand::Rng),
    number: u64,
) -> Result<Tally, Fault> {
    let mut cuts: Vec<usize> = (0..images).map(|_| dice.usize(1..=session.log.len())).collect();
    cuts.sort_unstable();
    let mut disk = Disk::new(session.start.clone(), &session.log);
    let mut tally = Tally::default();
    for cut in cuts {
        disk.advance(cut);
        // A third are prefixes; else each write in the cache is there with a chance of its own.
        let percent = match dice.u8(0..3) {
            0 => 100,
            _ => dice.u8(0..=90),
        };
        let subset = dice.u64(..);
        let mut chance = fastrand::Rng::with_seed(subset);
        let image = disk.image(|| chance.u8(0..100) < percent);
        let want = session.want(cut);
        tally.images += 1;
        if let Err(fault) = look_at_image(folder, &image, &want) {
            tally.broken += 1;
            if !args.control || tally.broken <= 3 {
                println!(
                    "| session {number}, cut {cut} of {}, {} writes in the cache, {percent} in 100 kept: {fault}",
                    session.log.len(),
                    disk.cached()
                );
            }
            if !args.control {
                keep(args, &image, &want, (number, cut))?;
            }
        }
    }
    Ok(tally)
}

/// Keeps an image with losses, so that it can be looked at again.
fn keep(args: &Args, image: &[u8], want: &Want, (number, cut): (u64, usize)) -> Result<(), Fault> {
    let Some(folder) = &args.keep else { return Ok(()) };
    let place = folder.join(format!("seed-{}-session-{number}-cut-{cut}", args.seed));
    fs::create_dir_all(&place)?;
    disk::write(&place.join("image"), image)?;
    fs::write(place.join("want"), serde_json::to_vec(want)?)?;
    println!("|   again: causeway-faults power --again {}", place.display());
    Ok(())
}

fn look_again(kept: &Path, folder: &Path) -> Result<bool, Fault> {
    let image = fs::read(kept.join("image"))?;
    let want = serde_json::from_slice(&fs::read(kept.join("want"))?)?;
    match look_at_image(folder, &image, &want) {
        Ok(()) => println!("| all is there"),
        Err(fault) => {
            println!("| {fault}");
            return Ok(false);
        }
    }
    Ok(true)
}

fn look_at_image(folder: &Path, image: &[u8], want: &Want) -> Result<(), Fault> {
    let (path, expected) = (folder.join("image"), folder.join("want"));
    disk::write(&path, image)?;
    fs::write(&expected, serde_json::to_vec(want)?)?;
    let place = folder.join("look");
    fs::create_dir_all(&place)?;
    run("mount", &["-o", "loop", text(&path), text(&place)])?;
    let mut mounted = Mounted::already(&place);
    let state = place.join("state_dir");
    fs::create_dir_all(&state)?;
    let output = Command::new("timeout")
        .arg(LOOK_S_MAX.to_string())
        .arg(std::env::current_exe()?)
        .arg("power-look")
        .args([&state, &expected])
        .env_remove("CAUSEWAY_PLANT")
        .stdin(Stdio::null())
        .output()?;
    mounted.unmount()?;
    if output.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let told: Vec<&str> = told.trim().lines().collect();
    let last = told.iter().rev().take(4).rev().copied().collect::<Vec<_>>().join(" / ");
    std::io::stdout().flush()?;
    Err(format!("{}: {last}", output.status).into())
}
