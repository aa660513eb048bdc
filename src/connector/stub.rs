//! A server for the connectors' tests: it plays one reply for each request and keeps what it was asked.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// What to do with a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Answer with status, further header lines and body.
    With(u16, &'static str, String),
    /// Read the request and hang up.
    HangUp,
    /// Promise more than is sent, and hang up.
    BreakOff,
    /// Read the request and say nothing.
    Silence,
}

impl Reply {
    /// Answers with a body.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::With(status, "content-type: application/json\r\n", body.to_owned())
    }
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Method and target, such as `GET /x?y=1`.
    pub line: String,
    /// The header lines, in lower case.
    pub head: String,
    pub body: String,
}

/// The server. It stops when dropped.
#[derive(Debug)]
pub(crate) struct Stub {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    _tasks: JoinSet<()>,
}

impl Stub {
    /// Listens, with these replies to play.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let replies = Arc::new(Mutex::new(replies.into_iter().collect()));
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(listener, Arc::clone(&asked), Arc::clone(&replies)));
        Self { address, asked, replies, _tasks: tasks }
    }

    /// Returns where it listens, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Adds replies.
    pub(crate) fn play(&self, replies: impl IntoIterator<Item = Reply>) {
        self.replies.lock().unwrap().extend(replies);
    }

    /// Takes what was asked until now.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

async fn listen(
    listener: TcpListener,
    asked: Arc<Mutex<Vec<Asked>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
) {
    let mut calls = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (asked, replies) = (Arc::clone(&asked), Arc::clone(&replies));
        calls.spawn(async move {
            let mut socket = socket;
            if let Some(request) = read(&mut socket).await {
                asked.lock().unwrap().push(request);
                let reply = replies.lock().unwrap().pop_front();
                answer(socket, reply.unwrap_or(Reply::json(418, "nothing left to play"))).await;
            }
        });
    }
}

async fn read(socket: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let (line, head) = head.split_once("\r\n").unwrap_or((head, ""));
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
            let line = line.trim_end_matches(" HTTP/1.1").to_owned();
            return Some(Asked { line, body: body.to_owned(), head });
        }
    }
}

async fn answer(mut socket: TcpStream, reply: Reply) {
    let text = match reply {
        Reply::With(status, head, body) => {
            let length = body.len();
            format!(
                "HTTP/1.1 {status} X\r\n{head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            )
        }
        Reply::BreakOff => {
            "HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{\"results\":[".to_owned()
        }
        Reply::HangUp => return,
        Reply::Silence => return std::future::pending().await,
    };
    // The client may have left; that is its test.
    let _ = socket.write_all(text.as_bytes()).await;
    let _ = socket.shutdown().await;
}
