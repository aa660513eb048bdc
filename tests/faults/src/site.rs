//! A gateway as a process of its own that takes webhooks in and keeps them; started, killed, judged.
//!
//! Guarantees: the process is killed when the site is dropped; what it says goes to a file that is
//! shown when something is wrong.

use causeway::connector::http::{Http, Settings};
use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use std::{
    ffi::OsString,
    fs, io,
    net::{Ipv4Addr, TcpListener},
    os::unix::{
        fs::{DirBuilderExt as _, OpenOptionsExt as _},
        process::ExitStatusExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// What the webhooks are signed with.
const SECRET: &str = "a secret of the fault tests";
/// Between two looks at the process.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long a killed process may take to be gone.
const DEATH_TIME_MAX: Duration = Duration::from_mins(1);
/// How long an answer may take.
const ANSWER_MS_MAX: u64 = 5_000;

/// Why a run could not be made, or what it found wrong.
pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Where a gateway lives, and how it is started.
#[derive(Debug)]
pub(crate) struct Site {
    folder: PathBuf,
    state: PathBuf,
    program: PathBuf,
    port: u16,
    /// Stands before the program: `strace …`.
    pub(crate) before: Vec<OsString>,
    /// Set for the program.
    pub(crate) variables: Vec<(String, String)>,
    child: Option<Child>,
}

/// What became of a start.
#[derive(Debug)]
pub(crate) enum Started {
    /// It takes webhooks.
    Up,
    /// It ended by itself.
    Ended(ExitStatus),
    /// It neither ended nor listened in time, and was killed.
    Hung,
}

/// What the sender of a webhook was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is kept.
    Kept,
    /// It is not; the status.
    Refused(u16),
    /// Nothing.
    Lost,
}

/// Sends signed webhooks to a site.
#[derive(Debug)]
pub(crate) struct Sender {
    http: Http,
    url: String,
}

impl Site {
    /// Writes the configuration into `folder`; `state` is where the gateway keeps everything.
    pub(crate) fn new(
        program: &Path,
        folder: &Path,
        state: &Path,
        stores: &str,
    ) -> Result<Self, Fault> {
        fs::create_dir_all(folder)?;
        let credentials = folder.join("credentials");
        if !credentials.exists() {
            fs::DirBuilder::new().mode(0o700).create(&credentials)?;
        }
        let mut options = fs::OpenOptions::new();
        let secret = credentials.join("hook");
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(secret)?;
        io::Write::write_all(&mut file, SECRET.as_bytes())?;
        if !state.exists() {
            fs::DirBuilder::new().mode(0o700).create(state)?;
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let site = Self {
            folder: fs::canonicalize(folder)?,
            state: fs::canonicalize(state)?,
            program: fs::canonicalize(program)?,
            port,
            before: Vec::new(),
            variables: Vec::new(),
            child: None,
        };
        fs::write(site.config(), site.configuration(stores))?;
        Ok(site)
    }

    fn config(&self) -> PathBuf {
        self.folder.join("causeway.toml")
    }

    fn configuration(&self, stores: &str) -> String {
        format!(
            r#"# Written by the fault tests.
state_dir = "{}"
[log]
level = "info"
[intake]
listen = "127.0.0.1:{}"
[intake.limits]
keep_ms_max = 3000
[[intake.sources]]
name = "xcart"
path = "/hooks/xcart"
event = {{ header = "X-Shop-Event" }}
delivery = {{ header = "X-Shop-Delivery" }}
order_id = "/id"
[intake.sources.signature.hmac]
header = "X-Shop-Signature"
encoding = "hex"
prefix = "sha256="
secret = "hook"
{stores}
"#,
            self.state.display(),
            self.port
        )
    }

    /// Returns what the gateway has said.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.folder.join("gateway.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Forgets what it has said so far.
    pub(crate) fn clear_log(&self) {
        let _ = fs::remove_file(self.folder.join("gateway.log"));
    }

    /// Starts the gateway and waits until it takes connections.
    pub(crate) fn start(&mut self, patience: Duration) -> Result<Started, Fault> {
        let log = self.folder.join("gateway.log");
        let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
        let mut words = self.before.iter().cloned();
        let mut command = match words.next() {
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.arg("gateway").arg("--config").arg(self.config());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn()?);
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(Started::Ended(status));
            }
            let reached = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
            if reached.is_ok() && self.state.join("tls/own.crt").exists() {
                return Ok(Started::Up);
            }
            if Instant::now() > deadline {
                self.kill();
                return Ok(Started::Hung);
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Starts it where anything but a gateway that takes webhooks is a fault.
    pub(crate) fn start_well(&mut self, patience: Duration) -> Result<(), Fault> {
        match self.start(patience)? {
            Started::Up => Ok(()),
            other => Err(format!("the gateway did not start: {other:?}\n{}", self.log()).into()),
        }
    }

    /// Tells how the process ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Fault> {
        let Some(child) = &mut self.child else { return Ok(None) };
        let status = child.try_wait()?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    /// Waits until it has ended.
    pub(crate) fn wait_ended(&mut self, patience: Duration) -> Result<Option<ExitStatus>, Fault> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(None)
    }

    /// SIGTERM; says whether it ended well within the patience.
    pub(crate) fn stop(&mut self, patience: Duration) -> Result<bool, Fault> {
        let Some(child) = &self.child else { return Ok(false) };
        Command::new("kill").arg(child.id().to_string()).status()?;
        let status = self.wait_ended(patience)?;
        self.kill();
        Ok(status.is_some_and(|status| status.success()))
    }

    /// SIGKILL. A tracer and what it traces go together, and a gateway with what it has look at a store.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let inner = children(child.id());
            for process in &inner {
                let _ = Command::new("kill").args(["-9", &process.to_string()]).status();
            }
            let _ = child.kill();
            let _ = child.wait();
            // One that waits for the disk is dead only when the disk has answered.
            let deadline = Instant::now() + DEATH_TIME_MAX;
            let lives = |process: &u32| Path::new(&format!("/proc/{process}")).exists();
            while inner.iter().any(lives) && Instant::now() < deadline {
                thread::sleep(LOOK_EVERY);
            }
        }
    }

    /// Returns one who sends webhooks; its certificate must be there.
    pub(crate) fn sender(&self) -> Result<Sender, Fault> {
        let settings = Settings {
            call_ms_max: ANSWER_MS_MAX,
            connect_ms_max: 1_000,
            ca_file: Some(self.state.join("tls/own.crt")),
            ..Settings::default()
        };
        let url = format!("https://localhost:{}/hooks/xcart", self.port);
        let http = Http::new(&settings, &[&causeway::connector::http::address(&url)?])?;
        Ok(Sender { http, url })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.kill();
    }
}

fn children(parent: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{parent}/task")) else { return Vec::new() };
    let own = threads.flatten().flat_map(|thread| {
        let told = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        told.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<u32>>()
    });
    own.flat_map(|child| std::iter::once(child).chain(children(child))).collect()
}

impl Sender {
    /// Sends the webhook with this number.
    pub(crate) async fn send(&self, number: u64) -> Answer {
        let body = body(number);
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key is good");
        mac.update(&body);
        let signature = format!("sha256={}", HEXLOWER.encode(&mac.finalize().into_bytes()));
        let request = self
            .http
            .client()
            .post(&self.url)
            .header("X-Shop-Event", "order.updated")
            .header("X-Shop-Delivery", format!("{number:016x}"))
            .header("X-Shop-Signature", signature)
            .body(body)
            .build();
        let Ok(request) = request else { return Answer::Lost };
        match self.http.send(request).await {
            Ok(answer) if (200..300).contains(&answer.status) => Answer::Kept,
            Ok(answer) => Answer::Refused(answer.status),
            Err(_) => Answer::Lost,
        }
    }
}

/// The body of the webhook with this number; its length differs from one to the next.
pub(crate) fn body(number: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(number);
    let filling: String = (0..random.usize(0..6_000)).map(|_| random.alphanumeric()).collect();
    format!("{{\"id\":{number},\"filling\":\"{filling}\"}}").into_bytes()
}

/// Whether a process was ended by SIGKILL.
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}
