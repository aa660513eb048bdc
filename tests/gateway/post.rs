//! A mail server and a receiver of webhooks, for the stories of alerts.
//!
//! Guarantees: the mail server speaks EHLO, STARTTLS, AUTH PLAIN and LOGIN and DATA as RFC 5321, 3207
//! and 4954 ask, and takes no mail before a login where it wants one; each misbehaves as it is
//! told, once for each word, and then goes on well. Neither shares code with the product.

use data_encoding::BASE64;
use rustls::{ServerConfig, crypto::ring};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// What the mail server does instead of what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mischief {
    /// 421 at the greeting.
    Busy,
    /// 451 to the receiver.
    NotNow,
    /// 550 to the receiver.
    NoSuchUser,
    /// Hangs up in the middle of the message.
    Cut,
    /// Takes the message and hangs up before it says so.
    CutAfter,
    /// Takes the message, says so and hangs up without a good-bye.
    CutAfterYes,
    /// Never says a word.
    Silent,
    /// Says line noise.
    Noise,
}

/// How it wants to be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    /// STARTTLS before anything else.
    Starttls,
    /// TLS from the start.
    Tls,
    /// In the clear, with no word of TLS.
    Plain,
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub from: String,
    pub to: Vec<String>,
    pub text: String,
}

impl Taken {
    /// A header's value, unfolded.
    pub(crate) fn header(&self, name: &str) -> String {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        let head = head.replace("\r\n ", " ");
        let prefix = format!("{name}: ");
        let line = head.lines().find_map(|line| line.strip_prefix(&prefix));
        line.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
    }

    /// The body, out of quoted-printable where it is in it.
    pub(crate) fn body(&self) -> String {
        let body = self.text.split_once("\r\n\r\n").unwrap().1;
        let body = body.replace("=\r\n", "");
        if !self.text.contains("quoted-printable") {
            return body;
        }
        let mut parts = body.split('=');
        let mut bytes = parts.next().unwrap().as_bytes().to_vec();
        for part in parts {
            let (code, rest) = part.split_at(2);
            bytes.push(u8::from_str_radix(code, 16).unwrap());
            bytes.extend(rest.as_bytes());
        }
        String::from_utf8(bytes).unwrap()
    }
}

/// The mail server. It stops when dropped.
pub(crate) struct Post {
    pub port: u16,
    /// The authority that signed its certificate, as PEM.
    pub authority: String,
    inner: Arc<Inner>,
    _tasks: JoinSet<()>,
}

struct Inner {
    speech: Speech,
    login: Option<(String, String)>,
    tls: TlsAcceptor,
    mischief: Mutex<VecDeque<Mischief>>,
    taken: Mutex<Vec<Taken>>,
    clear: Mutex<Vec<String>>,
    calls: Mutex<usize>,
}

impl Post {
    /// Opens a mail server for `localhost`; with a login it takes mail from nobody else.
    pub(crate) async fn start(speech: Speech, login: Option<(&str, &str)>) -> Self {
        let (authority, server) = authority();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let inner = Arc::new(Inner {
            speech,
            login: login.map(|(user, password)| (user.to_owned(), password.to_owned())),
            tls: TlsAcceptor::from(Arc::new(server)),
            mischief: Mutex::default(),
            taken: Mutex::default(),
            clear: Mutex::default(),
            calls: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, Arc::clone(&inner)));
        Self { port, authority, inner, _tasks: tasks }
    }

    /// Misbehaves in the next conversations, one each.
    pub(crate) fn mischief(&self, acts: impl IntoIterator<Item = Mischief>) {
        self.inner.mischief.lock().unwrap().extend(acts);
    }

    /// What it has taken.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.inner.taken.lock().unwrap().clone()
    }

    /// Every line that was said to it in the clear.
    pub(crate) fn heard_in_the_clear(&self) -> Vec<String> {
        self.inner.clear.lock().unwrap().clone()
    }

    /// How often somebody connected.
    pub(crate) fn calls(&self) -> usize {
        *self.inner.calls.lock().unwrap()
    }
}

/// An authority, and a server's side of TLS for `localhost` that it vouches for.
fn authority() -> (String, ServerConfig) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = params.self_signed(&ca_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(params, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let der = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], der);
    (pem, server.unwrap())
}

async fn serve(listener: TcpListener, inner: Arc<Inner>) {
    let mut calls = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        *inner.calls.lock().unwrap() += 1;
        let inner = Arc::clone(&inner);
        let act = inner.mischief.lock().unwrap().pop_front();
        calls.spawn(async move {
            // A conversation that breaks off is the client's business.
            let _ = converse(socket, inner, act).await;
        });
    }
}

async fn converse(
    socket: TcpStream,
    inner: Arc<Inner>,
    act: Option<Mischief>,
) -> std::io::Result<()> {
    if act == Some(Mischief::Silent) {
        return std::future::pending().await;
    }
    if inner.speech == Speech::Tls {
        let socket = inner.tls.accept(socket).await?;
        let mut talk = Talk::new(socket, &inner, act, Cover::Tls);
        talk.greet().await?;
        return talk.go_on().await.map(|_| ());
    }
    let mut talk = Talk::new(socket, &inner, act, Cover::Clear);
    talk.greet().await?;
    if talk.go_on().await? == End::Starttls {
        let socket = inner.tls.accept(talk.stream.into_inner()).await?;
        Talk::new(socket, &inner, act, Cover::Tls).go_on().await?;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cover {
    Clear,
    Tls,
}

#[derive(PartialEq, Eq)]
enum End {
    Quit,
    Starttls,
}

struct Talk<'a, S> {
    stream: BufReader<S>,
    inner: &'a Inner,
    act: Option<Mischief>,
    cover: Cover,
    known: bool,
    from: String,
    to: Vec<String>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Talk<'a, S> {
    fn new(stream: S, inner: &'a Inner, act: Option<Mischief>, cover: Cover) -> Self {
        let known = inner.login.is_none();
        let stream = BufReader::new(stream);
        Self { stream, inner, act, cover, known, from: String::new(), to: Vec::new() }
    }

    async fn say(&mut self, line: &str) -> std::io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn hear(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_owned();
        if self.cover == Cover::Clear {
            self.inner.clear.lock().unwrap().push(line.clone());
        }
        Ok(line)
    }

    async fn greet(&mut self) -> std::io::Result<()> {
        let acts = [
            (Some(Mischief::Busy), "421 localhost too busy"),
            (Some(Mischief::Noise), "\u{7f}\u{1b}[2J what?"),
        ];
        let act = acts.into_iter().find(|(act, _)| *act == self.act);
        self.say(act.map_or("220 localhost ESMTP", |(_, words)| words)).await
    }

    async fn go_on(&mut self) -> std::io::Result<End> {
        loop {
            let line = self.hear().await?;
            let word = line.split([' ', ':']).next().unwrap().to_ascii_uppercase();
            let closed = self.is_closed();
            match word.as_str() {
                "EHLO" => self.hello().await?,
                "STARTTLS" if closed => {
                    self.say("220 go ahead").await?;
                    return Ok(End::Starttls);
                }
                "QUIT" => {
                    self.say("221 bye").await?;
                    return Ok(End::Quit);
                }
                _ if closed => self.say("530 STARTTLS first").await?,
                "AUTH" => self.auth(&line).await?,
                _ if !self.known => self.say("530 log in first").await?,
                "MAIL" => {
                    self.from = line;
                    self.say("250 ok").await?;
                }
                "RCPT" => self.receiver(line).await?,
                "DATA" => self.data().await?,
                "RSET" | "NOOP" => self.say("250 ok").await?,
                _ => self.say("502 what?").await?,
            }
        }
    }

    /// Whether nothing is done before STARTTLS.
    fn is_closed(&self) -> bool {
        self.inner.speech == Speech::Starttls && self.cover == Cover::Clear
    }

    async fn hello(&mut self) -> std::io::Result<()> {
        self.say("250-localhost").await?;
        match (self.is_closed(), &self.inner.login) {
            (true, _) => self.say("250 STARTTLS").await,
            (false, Some(_)) => self.say("250 AUTH PLAIN LOGIN").await,
            (false, None) => self.say("250 8BITMIME").await,
        }
    }

    async fn auth(&mut self, line: &str) -> std::io::Result<()> {
        let decoded = |text: &str| String::from_utf8(BASE64.decode(text.as_bytes()).unwrap());
        let plain = line.strip_prefix("AUTH PLAIN ").map(|text| decoded(text).unwrap());
        let given = plain.map(|text| {
            let mut parts = text.split('\0').skip(1).map(str::to_owned);
            (parts.next().unwrap(), parts.next().unwrap())
        });
        self.known = given.is_some() && given == self.inner.login;
        let answer = if self.known { "235 welcome" } else { "535 5.7.8 not you" };
        self.say(answer).await
    }

    async fn receiver(&mut self, line: String) -> std::io::Result<()> {
        if self.act == Some(Mischief::NotNow) {
            return self.say("451 4.3.0 not now").await;
        }
        if self.act == Some(Mischief::NoSuchUser) {
            return self.say("550 5.1.1 no such user").await;
        }
        self.to.push(line);
        self.say("250 ok").await
    }

    async fn data(&mut self) -> std::io::Result<()> {
        self.say("354 go on").await?;
        let mut text = String::new();
        loop {
            let line = self.hear().await?;
            if self.act == Some(Mischief::Cut) {
                return Err(std::io::ErrorKind::ConnectionAborted.into());
            }
            if line == "." {
                break;
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
            text.push_str("\r\n");
        }
        let (from, to) = (std::mem::take(&mut self.from), std::mem::take(&mut self.to));
        self.inner.taken.lock().unwrap().push(Taken { from, to, text });
        if self.act == Some(Mischief::CutAfter) {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        self.say("250 taken").await?;
        if self.act == Some(Mischief::CutAfterYes) {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

/// A webhook as it came.
#[derive(Clone, Debug)]
pub(crate) struct Came {
    pub path: String,
    pub head: String,
    pub body: String,
}

impl Came {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let prefix = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// A value of the body, by its JSON pointer.
    pub(crate) fn value(&self, pointer: &str) -> serde_json::Value {
        self.json().pointer(pointer).unwrap().clone()
    }
}

/// A receiver of webhooks. It stops when dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    answers: Arc<Mutex<VecDeque<String>>>,
    came: Arc<Mutex<Vec<Came>>>,
    _tasks: JoinSet<()>,
}

impl Receiver {
    /// Opens a receiver that answers 200.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answers, came) = (Arc::<Mutex<VecDeque<String>>>::default(), Arc::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(receive(listener, Arc::clone(&answers), Arc::clone(&came)));
        Self { address, answers, came, _tasks: tasks }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers so the next times; a status line and header lines.
    pub(crate) fn answers(&self, heads: impl IntoIterator<Item = &'static str>) {
        self.answers.lock().unwrap().extend(heads.into_iter().map(str::to_owned));
    }

    /// What came until now, whatever was answered.
    pub(crate) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }
}

async fn receive(
    listener: TcpListener,
    answers: Arc<Mutex<VecDeque<String>>>,
    came: Arc<Mutex<Vec<Came>>>,
) {
    let mut calls = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (answers, came) = (Arc::clone(&answers), Arc::clone(&came));
        calls.spawn(async move {
            let mut socket = socket;
            let Some(call) = read(&mut socket).await else { return };
            came.lock().unwrap().push(call);
            let head = answers.lock().unwrap().pop_front();
            let head = head.unwrap_or_else(|| "200 OK".to_owned());
            let answer =
                format!("HTTP/1.1 {head}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
            let _ = socket.write_all(answer.as_bytes()).await;
            let _ = socket.shutdown().await;
        });
    }
}

async fn read(socket: &mut TcpStream) -> Option<Came> {
    let mut bytes = Vec::new();
    let reading = async {
        loop {
            if socket.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
            let text = String::from_utf8_lossy(&bytes);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let (line, head) = head.split_once("\r\n").unwrap_or((head, ""));
            let head = head.lines().map(|line| match line.split_once(": ") {
                Some((name, value)) => format!("{}: {value}\n", name.to_lowercase()),
                None => String::new(),
            });
            let head: String = head.collect();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                return Some(Came { path, body: body.to_owned(), head });
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.ok()?
}
