//! Tells ION which documents could not be used, for as long as it takes.
//!
//! What this module guarantees:
//! 1. An answer leaves the state only after ION, or the folder, has taken it, or has called it
//!    malformed for good; it carries the same message id however often it is sent.
//! 2. While ION is away, or does not allow it, the answers wait and are tried again, with
//!    pauses that grow; they hold up nothing else.

use super::{
    heard::Answers,
    rows::{self, AnswerRow, BadRow},
};
use crate::{
    clock,
    connector::{
        Class, Failure, Fate,
        ion::{
            bod::BodId,
            confirm::{self, Failed},
            publish::{Outgoing, Outlet},
        },
    },
    log,
    metrics::Heard,
    state::{Batch, State, StateError},
};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime};
use thiserror::Error;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Answers that are read in one go.
const ANSWERS_MAX: usize = 16;
/// The first pause after a failure.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_mins(5);

/// Why an answer could not be given. The text continues "could not answer ION: ".
#[derive(Debug, Error)]
enum Trouble {
    #[error("{0}")]
    Ion(Failure),
    #[error("the state store refused: {0}")]
    State(#[from] StateError),
    #[error("{0}")]
    Row(#[from] BadRow),
}

/// Gives answers.
#[derive(Clone, Debug)]
pub struct Answering {
    state: State,
    outlet: Outlet,
    answers: Answers,
    counted: Heard,
}

impl Answering {
    /// Joins what is to be told with the way it is told by.
    pub fn new(state: State, outlet: Outlet, answers: Answers, counted: Heard) -> Self {
        Self { state, outlet, answers, counted }
    }

    /// Gives answers until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let mut pause = PAUSE_FIRST;
        while !stop.is_cancelled() {
            let told = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                told = self.tell() => told,
            };
            let wait = match told {
                Ok(0) => None,
                Ok(_) => {
                    pause = PAUSE_FIRST;
                    continue;
                }
                Err(trouble) => {
                    tracing::warn!(why = %trouble, "ION was not told that a document failed");
                    let wait = pause;
                    pause = pause.saturating_mul(2).min(PAUSE_MAX);
                    Some(wait)
                }
            };
            let rest = async {
                match wait {
                    Some(wait) => sleep(wait).await,
                    None => self.answers.news.notified().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = rest => {}
            }
        }
    }

    /// Gives the oldest answers; returns how many.
    async fn tell(&self) -> Result<usize, Trouble> {
        let found = self.state.scan(rows::table("f"), ANSWERS_MAX)?;
        for (key, bytes) in &found {
            let result = match rows::read::<AnswerRow>(bytes) {
                Ok(row) => self.give(key, &row).await?,
                Err(fault) => {
                    let why = log::chain(&fault);
                    tracing::error!(why, "an answer to ION cannot be read; it is passed over");
                    "answer_lost"
                }
            };
            let mut batch = Batch::new();
            batch.delete(key.clone());
            self.state.commit(batch).await?;
            self.counted.count("BOD", result);
        }
        Ok(found.len())
    }

    async fn give(&self, key: &[u8], row: &AnswerRow) -> Result<&'static str, Trouble> {
        match self.outlet.give(&self.outgoing(key, row)).await {
            Ok(()) => Ok("answered"),
            Err(failure) if (failure.fate, failure.class) == (Fate::Refused, Class::Data) => {
                tracing::error!(why = %failure, "ION refused an answer for good");
                Ok("answer_refused")
            }
            Err(failure) => Err(Trouble::Ion(failure)),
        }
    }

    fn outgoing(&self, key: &[u8], row: &AnswerRow) -> Outgoing {
        let AnswerRow { head, why, bodid } = row;
        let mut hasher = Sha256::new();
        hasher.update(key);
        hasher.update(head.message_id.as_bytes());
        hasher.update(bodid.as_bytes());
        let digest: [u8; 32] = hasher.finalize().into();
        let id: String = HEXLOWER.encode(&digest).chars().take(32).collect();
        let named = BodId::parse(bodid);
        let document = confirm::failure(&Failed {
            from: &self.answers.logical_id,
            tenant: named.tenant.as_deref().unwrap_or_default(),
            bodid,
            sender: &head.from,
            code: "NotUsable",
            why,
            now: &written(clock::now().wall),
            id: &id,
        });
        let from = self.answers.logical_id.clone();
        Outgoing { name: "Confirm.BOD".to_owned(), id, from, document }
    }
}

fn written(now: SystemTime) -> String {
    let now = OffsetDateTime::from(now).replace_nanosecond(0);
    now.ok().and_then(|now| now.format(&Rfc3339).ok()).unwrap_or_default()
}
