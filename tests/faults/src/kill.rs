//! Kills the gateway at every place that has a name, and asks both systems' books for the proof.
//!
//! Two stories. In the whole one the sandbox plays: orders flow, the gateway dies at one place after
//! the other, and at the end every order must be in M3 once and equal. In the small one only webhooks
//! are kept: every one that was answered yes must be in the journal after any number of deaths.

use crate::{
    ledger::{self, Verdict},
    site::{Answer, Fault, Site, Started, was_killed},
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// How often the control of the small story is tried.
const CONTROLS_MAX: u32 = 12;
/// How long a start of the small story may take.
const START_TIME_MAX: Duration = Duration::from_secs(30);
/// Webhooks sent at most while a death is waited for.
const WEBHOOKS_PER_DEATH_MAX: u64 = 120;
/// Webhooks sent while passes are counted: enough for several segments.
const WEBHOOKS_COUNTED: u64 = 900;
/// No place has this name.
const NEVER: &str = "never:1";
/// Webhooks that are under way at once.
const AT_ONCE: u64 = 4;
/// Stores that rotate, compact and reopen often.
const SMALL_STORES: &str = "[journal]\nfree_bytes_min = 0\nsegment_bytes_max = 1048576\n\
    handle_bytes_max = 262144\n[state]\nfree_bytes_min = 0";

/// What is killed.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The gateway, built with the feature `failpoints`.
    #[arg(long)]
    gateway: PathBuf,
    /// The sandbox, for the whole story.
    #[arg(long)]
    sandbox: PathBuf,
    /// Deaths in the whole story.
    #[arg(long, default_value_t = 30)]
    deaths: usize,
    /// Deaths in the small story.
    #[arg(long, default_value_t = 30)]
    small_deaths: usize,
    /// The same seed draws the same places and orders.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Deaths in one run of the sandbox.
    #[arg(long, default_value_t = 10)]
    per_run: usize,
    /// Orders in one run of the sandbox.
    #[arg(long, default_value_t = 24)]
    orders: usize,
    /// Only these places, `NAME:N,NAME:N`, in one run of each story.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The gateway breaks promises, and both stories must notice.
    #[arg(long)]
    control: bool,
}

/// The proof, as far as it is judged here.
#[derive(Debug, Default, Deserialize)]
struct Proof {
    accepted: usize,
    created: usize,
    parked: usize,
    duplicates: usize,
    lost: usize,
    unequal: usize,
    orphans: usize,
    violations: Vec<String>,
    died_at: Vec<String>,
}

impl Proof {
    /// What is wrong with it; empty when all is well.
    fn wrong(&self, orders: usize) -> Vec<String> {
        let mut wrong = Vec::new();
        let must = [
            ("taken by the shop", self.accepted, orders),
            ("created", self.created, orders),
            ("set aside though sound", self.parked, 0),
            ("doubled", self.duplicates, 0),
            ("lost", self.lost, 0),
            ("unequal", self.unequal, 0),
            ("temporary orders left over", self.orphans, 0),
        ];
        for (what, is, want) in must {
            if is != want {
                wrong.push(format!("{what}: {is}, not {want}"));
            }
        }
        wrong.extend(self.violations.iter().map(|told| format!("M3 was asked: {told}")));
        wrong
    }
}

/// Plays both stories; says whether they show what they are to show.
pub(crate) async fn kill(args: &Args) -> Result<bool, Fault> {
    let folder = tempfile::Builder::new().prefix("causeway-kill-").tempdir()?;
    if args.control {
        return control(args, folder.path()).await;
    }
    let whole = whole(args, folder.path())?;
    let small = small(args, folder.path()).await?;
    Ok(whole && small)
}

async fn control(args: &Args, folder: &Path) -> Result<bool, Fault> {
    // What was interrupted is begun anew, and nothing of it is found in M3.
    let places = (0..4).map(|_| "effect.Place.Confirm.after:2".to_owned()).collect::<Vec<_>>();
    let output = sandbox(args, &places, args.seed, &[("CAUSEWAY_PLANT", "anew,no-look")])?;
    let proof = proof_of(&output);
    let wrong = proof.map(|proof| proof.wrong(args.orders)).unwrap_or_default();
    let told = wrong.get(..wrong.len().min(3)).unwrap_or_default();
    println!("| control, whole story: {}", told.join("; "));
    let doubled = wrong.iter().any(|told| told.starts_with("doubled"));
    let lost = control_of_the_small(args, folder).await?;
    println!("| control, small story: {lost} of the acknowledged are lost");
    Ok(doubled && lost > 0)
}

/// Returns how many events a store that does not flush has lost. What it writes by itself is not
/// always too late, so it is tried until something is lost, a few times.
async fn control_of_the_small(args: &Args, folder: &Path) -> Result<usize, Fault> {
    for tried in 0..CONTROLS_MAX {
        let places = (3..9).map(|count| format!("journal.put.durable:{count}"));
        let plant = [("CAUSEWAY_PLANT".to_owned(), "no-flush".to_owned())];
        let folder = folder.join(format!("control-{tried}"));
        let plan = (places.collect::<Vec<_>>(), plant.to_vec());
        let (_, verdict) = webhooks(args, &folder, (&plan.0, plan.1)).await?;
        if !verdict.lost.is_empty() {
            return Ok(verdict.lost.len());
        }
    }
    Ok(0)
}

/// Which places there are, and how often each is passed in a run without deaths.
fn places(args: &Args, trace: &Path) -> Result<BTreeMap<String, u64>, Fault> {
    let trace_text = trace.to_str().ok_or("the folder's name is not UTF-8")?;
    let output = sandbox(args, &[], args.seed, &[("CAUSEWAY_FAIL_TRACE", trace_text)])?;
    let proof = proof_of(&output).ok_or_else(|| tail(&output))?;
    let wrong = proof.wrong(args.orders);
    if !wrong.is_empty() {
        return Err(format!("without any death: {}", wrong.join("; ")).into());
    }
    counted(trace)
}

fn counted(trace: &Path) -> Result<BTreeMap<String, u64>, Fault> {
    let mut places = BTreeMap::new();
    for name in fs::read_to_string(trace)?.lines() {
        *places.entry(name.to_owned()).or_default() += 1;
    }
    if places.is_empty() {
        return Err(
            "the gateway has no fail points: build it with --features causeway/failpoints".into()
        );
    }
    Ok(places)
}

/// Draws places: every name in turn, early passes more often than late ones.
struct Drawn {
    names: Vec<(String, u64)>,
    next: usize,
    dice: fastrand::Rng,
}

impl Drawn {
    fn new(places: &BTreeMap<String, u64>, seed: u64) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let mut names: Vec<_> = places.iter().map(|(name, count)| (name.clone(), *count)).collect();
        dice.shuffle(&mut names);
        Self { names, next: 0, dice }
    }

    fn some(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.one()).collect()
    }

    fn one(&mut self) -> String {
        if self.next == self.names.len() {
            self.next = 0;
            self.dice.shuffle(&mut self.names);
        }
        let (name, passes) = self.names[self.next].clone();
        self.next += 1;
        // Later starts have less to do than the run that was counted.
        let most = (passes / 8).clamp(1, 40);
        let drawn = self.dice.u64(1..=most).min(self.dice.u64(1..=most));
        format!("{name}:{drawn}")
    }
}

fn whole(args: &Args, folder: &Path) -> Result<bool, Fault> {
    if args.deaths == 0 {
        return Ok(true);
    }
    let begun = Instant::now();
    let mut drawn = None;
    if args.only.is_empty() {
        let places = places(args, &folder.join("trace"))?;
        println!("| seed {}: {} places with a name", args.seed, places.len());
        drawn = Some(Drawn::new(&places, args.seed));
    }
    let (mut deaths, mut runs, mut broken) = (0, 0, 0);
    let mut names = BTreeSet::new();
    let (mut parked, mut orphans) = (0, 0);
    while deaths < args.deaths {
        let points = match &mut drawn {
            Some(drawn) => drawn.some(args.per_run.min(args.deaths - deaths)),
            None => args.only.clone(),
        };
        let seed = args.seed + runs;
        let output = sandbox(args, &points, seed, &[])?;
        runs += 1;
        let (died, wrong) = match proof_of(&output) {
            // Somebody else took the port between its choice and its use.
            None if tail(&output).contains("Address already in use") => continue,
            None => (Vec::new(), vec![tail(&output)]),
            Some(proof) => {
                (parked, orphans) = (parked + proof.parked, orphans + proof.orphans);
                (proof.died_at.clone(), proof.wrong(args.orders))
            }
        };
        deaths += died.len();
        names.extend(
            died.iter().map(|at| at.rsplit_once(':').map_or(at.clone(), |p| p.0.to_owned())),
        );
        if !wrong.is_empty() || !output.status.success() {
            broken += 1;
            println!("| run {runs}, died at {}: {}", died.join(","), wrong.join("; "));
            println!("|   again: causeway-faults {}", again(args, seed, &points));
        }
        if drawn.is_none() {
            break;
        }
    }
    println!(
        "| whole story, seed {}: {deaths} deaths at {} places in {runs} runs of {} orders, {broken} broken, \
         {parked} set aside, {orphans} orphans, {} s",
        args.seed,
        names.len(),
        args.orders,
        begun.elapsed().as_secs()
    );
    Ok(broken == 0)
}

fn again(args: &Args, seed: u64, points: &[String]) -> String {
    format!(
        "kill --gateway {} --sandbox {} --seed {seed} --orders {} --only {}",
        args.gateway.display(),
        args.sandbox.display(),
        args.orders,
        points.join(",")
    )
}

fn sandbox(
    args: &Args,
    points: &[String],
    seed: u64,
    variables: &[(&str, &str)],
) -> Result<Output, Fault> {
    let mut command = Command::new(&args.sandbox);
    command.args(["--rate", "5", "--weather", "calm", "--exit", "--json"]);
    command.args(["--quiescence-s", "1", "--pace-ms", "100", "--patience-s"]);
    command.arg(if args.control { "15" } else { "120" });
    command.args(["--orders", &args.orders.to_string(), "--seed", &seed.to_string()]);
    command.args(["--flows", "orders"]);
    command.arg("--gateway").arg(&args.gateway);
    if !points.is_empty() {
        command.args(["--fail", &points.join(",")]);
    }
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    Ok(command.output()?)
}

fn proof_of(output: &Output) -> Option<Proof> {
    let told = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(told.trim_end().lines().last()?).ok()
}

fn tail(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    let mut text = format!("no proof, {}", output.status);
    for line in told.trim_end().lines().rev().take(6).collect::<Vec<_>>().into_iter().rev() {
        let _ = write!(text, " / {line}");
    }
    text
}

async fn small(args: &Args, folder: &Path) -> Result<bool, Fault> {
    if args.small_deaths == 0 {
        return Ok(true);
    }
    let begun = Instant::now();
    let points = if args.only.is_empty() {
        let trace = folder.join("small-trace");
        let text = trace.to_str().ok_or("the folder's name is not UTF-8")?.to_owned();
        let variables = vec![("CAUSEWAY_FAIL_TRACE".to_owned(), text)];
        webhooks(args, &folder.join("dry"), (&[NEVER.to_owned()], variables)).await?;
        Drawn::new(&counted(&trace)?, args.seed ^ 0x51).some(args.small_deaths)
    } else {
        args.only.clone()
    };
    let (deaths, verdict) = webhooks(args, &folder.join("small"), (&points, Vec::new())).await?;
    let sound = verdict.holds();
    println!(
        "| small story, seed {}: {deaths} deaths, {}, {} s",
        args.seed,
        if sound { "nothing lost".to_owned() } else { format!("BROKEN: {verdict:?}") },
        begun.elapsed().as_secs()
    );
    if !sound {
        println!("|   again: causeway-faults {}", again(args, args.seed, &points));
    }
    Ok(sound)
}

/// Sends webhooks to a gateway that dies at each of these places; returns how often it died, and
/// what the journal says in the end.
async fn webhooks(
    args: &Args,
    folder: &Path,
    (points, variables): (&[String], Vec<(String, String)>),
) -> Result<(usize, Verdict), Fault> {
    let state = folder.join("state");
    fs::create_dir_all(folder)?;
    let mut site = Site::new(&args.gateway, folder, &state, SMALL_STORES)?;
    let (mut kept, mut tries) = (BTreeSet::new(), BTreeMap::new());
    let (mut deaths, mut number) = (0, 1_u64);
    for point in points {
        site.variables.clone_from(&variables);
        site.variables.push(("CAUSEWAY_FAIL_AT".to_owned(), point.clone()));
        match site.start(START_TIME_MAX)? {
            Started::Up => {}
            Started::Ended(status) if was_killed(status) => {
                deaths += 1;
                continue;
            }
            other => return Err(format!("at {point}: {other:?}\n{}", site.log()).into()),
        }
        let sender = site.sender()?;
        let most = if point == NEVER { WEBHOOKS_COUNTED } else { WEBHOOKS_PER_DEATH_MAX };
        let until = number + most;
        while number < until && site.ended()?.is_none() {
            let four = [number, number + 1, number + 2, number + 3];
            let [a, b, c, d] = four.map(|number| sender.send(number));
            let answers: [Answer; 4] = tokio::join!(a, b, c, d).into();
            for (number, answer) in four.into_iter().zip(answers) {
                *tries.entry(number).or_default() += 1;
                if answer == Answer::Kept {
                    kept.insert(number);
                }
            }
            number += AT_ONCE;
            if answers.contains(&Answer::Lost) {
                break;
            }
        }
        let ended = site.wait_ended(Duration::from_millis(200))?;
        deaths += usize::from(ended.is_some_and(was_killed));
        site.kill();
    }
    site.variables = variables;
    site.start_well(START_TIME_MAX)?;
    site.kill();
    let stored = ledger::read(&state.join("journal"))?;
    Ok((deaths, Verdict::of(&kept, &tries, &stored)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_with_anything_wrong_is_not_taken_for_a_sound_one() {
        let sound = || Proof { accepted: 3, created: 3, ..Proof::default() };
        assert!(sound().wrong(3).is_empty());
        let table = [
            Proof { accepted: 2, ..sound() },
            Proof { created: 2, ..sound() },
            Proof { parked: 1, ..sound() },
            Proof { duplicates: 1, ..sound() },
            Proof { lost: 1, ..sound() },
            Proof { unequal: 1, ..sound() },
            Proof { orphans: 1, ..sound() },
            Proof { violations: vec!["twice".to_owned()], ..sound() },
        ];
        for proof in table {
            assert_eq!(proof.wrong(3).len(), 1, "{proof:?}");
        }
    }
}
