//! A document that is larger than is held in memory, on its way from the socket to its reader.
//!
//! What this module guarantees:
//! 1. Between both there are at most `PIECES_WAITING_MAX` pieces; who sends waits for who reads.
//! 2. So many are read at once as are allowed; a further one is still theirs.
//! 3. A body that does not come to its end is never taken for a whole one.

use crate::connector::ion::{
    large::{self, Form, LargeError, Limits},
    message::Message,
};
use hyper::body::Bytes;
use std::io::{self, Read};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    task::JoinHandle,
};

/// Pieces of a body that were received and not read yet; one is at most what hyper reads at once.
const PIECES_WAITING_MAX: usize = 4;

/// Where the pieces of a body are put.
#[derive(Debug)]
pub struct Feed(mpsc::Sender<Option<Bytes>>);

impl Feed {
    /// Puts the next piece; false when nobody reads any more.
    pub async fn put(&self, piece: Bytes) -> bool {
        self.0.send(Some(piece)).await.is_ok()
    }

    /// Says that there is no more.
    pub async fn end(self) {
        // Who does not read any more has its reason.
        let _ = self.0.send(None).await;
    }
}

/// A document that is being read.
#[derive(Debug)]
pub struct Reading {
    reader: JoinHandle<Result<Message, LargeError>>,
    _permit: OwnedSemaphorePermit,
}

impl Reading {
    /// Begins to read; what is read has to be put into the feed.
    pub(super) fn begin(form: Form, limits: Limits, permit: OwnedSemaphorePermit) -> (Feed, Self) {
        let (feed, pieces) = mpsc::channel(PIECES_WAITING_MAX);
        let pieces = Pieces { from: pieces, now: Bytes::new(), is_whole: false };
        let reader = tokio::task::spawn_blocking(move || large::read(&form, pieces, &limits));
        (Feed(feed), Self { reader, _permit: permit })
    }

    /// Waits until it was read.
    pub async fn read(self) -> Result<Message, LargeError> {
        // A reader that fell has read nothing.
        self.reader.await.unwrap_or(Err(LargeError::CutShort))
    }
}

/// Reads something that is at hand.
pub(super) async fn at_once(
    form: Form,
    from: impl Read + Send + 'static,
    limits: Limits,
) -> Result<Message, LargeError> {
    let read = tokio::task::spawn_blocking(move || large::read(&form, from, &limits));
    read.await.unwrap_or(Err(LargeError::CutShort))
}

/// The pieces as a reader has them; for a thread that may wait.
struct Pieces {
    from: mpsc::Receiver<Option<Bytes>>,
    now: Bytes,
    is_whole: bool,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() && !self.is_whole {
            match self.from.blocking_recv() {
                Some(Some(piece)) => self.now = piece,
                Some(None) => self.is_whole = true,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let count = self.now.len().min(out.len());
        let piece = self.now.split_to(count);
        if let Some(to) = out.get_mut(..count) {
            to.copy_from_slice(&piece);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::ion::xml;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    #[tokio::test]
    async fn a_body_that_does_not_come_to_its_end_is_never_taken() {
        let document = b"<SyncItemMaster><DataArea></DataArea></SyncItemMaster>";
        let places = Arc::new(Semaphore::new(1));
        for (pieces, ends, want) in [(2, true, Ok(54)), (2, false, Err(LargeError::CutShort))] {
            let permit = Arc::clone(&places).try_acquire_owned().unwrap();
            let limits = Limits { bytes_max: 1_000, xml: xml::Limits::house() };
            let (feed, reading) = Reading::begin(Form::Bare(Vec::new()), limits, permit);
            for piece in document.chunks(document.len().div_ceil(pieces)) {
                assert!(feed.put(Bytes::copy_from_slice(piece)).await);
            }
            if ends {
                feed.end().await;
            } else {
                drop(feed);
            }
            let got = reading.read().await;
            let got = got.map(|message| message.extract_of.unwrap().bytes);
            assert_eq!(got, want);
            assert_eq!(places.available_permits(), 1);
        }
    }
}
