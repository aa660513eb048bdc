//! The local door for the command line: a socket in the state folder that only the
//! gateway's own user may open.
//!
//! One question a connection, one line of JSON each way. What this module guarantees:
//! a stranger on the machine cannot connect (the folder and the socket are 0700 and
//! 0600), and nobody can hold the door open or fill memory (limits below).

use crate::{
    alert,
    backup::{self, Contents},
    buyers,
    delivery::desk::{Ask, Reply, Request},
    goods,
    journal::Journal,
    log, profiles,
    reconcile::summary::{self, Summary},
    state::State,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Name of the socket in the state folder.
const SOCKET: &str = "control.sock";
/// A question.
const QUESTION_BYTES_MAX: u64 = 64 * 1024;
/// An answer.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Questions answered at the same time.
const QUESTIONS_MAX: usize = 4;
/// Time for one question and its answer.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Time for an errand.
const ERRAND_TIME_MAX: Duration = Duration::from_hours(2);

/// Something to be done that takes its time, beside the work on orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Errand {
    /// Write a back-up.
    Backup {
        /// A new file, or a folder to put one in; absolute.
        target: PathBuf,
    },
}

/// Why a question was not answered. The text continues "could not ask the gateway: ".
#[derive(Debug, Error)]
pub enum ControlError {
    /// There is no gateway.
    #[error("no gateway answers at {}; is it running?", path.display())]
    NoGateway {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The conversation broke.
    #[error("the gateway did not answer")]
    Broken(#[source] io::Error),
    /// The gateway took too long.
    #[error("the gateway did not answer in time")]
    Slow,
    /// The answer is not one.
    #[error("the answer cannot be read; are both of the same version?")]
    Unreadable(#[source] serde_json::Error),
    /// The gateway said no.
    #[error("{0}")]
    Refused(String),
}

impl ControlError {
    /// The gateway answered another question.
    pub fn not_asked_for() -> Self {
        Self::Refused("the gateway answered with something that was not asked for".to_owned())
    }
}

/// Whom a question is for, as it goes through the socket.
#[derive(Debug, Serialize, Deserialize)]
enum Question<A, B, C, D, E, F> {
    Cases(A),
    Alerts(B),
    Errand(C),
    Goods(D),
    Buyers(E),
    Profiles(F),
    Compared,
}

type Asked = Question<
    Ask,
    alert::Ask,
    Errand,
    goods::report::Ask,
    buyers::report::Ask,
    profiles::report::Ask,
>;

/// Who answers.
#[derive(Clone, Debug)]
pub struct Desks {
    /// What is asked of the cases.
    pub cases: mpsc::Sender<Request>,
    /// What is asked of the alerts; absent: they are off.
    pub alerts: Option<mpsc::Sender<alert::Request>>,
    /// What is asked of the goods; absent: their flow is off.
    pub goods: Option<goods::Shared>,
    /// What is asked of the buyers; absent: their flow is off.
    pub buyers: Option<buyers::Shared>,
    /// What is asked of the profiles; absent: their flow is off.
    pub profiles: Option<profiles::Shared>,
}

/// The door.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    desks: Desks,
    stores: (State, Journal),
}

impl Door {
    /// Opens the door; a socket that an earlier start left behind is replaced.
    ///
    /// The caller holds the lock of the state folder, so nobody else is behind it.
    pub fn open(state_dir: &Path, desks: Desks, stores: (State, Journal)) -> io::Result<Self> {
        let path = state_dir.join(SOCKET);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {}
            Err(fault) => return Err(fault),
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, desks, stores })
    }

    /// Answers until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut conversations = JoinSet::new();
        loop {
            let came = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = conversations.join_next() => None,
                came = self.listener.accept(), if conversations.len() < QUESTIONS_MAX => Some(came),
            };
            match came {
                Some(Ok((stream, _))) => {
                    let (desks, stores) = (self.desks.clone(), self.stores.clone());
                    conversations.spawn(converse(stream, desks, stores));
                }
                Some(Err(fault)) => tracing::warn!(%fault, "the control socket refused"),
                None => {}
            }
        }
    }
}

async fn converse(
    mut stream: UnixStream,
    desks: Desks,
    stores: (State, Journal),
) -> io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(QUESTION_BYTES_MAX));
    timeout(ANSWER_TIME_MAX, reader.read_line(&mut line)).await??;
    let mut text = match serde_json::from_str::<Asked>(&line) {
        Ok(Question::Cases(ask)) => {
            let (reply, answer) = oneshot::channel();
            let asking = asked(&desks.cases, Request { ask, reply }, answer);
            serde_json::to_vec(&timeout(ANSWER_TIME_MAX, asking).await?)?
        }
        Ok(Question::Alerts(ask)) => {
            let asking = ask_alerts_desk(ask, &desks);
            serde_json::to_vec(&timeout(ANSWER_TIME_MAX, asking).await?)?
        }
        Ok(Question::Goods(ask)) => {
            let answer = match &desks.goods {
                Some(goods) => {
                    let answering = goods::report::answer(&stores.0, goods, &ask);
                    timeout(ANSWER_TIME_MAX, answering).await?
                }
                None => Err("the configuration has no [stock], [prices] or [items]".to_owned()),
            };
            serde_json::to_vec(&answer)?
        }
        Ok(Question::Buyers(ask)) => {
            let answer = match &desks.buyers {
                Some(shared) => {
                    let answering = buyers::report::answer(&stores.0, shared, &ask);
                    timeout(ANSWER_TIME_MAX, answering).await?
                }
                None => Err("the configuration has no [buyers]".to_owned()),
            };
            serde_json::to_vec(&answer)?
        }
        Ok(Question::Profiles(ask)) => {
            let answer = match &desks.profiles {
                Some(shared) => {
                    let answering = profiles::report::answer(&stores.0, shared, &ask);
                    timeout(ANSWER_TIME_MAX, answering).await?
                }
                None => Err("the configuration has no [profiles]".to_owned()),
            };
            serde_json::to_vec(&answer)?
        }
        Ok(Question::Compared) => serde_json::to_vec(&summary::last(&stores.0))?,
        Ok(Question::Errand(errand)) => serde_json::to_vec(&run_errand(errand, stores).await)?,
        Err(fault) => {
            serde_json::to_vec(&Err::<(), _>(format!("the question cannot be read: {fault}")))?
        }
    };
    text.push(b'\n');
    timeout(ANSWER_TIME_MAX, writer.write_all(&text)).await?
}

/// Runs an errand where it may block.
async fn run_errand(
    errand: Errand,
    (state, journal): (State, Journal),
) -> Result<Contents, String> {
    let Errand::Backup { target } = errand;
    if !target.is_absolute() {
        return Err(format!("{} is not an absolute path", target.display()));
    }
    let mut work = JoinSet::new();
    work.spawn_blocking(move || backup::write(&state, &journal, &target));
    match work.join_next().await {
        Some(Ok(Ok(contents))) => {
            tracing::info!(file = %contents.file.display(), "a back-up was written");
            Ok(contents)
        }
        Some(Ok(Err(fault))) => Err(format!("could not write the back-up: {}", log::chain(&fault))),
        Some(Err(_)) | None => Err("the back-up was interrupted".to_owned()),
    }
}

async fn ask_alerts_desk(ask: alert::Ask, desks: &Desks) -> Result<alert::Reply, String> {
    let Some(desk) = &desks.alerts else {
        return Err("alerts are off: the configuration has no [alerts]".to_owned());
    };
    let (reply, answer) = oneshot::channel();
    asked(desk, alert::Request { ask, reply }, answer).await
}

async fn asked<Q, R>(
    desk: &mpsc::Sender<Q>,
    question: Q,
    answer: oneshot::Receiver<Result<R, String>>,
) -> Result<R, String> {
    let stopping = || "the gateway is stopping".to_owned();
    desk.send(question).await.map_err(|_| stopping())?;
    answer.await.map_err(|_| stopping())?
}

/// Asks the gateway that runs on a state folder about its cases.
pub async fn ask(state_dir: &Path, ask: &Ask) -> Result<Reply, ControlError> {
    let question = Question::<_, (), (), (), (), ()>::Cases(ask);
    let talk = talk(state_dir, &question);
    timeout(ANSWER_TIME_MAX, talk).await.map_err(|_| ControlError::Slow)?
}

/// Asks the gateway that runs on a state folder about its alerts.
pub async fn ask_alerts(state_dir: &Path, ask: &alert::Ask) -> Result<alert::Reply, ControlError> {
    let question = Question::<(), _, (), (), (), ()>::Alerts(ask);
    let talk = talk(state_dir, &question);
    timeout(ANSWER_TIME_MAX, talk).await.map_err(|_| ControlError::Slow)?
}

/// Asks the gateway that runs on a state folder about its goods.
pub async fn ask_goods(
    state_dir: &Path,
    ask: &goods::report::Ask,
) -> Result<goods::report::Reply, ControlError> {
    let question = Question::<(), (), (), _, (), ()>::Goods(ask);
    let talk = talk(state_dir, &question);
    timeout(ANSWER_TIME_MAX, talk).await.map_err(|_| ControlError::Slow)?
}

/// Asks the gateway that runs on a state folder about the shop's buyers.
pub async fn ask_buyers(
    state_dir: &Path,
    ask: &buyers::report::Ask,
) -> Result<buyers::report::Reply, ControlError> {
    let question = Question::<(), (), (), (), _, ()>::Buyers(ask);
    let talk = talk(state_dir, &question);
    timeout(ANSWER_TIME_MAX, talk).await.map_err(|_| ControlError::Slow)?
}

/// Asks the gateway that runs on a state folder about the customers of the shop's profiles.
pub async fn ask_profiles(
    state_dir: &Path,
    ask: &profiles::report::Ask,
) -> Result<profiles::report::Reply, ControlError> {
    let question = Question::<(), (), (), (), (), _>::Profiles(ask);
    let talk = talk(state_dir, &question);
    timeout(ANSWER_TIME_MAX, talk).await.map_err(|_| ControlError::Slow)?
}

/// Asks the gateway that runs on a state folder what it found when it last compared both systems.
pub async fn ask_compared(state_dir: &Path) -> Result<Option<Summary>, ControlError> {
    let talk = talk(state_dir, &Question::<(), (), (), (), (), ()>::Compared);
    timeout(ANSWER_TIME_MAX, talk).await.map_err(|_| ControlError::Slow)?
}

/// Has the gateway that runs on a state folder do an errand, and waits until it is done.
pub async fn send(state_dir: &Path, errand: &Errand) -> Result<Contents, ControlError> {
    let question = Question::<(), (), _, (), (), ()>::Errand(errand);
    let talk = talk(state_dir, &question);
    timeout(ERRAND_TIME_MAX, talk).await.map_err(|_| ControlError::Slow)?
}

async fn talk<T: DeserializeOwned>(
    state_dir: &Path,
    question: &impl Serialize,
) -> Result<T, ControlError> {
    let path = state_dir.join(SOCKET);
    let stream = UnixStream::connect(&path).await;
    let mut stream = stream.map_err(|source| ControlError::NoGateway { path, source })?;
    let mut question = serde_json::to_vec(question).map_err(ControlError::Unreadable)?;
    question.push(b'\n');
    stream.write_all(&question).await.map_err(ControlError::Broken)?;
    let mut answer = Vec::new();
    let mut reader = stream.take(ANSWER_BYTES_MAX);
    reader.read_to_end(&mut answer).await.map_err(ControlError::Broken)?;
    let answer: Result<T, String> =
        serde_json::from_slice(&answer).map_err(ControlError::Unreadable)?;
    answer.map_err(ControlError::Refused)
}
