//! The whole gateway as a process in a cage, with a clock that can be moved.

use super::{LOOK_EVERY, SEGMENT_BYTES, bytes_below, cage::Cage};
use crate::site::Fault;
use causeway_sim::{m3::M3, xcart::Shop};
use std::{
    fmt, fs, io,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const CHARGES: &str = r#"charges = [
  { code = "SHIPPING", crid = "SHIP" },
  { code = "CDEV.STAX*", crid = "TAX" },
  { code = "DISCOUNT*", crid = "OTBA" },
  { code = "DCOUPON*", crid = "OTBA" },
  { code = "PMETHOD_FEE", crid = "PAYFEE" },
  { code = "ROUNDING", crid = "ROUND" },
]"#;
/// How long a stop may take.
const STOP_TIME_MAX: Duration = Duration::from_secs(40);
/// The gateway is quiet when it wrote less than this between two looks.
const QUIET_BYTES_MAX: u64 = 64 * 1024;

/// Writes configuration and secrets.
pub(crate) fn files(folder: &Path, (shop, token): (&Shop, &str), m3: &M3) -> Result<(), Fault> {
    let credentials = folder.join("credentials");
    if !credentials.exists() {
        fs::DirBuilder::new().mode(0o700).create(&credentials)?;
    }
    for (name, text) in [("xcart-token", token), ("m3.ionapi", &m3.ionapi())] {
        let mut options = fs::OpenOptions::new();
        let path = credentials.join(name);
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
    }
    let port = || -> io::Result<u16> {
        Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
    };
    let (page, hooks) = (port()?, port()?);
    fs::write(folder.join("port"), page.to_string())?;
    fs::write(folder.join("clock"), "0")?;
    let state = fs::canonicalize(folder.join("state"))?;
    fs::write(folder.join("causeway.toml"), configuration(&state, &shop.url(), (page, hooks)))?;
    Ok(())
}

fn configuration(state: &Path, shop_url: &str, (page, hooks): (u16, u16)) -> String {
    let gate = "{ concurrency_max = 32, calls_per_s_max = 5000, burst_max = 5000, wait_ms_max = 60000, \
                pause_ms_first = 20, failures_max = 20, away_ms_first = 1000, away_ms_max = 5000 }";
    format!(
        r#"state_dir = "{}"
[metrics]
listen = "127.0.0.1:{page}"
[xcart]
base_url = "{}"
credential = "xcart-token"
gate = {gate}
[poll]
poll_s = 2
[m3]
company = 100
division = "AAA"
gate = {gate}
[m3.login.ion]
credential = "m3.ionapi"
[delivery]
lanes_max = 32
[intake]
listen = "127.0.0.1:{hooks}"
[[intake.sources]]
name = "xcart"
path = "/hooks/xcart"
event = {{ header = "X-Shop-Event" }}
order_id = "/id"
signature = "none"
[journal]
free_bytes_min = 0
segment_bytes_max = {SEGMENT_BYTES}
[state]
free_bytes_min = 0
[order_to_cash]
shop_prefix = "X1"
order_type = "WEB"
facility = "A01"
warehouse = "001"
follow_s = [3600, 86400]
{CHARGES}
[order_to_cash.customer]
template = "WEBTMPL"
"#,
        state.display(),
        shop_url
    )
}

/// What the page says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// Segments of the journal.
    pub(crate) segments: usize,
    /// Orders that the gateway works on.
    pub(crate) cases: u64,
    /// The journal's next sequence number.
    pub(crate) next: u64,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} segments of the journal and {} orders known", self.segments, self.cases)
    }
}

/// What the gateway used up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Effort {
    cpu_ms: u64,
    written: u64,
    at: Option<Instant>,
}

impl Effort {
    /// Describes what came since another moment.
    pub(crate) fn since(self, before: Self) -> String {
        let took =
            self.at.zip(before.at).map_or(0, |(now, then)| now.duration_since(then).as_secs());
        format!(
            "{} s CPU and {} MiB written in {took} s",
            self.cpu_ms.saturating_sub(before.cpu_ms) / 1_000,
            self.written.saturating_sub(before.written) >> 20
        )
    }
}

/// The process.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    folder: PathBuf,
    peak_kib: u64,
}

impl Running {
    /// Starts it in the cage.
    pub(crate) fn start(program: &Path, folder: &Path, cage: &Cage) -> Result<Self, Fault> {
        let log =
            fs::OpenOptions::new().create(true).append(true).open(folder.join("gateway.log"))?;
        // The shell goes into the cage and becomes the gateway.
        let mut command = match cage.door() {
            Some(door) => {
                let mut command = Command::new("sh");
                command.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(door).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.arg("gateway").arg("--config").arg(folder.join("causeway.toml"));
        command.env("CAUSEWAY_CLOCK_FILE", folder.join("clock"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn()?;
        Ok(Self { child, folder: folder.to_path_buf(), peak_kib: 0 })
    }

    /// Fails if it has ended.
    pub(crate) fn alive(&mut self) -> Result<(), Fault> {
        self.peak_kib = self.peak_kib();
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                let log = fs::read_to_string(self.folder.join("gateway.log")).unwrap_or_default();
                let lines: Vec<&str> = log.trim_end().lines().collect();
                let last = lines.iter().rev().take(5).rev().copied().collect::<Vec<_>>();
                Err(format!("the gateway ended: {status}: {}", last.join(" / ")).into())
            }
        }
    }

    /// Moves its clock so many seconds ahead of the real one.
    pub(crate) fn jump_to(&self, seconds: u64) -> Result<(), Fault> {
        // Replaced, not written: the gateway may read it at any moment.
        let fresh = self.folder.join("clock.new");
        fs::write(&fresh, seconds.to_string())?;
        Ok(fs::rename(fresh, self.folder.join("clock"))?)
    }

    /// What its page says.
    pub(crate) fn seen(&self) -> Result<Seen, Fault> {
        let journal = self.folder.join("state/journal");
        let mut segments = 0;
        for entry in fs::read_dir(&journal)? {
            let name = entry?.file_name();
            let is_segment = name.to_str().is_some_and(|name| name.parse::<u64>().is_ok());
            segments += usize::from(is_segment);
        }
        let page = self.page().unwrap_or_default();
        let stages = page.lines().filter(|line| line.starts_with("causeway_runs{"));
        let cases = stages.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum();
        let next = page.lines().find_map(|line| line.strip_prefix("causeway_journal_next "));
        let next = next.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Ok(Seen { segments, cases, next })
    }

    fn page(&self) -> Result<String, Fault> {
        use std::io::{Read as _, Write as _};
        let port: u16 = fs::read_to_string(self.folder.join("port"))?.parse()?;
        let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    /// Waits until what is seen is as wanted.
    pub(crate) async fn until(
        &mut self,
        patience_s: u64,
        wanted: impl Fn(&Seen) -> bool,
    ) -> Result<(), Fault> {
        let deadline = Instant::now() + Duration::from_secs(patience_s);
        loop {
            self.alive()?;
            let seen = self.seen()?;
            if self.is_up() && wanted(&seen) {
                return self.settle_down(patience_s).await;
            }
            if Instant::now() > deadline {
                return Err(format!("after {patience_s} s there are still {seen}").into());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn is_up(&self) -> bool {
        self.page().is_ok()
    }

    /// Waits until it writes next to nothing.
    pub(crate) async fn settle_down(&mut self, patience_s: u64) -> Result<(), Fault> {
        let deadline = Instant::now() + Duration::from_secs(patience_s);
        let mut quiet = 0;
        let mut before = self.effort();
        while quiet < 3 {
            self.alive()?;
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.effort();
            let wrote = now.written.saturating_sub(before.written);
            quiet = if wrote < QUIET_BYTES_MAX { quiet + 1 } else { 0 };
            before = now;
            if Instant::now() > deadline {
                return Err(format!("it is still writing after {patience_s} s").into());
            }
        }
        Ok(())
    }

    /// What it used up so far.
    pub(crate) fn effort(&self) -> Effort {
        let id = self.child.id();
        let io = fs::read_to_string(format!("/proc/{id}/io")).unwrap_or_default();
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        // User and system time are the 12th and 13th after the name, in hundredths of a second.
        let ticks: u64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|word| word.parse::<u64>().ok())
            .sum();
        Effort {
            cpu_ms: ticks * 10,
            written: written.and_then(|text| text.trim().parse().ok()).unwrap_or(0),
            at: Some(Instant::now()),
        }
    }

    /// How much the state takes on the disk.
    pub(crate) fn state_bytes(&self) -> u64 {
        bytes_below(&self.folder.join("state/state"))
    }

    /// Highest memory in RAM so far.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse().ok());
        now.unwrap_or(0).max(self.peak_kib)
    }

    /// SIGTERM; says whether it ended well.
    pub(crate) fn stop(mut self) -> bool {
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        let deadline = Instant::now() + STOP_TIME_MAX;
        while told.is_ok() && Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.success(),
                Ok(None) => thread::sleep(Duration::from_millis(20)),
                Err(_) => break,
            }
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
