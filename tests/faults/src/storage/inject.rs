//! Makes the Nth call of a kind fail, in each thread, by strace.

use super::{Args, Book, PANICS_MAX, START_TIME_MAX, panics};
use crate::{
    power,
    site::{Fault, Site, Started, was_killed},
};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

/// What is made to fail, and how.
const CALLS: [&str; 9] = [
    "fdatasync",
    "fsync",
    "pwrite64",
    "sync_file_range",
    "openat",
    "rename",
    "unlink",
    "mkdir",
    "ftruncate",
];
const ERRORS: [&str; 3] = ["EIO", "ENOSPC", "EROFS"];
/// Webhooks sent while the fault may strike.
const WEBHOOKS: usize = 24;
const STORES: &str = "[journal]\nfree_bytes_min = 0\nsegment_bytes_max = 1048576\n\
    handle_bytes_max = 262144\n[state]\nfree_bytes_min = 0";

/// A fault: the call, the error, which time, and whether the folder has events already.
struct Point {
    text: String,
    inject: String,
    call: String,
    is_used: bool,
}

impl Point {
    fn new(call: &str, error: &str, when: &str, used: &str) -> Self {
        Self {
            text: format!("{call}:{error}:{when}:{used}"),
            inject: format!("inject={call}:error={error}:when={when}"),
            call: call.to_owned(),
            is_used: used == "used",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(':');
        Some(Self::new(words.next()?, words.next()?, words.next()?, words.next()?))
    }
}

/// Makes calls fail, one after the other.
pub(crate) async fn calls(args: &Args, folder: &Path) -> Result<bool, Fault> {
    let begun = Instant::now();
    fs::create_dir_all(folder)?;
    let used = folder.join("used");
    let book = prepare(args, folder, &used).await?;
    let points = match &args.only {
        Some(only) => Point::parse(only).into_iter().collect(),
        None => draw(args, &count(args, folder).await?),
    };
    let (mut broken, mut refused, mut struck) = (0, 0, 0);
    for (index, point) in points.iter().enumerate() {
        let place = folder.join(format!("point-{index}"));
        let told = strike(args, &place, point, (&used, &book)).await?;
        let _ = fs::remove_dir_all(&place);
        refused += usize::from(told.refused);
        struck += usize::from(told.struck);
        if let Some(wrong) = told.wrong {
            broken += 1;
            println!("| {}: {wrong}", point.text);
            println!(
                "|   again: causeway-faults storage --gateway {} --damages 0 --only {}",
                args.gateway.display(),
                point.text
            );
        }
    }
    println!(
        "| calls that fail, seed {}: {} tried, {struck} noticed, {refused} refused the start, {broken} broken, {} s",
        args.seed,
        points.len(),
        begun.elapsed().as_secs()
    );
    Ok(broken == 0)
}

/// A folder with events, and what was answered.
async fn prepare(args: &Args, folder: &Path, used: &Path) -> Result<Book, Fault> {
    let mut book = Book::default();
    let mut site = Site::new(&args.gateway, &folder.join("prepare"), used, STORES)?;
    site.start_well(START_TIME_MAX)?;
    book.some(&site.sender()?, 40).await;
    site.kill();
    Ok(book)
}

/// How often a thread makes each call, at most.
async fn count(args: &Args, folder: &Path) -> Result<BTreeMap<String, usize>, Fault> {
    let trace = folder.join("trace");
    let state = folder.join("counted");
    let mut site = Site::new(&args.gateway, &folder.join("count"), &state, STORES)?;
    let words = ["strace", "-f", "-qq", "-o", power::text(&trace), "-e"];
    site.before = words.iter().map(Into::into).collect();
    site.before.push(format!("trace={}", CALLS.join(",")).into());
    site.start_well(START_TIME_MAX)?;
    let mut book = Book::default();
    book.some(&site.sender()?, WEBHOOKS).await;
    site.kill();
    let mut threads: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in fs::read_to_string(&trace)?.lines() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some(call)) = (words.next(), words.next()) else { continue };
        let Some((name, _)) = call.split_once('(') else { continue };
        *threads.entry((thread.to_owned(), name.to_owned())).or_default() += 1;
    }
    let mut most = BTreeMap::new();
    for ((_, name), calls) in threads {
        let known = most.entry(name).or_insert(0);
        *known = calls.max(*known);
    }
    Ok(most)
}

/// Draws points: every call and error in turn.
fn draw(args: &Args, counts: &BTreeMap<String, usize>) -> Vec<Point> {
    let mut dice = fastrand::Rng::with_seed(args.seed);
    let known: Vec<_> = counts.iter().filter(|(name, _)| CALLS.contains(&name.as_str())).collect();
    let kinds: Vec<_> =
        known.iter().flat_map(|known| ERRORS.map(|error| (*known, error))).collect();
    let point = |index: usize, dice: &mut fastrand::Rng| {
        let ((name, count), error) = kinds[index % kinds.len()];
        let when = dice.usize(1..=*count);
        // Some faults stay.
        let when = if dice.u8(0..4) == 0 { format!("{when}+") } else { when.to_string() };
        Point::new(name, error, &when, if dice.bool() { "used" } else { "new" })
    };
    (0..args.calls).map(|index| point(index, &mut dice)).collect()
}

#[derive(Default)]
struct Told {
    struck: bool,
    refused: bool,
    wrong: Option<String>,
}

async fn strike(
    args: &Args,
    place: &Path,
    point: &Point,
    (used, book): (&Path, &Book),
) -> Result<Told, Fault> {
    let state = place.join("state");
    fs::create_dir_all(place)?;
    let mut book = if point.is_used { book.clone() } else { Book::default() };
    if point.is_used {
        power::run("cp", &["-a", power::text(used), power::text(&state)])?;
    }
    let mut site = Site::new(&args.gateway, place, &state, STORES)?;
    site.before = ["strace", "-f", "-qq", "-o", "/dev/null", "-e"].map(Into::into).to_vec();
    site.before.push(format!("trace={}", point.call).into());
    site.before.extend(["-e".into(), point.inject.clone().into()]);
    let mut told = Told::default();
    match site.start(START_TIME_MAX)? {
        Started::Up => {
            // The certificate may not be readable yet where its writing was made to fail.
            let Ok(sender) = site.sender() else { return Ok(told) };
            told.struck = book.some(&sender, WEBHOOKS).await < WEBHOOKS;
            let passes = !point.inject.ends_with('+');
            let ended = site.ended()?;
            if let Some(status) = ended {
                // The port is open a moment before the last part is.
                let was_up = site.log().contains("started version=");
                let refused = !was_up && site.log().contains("cannot be started");
                (told.refused, told.struck) = (refused, true);
                let wrong = format!("ended while running: {status}: {}", last_words(&site));
                told.wrong = (!refused).then_some(wrong);
            } else if passes && !book.until_served(&sender).await {
                told.wrong =
                    Some(format!("takes no webhooks after the fault: {}", last_words(&site)));
            }
        }
        Started::Ended(status) if was_killed(status) || status.code() == Some(101) => {
            told.wrong = Some(format!("fell at the start: {status}: {}", last_words(&site)));
        }
        Started::Ended(_) => (told.refused, told.struck) = (true, true),
        Started::Hung => told.wrong = Some("hung at the start".to_owned()),
    }
    site.kill();
    if panics(&site) > PANICS_MAX {
        told.wrong = Some(format!("{} panics", panics(&site)));
    }
    site.before.clear();
    if told.wrong.is_none() {
        told.wrong = sound_afterwards(&mut site, &state, &book)?;
    }
    Ok(told)
}

/// Starts without the fault and compares; what is wrong, if anything.
fn sound_afterwards(site: &mut Site, state: &Path, book: &Book) -> Result<Option<String>, Fault> {
    site.clear_log();
    match site.start(START_TIME_MAX)? {
        Started::Up => {}
        other => return Ok(Some(format!("afterwards {other:?}: {}", last_words(site)))),
    }
    site.kill();
    let verdict = match book.judge(&state.join("journal")) {
        Ok(verdict) => verdict,
        Err(fault) => return Ok(Some(causeway::log::chain(&*fault))),
    };
    Ok((!verdict.holds()).then(|| format!("{verdict:?}")))
}

pub(crate) fn last_words(site: &Site) -> String {
    let log = site.log();
    let lines: Vec<&str> = log.trim_end().lines().collect();
    lines.iter().rev().take(3).rev().copied().collect::<Vec<_>>().join(" / ")
}

/// Whether strace works here.
pub(crate) fn is_there() -> bool {
    let tried = Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "true"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}
