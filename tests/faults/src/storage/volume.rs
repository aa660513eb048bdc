//! A volume that is full and has room again, and a disk that is pulled out and put back.

use super::{Args, Book, PANICS_MAX, START_TIME_MAX, inject::last_words, panics};
use crate::{
    ledger::Verdict,
    power::{self, Mounted, run, text},
    site::{Answer, Fault, Sender, Site, Started},
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

/// Size of the small volume.
const VOLUME_MIB: u64 = 64;
/// Taken by a file of the test, given back when there is to be room again.
const FILLER_MIB: u64 = 40;
/// Webhooks sent at most until the volume is full.
const WEBHOOKS_MAX: usize = 20_000;

/// So many refusals in a row mean that it is full.
const REFUSED_IN_A_ROW: u32 = 30;
const STORES: &str = "[journal]\nfree_bytes_min = 0\nsegment_bytes_max = 1048576\n\
    [state]\nfree_bytes_min = 0";

/// Tries both; says whether every rule was kept.
pub(crate) async fn volumes(args: &Args, folder: &Path) -> Result<bool, Fault> {
    fs::create_dir_all(folder)?;
    let mut good = true;
    // With a floor, and with none, where the system itself says that there is no room.
    for (name, floor) in [("with a floor of 4 MiB", 4_u64 << 20), ("without a floor", 0)] {
        let begun = Instant::now();
        let told = full(args, &folder.join(format!("full-{floor}")), floor).await?;
        good &= told.is_ok();
        let told = told.unwrap_or_else(|wrong| format!("BROKEN: {wrong}"));
        println!("| full volume {name}: {told}, {} s", begun.elapsed().as_secs());
    }
    let begun = Instant::now();
    let told = pulled_out(args, &folder.join("pulled-out")).await?;
    good &= told.is_ok();
    let told = told.unwrap_or_else(|wrong| format!("BROKEN: {wrong}"));
    println!("| disk that is pulled out: {told}, {} s", begun.elapsed().as_secs());
    Ok(good)
}

/// A small volume in memory; unmounted when dropped.
struct Small(PathBuf);

impl Drop for Small {
    fn drop(&mut self) {
        let _ = run("umount", &["-l", text(&self.0)]);
    }
}

fn fill(place: &Path) -> Result<(), Fault> {
    let count = format!("count={FILLER_MIB}");
    let to = format!("of={}", text(&place.join("filler")));
    run("dd", &["if=/dev/zero", &to, "bs=1M", &count, "status=none"])?;
    Ok(())
}

/// Fills a volume with webhooks, makes room, goes on; then starts on the full one.
async fn full(args: &Args, folder: &Path, floor: u64) -> Result<Result<String, String>, Fault> {
    let place = folder.join("volume");
    fs::create_dir_all(&place)?;
    let options = format!("size={VOLUME_MIB}m");
    run("mount", &["-t", "tmpfs", "-o", &options, "none", text(&place)])?;
    let volume = Small(place.clone());
    fill(&place)?;
    let stores = format!(
        "[journal]\nfree_bytes_min = {floor}\nsegment_bytes_max = 1048576\ncompression = \"none\"\n\
         [state]\nballast_bytes = 4194304\nfree_bytes_min = {}",
        floor / 4
    );
    let mut site = Site::new(&args.gateway, folder, &place.join("state"), &stores)?;
    site.start_well(START_TIME_MAX)?;
    let sender = site.sender()?;
    let mut book = Book::default();
    if let Err(wrong) = until_full(&mut book, &sender).await {
        return Ok(Err(wrong));
    }
    let kept = book.kept.len();
    let mut seen = Vec::new();
    if site.ended()?.is_some() {
        return Ok(Err(format!("ended on the full volume: {}", last_words(&site))));
    }
    fs::remove_file(place.join("filler"))?;
    if !book.until_served(&sender).await {
        seen.push(format!(
            "takes no webhooks though there is room again, {}",
            room(&site, &place)?
        ));
    }
    site.kill();
    let brim = match on_the_brim(&mut site, &place)? {
        Ok(brim) => brim,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let verdict = judge_copy(&book, folder, &place)?;
    drop(volume);
    if !verdict.holds() {
        seen.push(format!("{verdict:?}"));
    }
    let Brim { on_full, panics } = brim;
    if panics > PANICS_MAX {
        seen.push(format!("{panics} panics"));
    }
    if on_full == "does not start" && args.must_serve {
        seen.push("does not start on the full volume".to_owned());
    }
    let told = format!("{kept} kept until it was full, {on_full} while it is full, none lost");
    Ok(if seen.is_empty() { Ok(told) } else { Err(seen.join("; ")) })
}

/// What came of starts on a full volume.
struct Brim {
    on_full: &'static str,
    panics: usize,
}

/// Fills the volume once more to the brim and starts there; then makes room and starts again.
fn on_the_brim(site: &mut Site, place: &Path) -> Result<Result<Brim, String>, Fault> {
    let crumbs = place.join("crumbs");
    let _ = run("dd", &["if=/dev/zero", &format!("of={}", text(&crumbs)), "bs=4k"]);
    let Some(on_full) = starts(site)? else {
        return Ok(Err("hung at the start on the full volume".to_owned()));
    };
    let panics = panics(site);
    site.kill();
    fs::remove_file(crumbs)?;
    site.clear_log();
    let again = site.start(START_TIME_MAX)?;
    if !matches!(again, Started::Up) {
        return Ok(Err(format!("with room again {again:?}: {}", last_words(site))));
    }
    site.kill();
    Ok(Ok(Brim { on_full, panics }))
}

/// Starts it anew and says whether it came up; `None` if it hung.
fn starts(site: &mut Site) -> Result<Option<&'static str>, Fault> {
    site.clear_log();
    Ok(match site.start(START_TIME_MAX)? {
        Started::Up => Some("starts"),
        Started::Ended(_) => Some("does not start"),
        Started::Hung => None,
    })
}

/// How much room there is, and what the gateway says.
fn room(site: &Site, place: &Path) -> Result<String, Fault> {
    let free = run("df", &["-k", "--output=avail", text(place)])?;
    let free = free.lines().last().unwrap_or_default();
    Ok(format!("{free} KiB: {}", last_words(site)))
}

/// Judges a copy that has room to be opened in.
fn judge_copy(book: &Book, folder: &Path, place: &Path) -> Result<Verdict, Fault> {
    let copy = folder.join("copy");
    run("cp", &["-a", text(&place.join("state/journal")), text(&copy)])?;
    book.judge(&copy)
}

/// Sends until so many in a row are refused that the volume is full.
async fn until_full(book: &mut Book, sender: &Sender) -> Result<(), String> {
    let mut refused = 0;
    for _ in 0..WEBHOOKS_MAX {
        match book.one(sender).await {
            Answer::Kept => refused = 0,
            Answer::Refused(503) => refused += 1,
            other => return Err(format!("a full volume was answered with {other:?}")),
        }
        if refused == REFUSED_IN_A_ROW {
            return Ok(());
        }
    }
    Err(format!("{} webhooks were kept and the volume is not full", book.kept.len()))
}

/// The disk is pulled out under the running gateway, put back read-only, and then as it was.
async fn pulled_out(args: &Args, folder: &Path) -> Result<Result<String, String>, Fault> {
    fs::create_dir_all(folder)?;
    let mut disk = power::plug_in(folder)?;
    let place = folder.join("mnt");
    let mut site = Site::new(&args.gateway, folder, &place.join("state"), STORES)?;
    site.start_well(START_TIME_MAX)?;
    let sender = site.sender()?;
    let mut book = Book::default();
    book.some(&sender, 40).await;
    let kept = book.kept.len();
    let image = disk.vanish();
    let after = book.some(&sender, 20).await;
    let mut seen = Vec::new();
    if after > 0 {
        seen.push(format!("{after} webhooks were kept without a disk"));
    }
    if let Some(status) = site.ended()? {
        seen.push(format!("ended: {status}"));
    }
    let panicked = panics(&site);
    site.kill();
    drop(disk);
    // Write-protected, it can be looked at but not started on.
    run("mount", &["-o", "loop,ro,noload", text(&image), text(&place)])?;
    let mut mounted = Mounted::already(&place);
    site.clear_log();
    match site.start(START_TIME_MAX)? {
        Started::Up => seen.push("starts on a disk that takes no writes".to_owned()),
        Started::Ended(_) if site.log().contains("cannot be started") => {}
        other => seen.push(format!("write-protected: {other:?}: {}", last_words(&site))),
    }
    site.kill();
    mounted.unmount()?;
    run("mount", &["-o", "loop", text(&image), text(&place)])?;
    let mut mounted = Mounted::already(&place);
    site.clear_log();
    match site.start(START_TIME_MAX)? {
        Started::Up => {}
        other => seen.push(format!("put back {other:?}: {}", last_words(&site))),
    }
    site.kill();
    let verdict = judge_copy(&book, folder, &place)?;
    mounted.unmount()?;
    if !verdict.holds() {
        seen.push(format!("{verdict:?}"));
    }
    if panicked > PANICS_MAX {
        seen.push(format!("{panicked} panics"));
    }
    let told = format!(
        "{kept} kept before, none after; write-protected it does not start and says so; put back, none lost"
    );
    Ok(if seen.is_empty() { Ok(told) } else { Err(seen.join("; ")) })
}
