//! Damages the files of a gateway that is stopped: bits, ends, whole files.

use super::{Args, Book, PANICS_MAX, START_TIME_MAX, inject::last_words, panics};
use crate::{
    ledger::{self, Missing},
    power,
    site::{Fault, Site, Started, was_killed},
};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::Instant,
};

/// Webhooks in the folder that is damaged: enough for several segments.
const WEBHOOKS: usize = 700;
const STORES: &str = "[journal]\nfree_bytes_min = 0\nsegment_bytes_max = 1048576\n\
    [state]\nfree_bytes_min = 0";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Flip,
    Burst,
    Halve,
    Shorten,
    Empty,
    Remove,
}

const KINDS: [Kind; 6] =
    [Kind::Flip, Kind::Burst, Kind::Halve, Kind::Shorten, Kind::Empty, Kind::Remove];

/// What came of a damaged folder.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    served: usize,
    shut: usize,
    unharmed: usize,
    named: usize,
    broken: usize,
}

/// Damages one file after the other; says whether every rule was kept.
pub(crate) async fn damages(args: &Args, folder: &Path) -> Result<bool, Fault> {
    let begun = Instant::now();
    fs::create_dir_all(folder)?;
    let whole = folder.join("whole");
    let mut site = Site::new(&args.gateway, &folder.join("prepare"), &whole, STORES)?;
    site.start_well(START_TIME_MAX)?;
    let mut book = Book::default();
    book.some(&site.sender()?, WEBHOOKS).await;
    // Half of the folders were left by a clean stop, half by a kill.
    let killed = folder.join("killed");
    power::run("cp", &["-a", power::text(&whole), power::text(&killed)])?;
    site.stop(START_TIME_MAX)?;
    let files = files(&whole)?;
    let points = points(args, &files);
    let mut tally = Tally::default();
    for (name, kind, seed) in &points {
        let from = if seed % 2 == 0 { &whole } else { &killed };
        let text = format!("{name}:{kind:?}:{seed}");
        let place = folder.join("one");
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place)?;
        let state = place.join("state");
        power::run("cp", &["-a", power::text(from), power::text(&state)])?;
        if harm(&state.join(name), *kind, *seed).is_err() {
            continue;
        }
        if let Some(wrong) = look(args, &place, &book, &mut tally).await? {
            tally.broken += 1;
            println!("| {text}: {wrong}");
            println!(
                "|   again: causeway-faults storage --gateway {} --calls 0 --only '{text}'",
                args.gateway.display()
            );
        }
    }
    let Tally { served, shut, unharmed, named, broken } = tally;
    println!(
        "| damaged files, seed {}: {} tried, {served} served on ({unharmed} without any loss, {named} with \
         losses that are named), {shut} refused the start by name, {broken} broken, {} s",
        args.seed,
        points.len(),
        begun.elapsed().as_secs()
    );
    Ok(broken == 0)
}

/// The files that hold something, by their names below the folder.
fn files(folder: &Path) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(folder.join(&below))? {
            let entry = entry?;
            let name = below.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(name);
            } else if kind.is_file() && !name.starts_with("tls") && !name.ends_with("lock") {
                found.extend(name.to_str().map(str::to_owned));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn points(args: &Args, files: &[String]) -> Vec<(String, Kind, u64)> {
    if let Some(only) = &args.only {
        let mut words = only.rsplitn(3, ':');
        let seed = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let kind = words.next().unwrap_or_default();
        let kind = KINDS.into_iter().find(|known| format!("{known:?}") == kind);
        let file = words.next().map(str::to_owned);
        return file.zip(kind).map(|(file, kind)| (file, kind, seed)).into_iter().collect();
    }
    let mut dice = fastrand::Rng::with_seed(args.seed);
    let mut all: Vec<_> =
        files.iter().flat_map(|file| KINDS.map(|kind| (file.clone(), kind))).collect();
    dice.shuffle(&mut all);
    let drawn = all.into_iter().cycle().take(args.damages);
    drawn.map(|(file, kind)| (file, kind, dice.u64(0..1_000_000))).collect()
}

fn harm(path: &Path, kind: Kind, seed: u64) -> io::Result<()> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let file = File::options().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let flip = |at: u64| -> io::Result<()> {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at)?;
        file.write_all_at(&[byte[0] ^ 0x10], at)
    };
    match kind {
        Kind::Flip | Kind::Burst if length == 0 => Err(io::ErrorKind::InvalidInput.into()),
        Kind::Flip => flip(dice.u64(0..length)),
        Kind::Burst => {
            let at = dice.u64(0..length);
            (at..length.min(at + 600)).try_for_each(flip)
        }
        Kind::Halve => file.set_len(length / 2),
        Kind::Shorten => file.set_len(length.saturating_sub(dice.u64(1..=700))),
        Kind::Empty => file.set_len(0),
        Kind::Remove => fs::remove_file(path),
    }
}

/// Starts on the damage, sends, kills, reads; what is wrong, if anything.
async fn look(
    args: &Args,
    place: &Path,
    book: &Book,
    tally: &mut Tally,
) -> Result<Option<String>, Fault> {
    let state = place.join("state");
    let mut book = book.clone();
    let mut site = Site::new(&args.gateway, place, &state, STORES)?;
    let begun = Instant::now();
    match site.start(START_TIME_MAX)? {
        Started::Up => {
            let Ok(sender) = site.sender() else {
                return Ok(Some("shows no certificate".to_owned()));
            };
            if !book.until_served(&sender).await {
                return Ok(Some(format!("is up and takes no webhooks: {}", last_words(&site))));
            }
            tally.served += 1;
        }
        Started::Ended(status) if was_killed(status) || status.code() == Some(101) => {
            return Ok(Some(format!("fell: {status}: {}", last_words(&site))));
        }
        Started::Ended(_) if args.must_serve => {
            return Ok(Some(format!("refuses to start: {}", last_words(&site))));
        }
        Started::Ended(_) => {
            tally.shut += 1;
            let log = site.log();
            let named = log.contains("cannot be started");
            return Ok((!named).then(|| format!("ended without a reason: {log}")));
        }
        Started::Hung => return Ok(Some(format!("hung for {} s", begun.elapsed().as_secs()))),
    }
    site.kill();
    if panics(&site) > PANICS_MAX {
        return Ok(Some(format!("{} panics", panics(&site))));
    }
    // What the killed one wrote last must be there, and what is missing must be named.
    let (stored, missing) = match ledger::read_with_gaps(&state.join("journal")) {
        Ok(read) => read,
        Err(fault) => {
            return Ok(Some(format!("cannot be read: {}", causeway::log::chain(&*fault))));
        }
    };
    let verdict = ledger::Verdict::of(&book.kept, &book.tries, &stored);
    let unnamed = verdict.lost.len().saturating_sub(Missing::count(&missing));
    if unnamed > 0 || !verdict.altered.is_empty() || !verdict.unordered.is_empty() {
        return Ok(Some(format!("{unnamed} lost without a word; {verdict:?}")));
    }
    if verdict.lost.is_empty() {
        tally.unharmed += 1;
    } else {
        tally.named += 1;
    }
    Ok(None)
}
