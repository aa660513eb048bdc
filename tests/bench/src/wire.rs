//! Durable ingest over HTTPS: the gateway's own listener before any store, and many connections that
//! are kept.

use crate::{
    bodies::Bodies,
    disk::{Disk, Engine, ForDisk, Log, for_engine},
    gauge::{self, Fault, Figures, Used},
    ingest::{self, Ingest, Packed},
    report,
};
use causeway::{
    clock::UnixMs,
    intake::{
        Limits,
        dedup::Recent,
        listener::Listener,
        reception::{NotKept, Reception},
        shelf::{Ledger, Once},
        signature::Verifier,
        tls,
        webhook::{Signal, Source, SourceConfig},
    },
    journal::{Journal, NewEvent, record::Packing},
    metrics::Metrics,
    secret::Secret,
};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinSet,
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "a token of the bench";

const SOURCE: &str = r#"
name = "xcart"
path = "/hooks/xcart"
event = { pointer = "/event" }
order_number = "/order_number"
[signature.token]
header = "X-Token"
secret = "token"
"#;

/// A store behind the intake.
struct Book<I>(I);

impl<I: Ingest> Ledger for Book<I> {
    type Receipt = ();

    fn has_room(&self) -> bool {
        true
    }

    async fn append(&self, signal: Signal, body: Bytes, received: UnixMs) -> Result<(), NotKept> {
        let event = NewEvent {
            source: signal.source,
            topic: signal.topic.wire().to_owned(),
            entity: String::new(),
            delivery: signal.delivery,
            received_ms: received,
            body: body.into(),
        };
        self.0.append(event).await.map_err(|_| NotKept::Full)
    }
}

/// Serves until the input ends.
pub(crate) async fn serve(engine: Engine, folder: &Path) -> Result<(), Fault> {
    let store = folder.join("store");
    if engine == Engine::Journal {
        let config = ingest::journal_config(Packing::Zstd);
        let (journal, committer) = Journal::open(&store, &config)?;
        listen(journal, folder).await?;
        committer.stop();
        return Ok(());
    }
    for_engine(engine, Listen(folder)).ok_or("no such store")?
}

struct Listen<'a>(&'a Path);

impl ForDisk for Listen<'_> {
    type Out = Result<(), Fault>;

    fn with<D: Disk>(self) -> Self::Out {
        let (log, committer) = Log::<D>::open(&self.0.join("store"))?;
        let listening = listen(Packed(log, Packing::Zstd), self.0);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(listening))?;
        committer.stop();
        Ok(())
    }
}

async fn listen<I: Ingest>(store: I, folder: &Path) -> Result<(), Fault> {
    let limits = Limits { connections_max: 1_000, ..Limits::house() };
    let config: SourceConfig = toml::from_str(SOURCE)?;
    let verifier = Verifier::new(config.signature.clone(), vec![Secret::new(TOKEN)]);
    let shelf =
        Once::new(Book(store), Arc::new(Mutex::new(Recent::new(20_000))), Duration::from_hours(24));
    let received = Metrics::new().received;
    let reception = Reception::new(vec![Source::new(config, verifier)], shelf, limits, received);
    let server = tls::Config::house().server(&folder.join("tls"))?;
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let listener = Arc::new(Listener::bind(address, server, limits, reception).await?);
    report::line(&listener.address()?.port().to_string());
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&listener).run(stop.clone()));
    let mut input = BufReader::new(tokio::io::stdin());
    // The connections are there: now it counts.
    let mut line = String::new();
    input.read_line(&mut line).await?;
    let before = Used::now()?;
    line.clear();
    input.read_line(&mut line).await?;
    let mut words = line.split_whitespace().map(str::parse::<u64>);
    let (Some(Ok(events)), Some(Ok(payload))) = (words.next(), words.next()) else {
        return Err("the client said nothing".into());
    };
    let mut figures = Figures::new();
    before.tell(&mut figures, events, payload)?;
    figures.insert("peak_kib".to_owned(), gauge::figure(gauge::peak_kib()?));
    report::line(&serde_json::to_string(&figures)?);
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    Ok(())
}

/// A server in a process of its own.
struct Server {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    port: u16,
    folder: PathBuf,
}

impl Server {
    async fn start(engine: Engine, folder: &Path) -> Result<Self, Fault> {
        fs::create_dir_all(folder)?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", "--engine", engine.name(), "--folder"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().ok_or("no input")?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        output.read_line(&mut line).await?;
        Ok(Self { child, input, output, port: line.trim().parse()?, folder: folder.to_owned() })
    }

    async fn tell(&mut self, line: &str) -> Result<(), Fault> {
        use tokio::io::AsyncWriteExt as _;
        Ok(self.input.write_all(format!("{line}\n").as_bytes()).await?)
    }

    async fn finish(mut self) -> Result<Figures, Fault> {
        let mut text = String::new();
        self.output.read_to_string(&mut text).await?;
        self.child.wait().await?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// Sends webhooks over so many connections for a while.
pub(crate) async fn measure(
    engine: Engine,
    connections: usize,
    span: Duration,
    folder: &Path,
) -> Result<Figures, Fault> {
    let mut server = Server::start(engine, folder).await?;
    let client = Arc::new(client(&server.folder.join("tls/own.crt"))?);
    let bodies = Arc::new(Bodies::new(2));
    let next = Arc::new(AtomicU64::new(1));
    let payload = Arc::new(AtomicU64::new(0));
    let mut doors = Vec::new();
    for _ in 0..connections {
        doors.push(connect(&client, server.port).await?);
    }
    server.tell("begin").await?;
    let begun = gauge::now();
    let mut senders = JoinSet::new();
    for (mut door, connection) in doors {
        let (bodies, next, payload) =
            (Arc::clone(&bodies), Arc::clone(&next), Arc::clone(&payload));
        senders.spawn(async move {
            let mut times = Vec::new();
            while begun.elapsed() < span {
                let body = bodies.with_number(next.fetch_add(1, Ordering::Relaxed));
                payload.fetch_add(u64::try_from(body.len())?, Ordering::Relaxed);
                let asked = gauge::now();
                post(&mut door, body).await?;
                times.push(gauge::micros(asked));
            }
            drop(connection);
            Ok::<_, Fault>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(sender) = senders.join_next().await {
        times.extend(sender??);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let events = times.len();
    server.tell(&format!("{events} {}", payload.load(Ordering::Relaxed))).await?;
    let mut figures = server.finish().await?;
    figures.insert("rate".to_owned(), gauge::figure(u64::try_from(events)?) / seconds);
    gauge::tell_times(&mut figures, &mut times);
    Ok(figures)
}

type Door = http1::SendRequest<Full<Bytes>>;

async fn connect(client: &Arc<ClientConfig>, port: u16) -> Result<(Door, JoinSet<()>), Fault> {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    socket.set_nodelay(true)?;
    let name = ServerName::try_from("localhost")?;
    let tls = TlsConnector::from(Arc::clone(client)).connect(name, socket).await?;
    let (door, connection) = http1::handshake(TokioIo::new(tls)).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let _ = connection.await;
    });
    Ok((door, tasks))
}

async fn post(door: &mut Door, body: Vec<u8>) -> Result<(), Fault> {
    let request = Request::post("/hooks/xcart")
        .header("Host", "localhost")
        .header("Content-Type", "application/json")
        .header("X-Token", TOKEN)
        .body(Full::new(Bytes::from(body)))?;
    door.ready().await?;
    let answer = door.send_request(request).await?;
    let status = answer.status();
    answer.into_body().collect().await?;
    if status.as_u16() == 202 { Ok(()) } else { Err(format!("a webhook got {status}").into()) }
}

fn client(certificate: &Path) -> Result<ClientConfig, Fault> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let provider = Arc::new(ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
