//! The gateway as a process of its own: started, measured, killed, started again.

use crate::{AS_GATEWAY, args::Args, setting::Folder};
use causeway::{
    control,
    delivery::desk::{Ask, LISTED_MAX, Listed, Reply},
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{self, ErrorKind},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::process::{Child, Command};

/// How often it is asked whether the gateway is up.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// How long a start may take; a journal is checked before anything is taken in.
const START_TIME_MAX: Duration = Duration::from_mins(1);
/// How long a clean stop may take.
const STOP_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a process that no longer answers may take to be gone.
const DEATH_TIME_MAX: Duration = Duration::from_secs(2);
const SIGKILL: i32 = 9;
/// A start that does not come to its place in so many looks is killed where it is.
const LOOKS_MAX: u32 = 40;
/// What is noted for it.
const ANYWHERE: &str = "anywhere:1";

/// The gateway's process.
pub(crate) struct Gateway {
    program: PathBuf,
    first: Vec<OsString>,
    config: PathBuf,
    state: PathBuf,
    log: PathBuf,
    child: Child,
    /// Highest memory of the processes that are gone.
    peak_kib: u64,
    /// Where the next starts are to die, the next one last.
    fail: Vec<String>,
    /// Where this start is to die.
    armed: Option<String>,
    /// How often it was looked whether this start has died.
    looks: u32,
    /// Where the starts before died.
    died_at: Vec<String>,
}

impl Gateway {
    /// Starts it and waits until it answers.
    pub(crate) async fn start(args: &Args, folder: &Folder) -> io::Result<Self> {
        let (program, first) = match &args.gateway {
            Some(path) => (path.clone(), Vec::new()),
            None => (std::env::current_exe()?, vec![OsString::from(AS_GATEWAY)]),
        };
        let (config, state, log) = (folder.config(), folder.state(), folder.log());
        let mut fail = args.fail.clone();
        fail.reverse();
        let armed = fail.pop();
        let child = spawn((&program, &first), &config, &log, armed.as_deref())?;
        let (peak_kib, looks, died_at) = (0, 0, Vec::new());
        let mut gateway = Self {
            program,
            first,
            config,
            state,
            log,
            child,
            peak_kib,
            fail,
            armed,
            looks,
            died_at,
        };
        gateway.come_up().await?;
        Ok(gateway)
    }

    /// Waits until it is up; one that dies where it was told to is started again.
    async fn come_up(&mut self) -> io::Result<()> {
        loop {
            let Err(fault) = self.wait_until_up().await else { return Ok(()) };
            if !self.has_died().await? {
                return Err(fault);
            }
            self.again()?;
        }
    }

    /// Whether it died where it was told to.
    async fn has_died(&mut self) -> io::Result<bool> {
        let ended = tokio::time::timeout(DEATH_TIME_MAX, self.child.wait()).await;
        let Ok(status) = ended else { return Ok(false) };
        if status?.signal() != Some(SIGKILL) {
            return Ok(false);
        }
        let Some(place) = self.armed.take() else { return Ok(false) };
        self.died_at.push(place);
        Ok(true)
    }

    fn again(&mut self) -> io::Result<()> {
        (self.armed, self.looks) = (self.fail.pop(), 0);
        let program = (self.program.as_path(), self.first.as_slice());
        self.child = spawn(program, &self.config, &self.log, self.armed.as_deref())?;
        Ok(())
    }

    /// Starts it again if it died where it was told to; says whether it did.
    pub(crate) async fn revive(&mut self) -> io::Result<bool> {
        if self.armed.is_none() {
            return Ok(false);
        }
        if self.child.try_wait()?.is_some() {
            return self.revive_surely().await;
        }
        if self.fail.is_empty() || self.looks < LOOKS_MAX {
            self.looks = self.looks.saturating_add(1);
            return Ok(false);
        }
        // It does not come to that place: any moment is as good, and the next place gets its turn.
        self.armed = Some(ANYWHERE.to_owned());
        self.child.kill().await?;
        self.revive_surely().await
    }

    /// The same where something else says that it is gone.
    pub(crate) async fn revive_surely(&mut self) -> io::Result<bool> {
        if !self.has_died().await? {
            return Ok(false);
        }
        self.again()?;
        self.come_up().await?;
        Ok(true)
    }

    /// Where it died.
    pub(crate) fn died_at(&self) -> &[String] {
        &self.died_at
    }

    async fn wait_until_up(&mut self) -> io::Result<()> {
        let deadline = tokio::time::sleep(START_TIME_MAX);
        tokio::pin!(deadline);
        loop {
            if control::ask(&self.state, &Ask::List { after: None }).await.is_ok() {
                return Ok(());
            }
            tokio::select! {
                status = self.child.wait() => {
                    let log = fs::read_to_string(&self.log).unwrap_or_default();
                    return Err(io::Error::other(format!("the gateway ended: {}\n{log}", status?)));
                }
                () = &mut deadline => return Err(ErrorKind::TimedOut.into()),
                () = tokio::time::sleep(ASK_EVERY) => {}
            }
        }
    }

    /// SIGKILL, and a new start on the same state.
    pub(crate) async fn kill_and_restart(&mut self) -> io::Result<()> {
        self.peak_kib = self.peak_kib();
        self.child.kill().await?;
        self.again()?;
        self.come_up().await
    }

    /// SIGTERM; says whether it stopped by itself and well.
    pub(crate) async fn stop(mut self) -> io::Result<bool> {
        if let Some(id) = self.child.id() {
            let kill = Command::new("kill").arg(id.to_string()).status().await?;
            if kill.success()
                && let Ok(status) = tokio::time::timeout(STOP_TIME_MAX, self.child.wait()).await
            {
                let status = status?;
                let died = self.armed.is_some() && status.signal() == Some(SIGKILL);
                return Ok(status.success() || died);
            }
        }
        self.child.kill().await?;
        Ok(false)
    }

    /// Memory in RAM now.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status_kib("VmRSS:")
    }

    /// Highest memory in RAM so far, over all starts.
    pub(crate) fn peak_kib(&self) -> u64 {
        self.status_kib("VmHWM:").max(self.peak_kib)
    }

    fn status_kib(&self, field: &str) -> u64 {
        let Some(id) = self.child.id() else { return 0 };
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
    }

    /// What the gateway has set aside for a person.
    pub(crate) async fn parked(&self) -> io::Result<Vec<Listed>> {
        let mut all: Vec<Listed> = Vec::new();
        loop {
            let after = all.last().map(|row| row.key.clone());
            let reply = control::ask(&self.state, &Ask::List { after }).await;
            let Reply::Listed(page) = reply.map_err(io::Error::other)? else { return Ok(all) };
            let last = page.len() < LISTED_MAX;
            all.extend(page);
            if last {
                return Ok(all);
            }
        }
    }
}

impl Gateway {
    /// Asks it to change something; what it refuses is asked again when the list shows it again.
    pub(crate) async fn tell(&self, ask: Ask) {
        let _ = control::ask(&self.state, &ask).await;
    }

    /// Has it read the goods of both sides whole, as it does each night.
    pub(crate) async fn read_goods(&self) {
        // A gateway that was killed meanwhile is asked again.
        let _ = control::ask_goods(&self.state, &causeway::goods::report::Ask::Refresh).await;
    }

    /// What `causeway reconcile` says of the orders: how many by verdict.
    pub(crate) async fn reconcile(&self) -> io::Result<BTreeMap<String, usize>> {
        let command = ["reconcile", "--days", "1", "--list", "all", "--as", "json"];
        let output = Command::new(&self.program)
            .args(&self.first)
            .args(command)
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::null())
            .output()
            .await?;
        let mut verdicts = BTreeMap::new();
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let row: serde_json::Value = serde_json::from_str(line)?;
            let verdict =
                row.get("verdict").and_then(serde_json::Value::as_str).unwrap_or("none").to_owned();
            *verdicts.entry(verdict).or_default() += 1;
        }
        if verdicts.is_empty() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(verdicts)
    }
}

fn spawn(
    (program, first): (&Path, &[OsString]),
    config: &Path,
    log: &Path,
    dies_at: Option<&str>,
) -> io::Result<Child> {
    let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = Command::new(program);
    if let Some(place) = dies_at {
        command.env("CAUSEWAY_FAIL_AT", place);
    }
    command
        .args(first)
        .arg("gateway")
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
}
