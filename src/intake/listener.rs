//! Takes connections from strangers, under limits.
//!
//! What this module guarantees:
//! 1. A permit is taken before a socket is: at most `connections_max` are open.
//! 2. Every step has a time limit: handshake, headers, body, keeping, and the
//!    connection as a whole; who dawdles is cut off.
//! 3. When told to stop it takes no new connection and finishes the requests under way.
//!
//! What it does not: know what a delivery means; that is `reception`.

use super::{
    Limits,
    reception::{Reception, Shelf},
};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Headers one request may have.
const HEADERS_MAX: usize = 64;

/// How long one connection may be used, so that none is held for ever.
const CONNECTION_TIME_MAX: Duration = Duration::from_mins(10);

/// Pause after the system refused to give us a socket, which is when it has none left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An open port with what stands behind it.
#[derive(Debug)]
pub struct Listener<S> {
    tcp: TcpListener,
    tls: Arc<ServerConfig>,
    limits: Limits,
    permits: Arc<Semaphore>,
    reception: Arc<Reception<S>>,
}

impl<S: Shelf> Listener<S> {
    /// Opens the port. Nothing is taken before [`Listener::run`].
    pub async fn bind(
        address: SocketAddr,
        tls: Arc<ServerConfig>,
        limits: Limits,
        reception: Reception<S>,
    ) -> io::Result<Self> {
        Ok(Self {
            tcp: TcpListener::bind(address).await?,
            tls,
            limits,
            permits: Arc::new(Semaphore::new(limits.connections_max)),
            reception: Arc::new(reception),
        })
    }

    /// Returns the address it listens on, with the port the system chose.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Takes connections until told to stop; returns when the last one has ended.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            let taken = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = connections.join_next() => continue,
                taken = self.accept() => taken,
            };
            match taken {
                Ok((permit, socket)) => {
                    let connection = Arc::clone(&self).serve(socket, stop.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        while connections.join_next().await.is_some() {}
    }

    /// Waits for a permit, then for a socket. Losing the race loses neither.
    async fn accept(&self) -> io::Result<(OwnedSemaphorePermit, TcpStream)> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(io::Error::other)?;
        let (socket, _) = self.tcp.accept().await?;
        Ok((permit, socket))
    }

    async fn serve(self: Arc<Self>, socket: TcpStream, stop: CancellationToken) {
        let patience = Duration::from_millis(self.limits.handshake_ms_max);
        let handshake = TlsAcceptor::from(Arc::clone(&self.tls)).accept(socket);
        let tls = match timeout(patience, handshake).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => return tracing::debug!(%error, "handshake failed"),
            Err(_) => return tracing::debug!("handshake took too long"),
        };
        let reception = Arc::clone(&self.reception);
        let service = service_fn(move |request: Request<Incoming>| {
            let reception = Arc::clone(&reception);
            async move { Ok::<_, Infallible>(reception.answer(request).await) }
        });
        let mut serving = pin!(self.http().serve_connection(TokioIo::new(tls), service));
        let ended = tokio::select! {
            biased;
            ended = serving.as_mut() => Some(ended),
            () = stop.cancelled() => None,
            () = sleep(CONNECTION_TIME_MAX) => None,
        };
        let ended = if let Some(ended) = ended {
            Ok(ended)
        } else {
            serving.as_mut().graceful_shutdown();
            timeout(self.limits.request_time(), serving).await
        };
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "connection broke"),
            Err(_) => tracing::debug!("connection was cut off"),
        }
    }

    fn http(&self) -> http1::Builder {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(self.limits.header_ms_max))
            .max_buf_size(self.limits.header_bytes_max)
            .max_headers(HEADERS_MAX);
        http
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        intake::{
            reception::{Kept, NotKept},
            signature::Verifier,
            tls,
            webhook::{Signal, Source, SourceConfig, Subject},
        },
        metrics::Received,
        order::OrderRef,
        secret::Secret,
    };
    use hyper::body::Bytes;
    use rustls::{
        ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer,
        pki_types::pem::PemObject,
    };
    use std::{future::Future, sync::Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::{TlsConnector, client::TlsStream};

    #[derive(Clone, Copy, Debug, Default, PartialEq)]
    enum Mood {
        #[default]
        Well,
        Full,
        Failing,
    }

    /// A journal that is full, failing or slow on demand.
    #[derive(Clone, Default)]
    struct SimShelf(Arc<Mutex<SimState>>);

    #[derive(Default)]
    struct SimState {
        mood: Mood,
        slow: Duration,
        entered: usize,
        kept: Vec<Signal>,
    }

    impl Shelf for SimShelf {
        type Receipt = ();

        fn has_room(&self) -> bool {
            self.0.lock().unwrap().mood != Mood::Full
        }

        async fn keep(&self, signal: Signal, _: Bytes) -> Result<Kept<()>, NotKept> {
            let slow = {
                let mut state = self.0.lock().unwrap();
                state.entered += 1;
                state.slow
            };
            sleep(slow).await;
            let mut state = self.0.lock().unwrap();
            if state.mood == Mood::Failing {
                return Err(NotKept::Failed);
            }
            if state.kept.iter().any(|known| known.delivery == signal.delivery) {
                return Ok(Kept::Before);
            }
            state.kept.push(signal);
            Ok(Kept::New(()))
        }
    }

    struct Stage {
        address: SocketAddr,
        connector: TlsConnector,
        shelf: SimShelf,
        stop: CancellationToken,
    }

    impl Stage {
        async fn dial(&self) -> TlsStream<TcpStream> {
            self.try_dial().await.unwrap()
        }

        async fn try_dial(&self) -> io::Result<TlsStream<TcpStream>> {
            let tcp = TcpStream::connect(self.address).await?;
            Box::pin(self.connector.connect("localhost".try_into().unwrap(), tcp)).await
        }

        /// Sends bytes and reads until the other side closes.
        async fn say(&self, request: &str) -> String {
            let mut tls = Box::new(self.dial().await);
            tls.write_all(request.as_bytes()).await.unwrap();
            hear(&mut tls).await
        }
    }

    async fn hear(tls: &mut TlsStream<TcpStream>) -> String {
        let mut answer = Vec::new();
        // A connection that was cut off ends without the closing words of TLS.
        let _ = tls.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    fn post(path: &str, token: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-token: {token}\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
    }

    fn quick() -> Limits {
        Limits {
            handshake_ms_max: 300,
            header_ms_max: 300,
            body_bytes_max: 1_024,
            bodies_bytes_max: 1_536,
            body_ms_max: 300,
            ..Limits::house()
        }
    }

    const GOOD: &str = r#"{"event":"order.updated","id":7}"#;

    /// Starts a listener, plays the story against it, stops it.
    async fn with<F: Future<Output = ()>>(limits: Limits, story: impl FnOnce(Arc<Stage>) -> F) {
        let folder = tempfile::tempdir().unwrap();
        let server = tls::Config::house().server(folder.path()).unwrap();
        let own = CertificateDer::from_pem_file(folder.path().join("own.crt")).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(own).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let source: SourceConfig = toml::from_str(
            r#"
            name = "shop"
            path = "/hook"
            signature = { token = { header = "x-token", secret = "t" } }
            event = { pointer = "/event" }
            order_id = "/id"
            "#,
        )
        .unwrap();
        let verifier = Verifier::new(source.signature.clone(), vec![Secret::new("sesame")]);
        let shelf = SimShelf::default();
        let sources = vec![Source::new(source, verifier)];
        let reception = Reception::new(sources, shelf.clone(), limits, Received::default());
        let any = "127.0.0.1:0".parse().unwrap();
        let listener = Arc::new(Listener::bind(any, server, limits, reception).await.unwrap());
        let stage = Arc::new(Stage {
            address: listener.address().unwrap(),
            connector: TlsConnector::from(Arc::new(client)),
            shelf,
            stop: CancellationToken::new(),
        });
        let stop = stage.stop.clone();
        let played = async {
            story(Arc::clone(&stage)).await;
            stage.stop.cancel();
        };
        let both = async { tokio::join!(listener.run(stop), played) };
        timeout(Duration::from_secs(20), both).await.unwrap();
    }

    #[tokio::test]
    async fn each_delivery_gets_the_status_it_deserves() {
        with(Limits::house(), |stage| async move {
            let large = "x".repeat(1024 * 1024 + 1);
            let table = [
                (post("/hook", "sesame", GOOD), "202"),
                (post("/hook", "sesame", GOOD), "200"),
                (post("/hook?again=1", "sesame", GOOD), "200"),
                (post("/hook", "guess", GOOD), "401"),
                (post("/hook", "sesame", "not json"), "400"),
                (post("/hook", "sesame", r#"{"event":"order.updated"}"#), "400"),
                (post("/other", "sesame", GOOD), "404"),
                ("GET /hook HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned(), "405"),
                (post("/hook", "sesame", &large), "413"),
                ("nonsense\r\n\r\n".to_owned(), "400"),
            ];
            for (request, status) in table {
                let answer = stage.say(&request).await;
                let told: String = request.chars().take(60).collect();
                assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{told}: {answer}");
                assert_eq!(answer.contains("allow: POST"), status == "405", "{answer}");
            }
            let kept = stage.shelf.0.lock().unwrap();
            let subjects: Vec<_> = kept.kept.iter().map(|signal| signal.subject.clone()).collect();
            assert_eq!(subjects, [Subject::Order(OrderRef::Id(7))]);
        })
        .await;
    }

    #[tokio::test]
    async fn without_a_receipt_nobody_is_told_yes() {
        with(Limits { keep_ms_max: 200, ..Limits::house() }, |stage| async move {
            let set = |mood, slow| {
                let mut state = stage.shelf.0.lock().unwrap();
                (state.mood, state.slow) = (mood, slow);
            };
            let table = [
                (Mood::Full, Duration::ZERO),
                (Mood::Failing, Duration::ZERO),
                (Mood::Well, Duration::from_secs(5)),
            ];
            for (mood, slow) in table {
                let told = format!("{mood:?} after {slow:?}");
                set(mood, slow);
                let answer = stage.say(&post("/hook", "sesame", GOOD)).await;
                assert!(answer.starts_with("HTTP/1.1 503"), "{told}: {answer}");
                assert!(answer.contains("retry-after: 30"), "{told}: {answer}");
            }
            assert!(stage.shelf.0.lock().unwrap().kept.is_empty());
        })
        .await;
    }

    #[tokio::test]
    async fn a_body_over_the_limit_without_a_declared_length_is_refused() {
        with(quick(), |stage| async move {
            let head = "POST /hook HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
            let chunk = format!("400\r\n{}\r\n", "x".repeat(0x400));
            let answer = stage.say(&format!("{head}{chunk}{chunk}")).await;
            assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        })
        .await;
    }

    #[tokio::test]
    async fn who_dawdles_is_cut_off_and_holds_nobody_up() {
        with(Limits { connections_max: 4, ..quick() }, |stage| async move {
            let head = "POST /hook HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
            let slow_body = stage.say(head);
            let slow_head = stage.say("POST /hook HT");
            let silent = stage.say("");
            let no_handshake = async {
                let mut tcp = TcpStream::connect(stage.address).await.unwrap();
                let mut rest = Vec::new();
                let _ = tcp.read_to_end(&mut rest).await;
            };
            let (slow_body, _, _, ()) = tokio::join!(slow_body, slow_head, silent, no_handshake);
            assert!(slow_body.starts_with("HTTP/1.1 408"), "{slow_body}");
            let answer = stage.say(&post("/hook", "sesame", GOOD)).await;
            assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        })
        .await;
    }

    #[tokio::test]
    async fn all_bodies_together_have_a_limit() {
        with(Limits { body_ms_max: 5_000, ..quick() }, |stage| async move {
            let hoard = "POST /hook HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                         content-length: 1000\r\n\r\n";
            let mut hoarder = stage.dial().await;
            hoarder.write_all(format!("{hoard}{}", "x".repeat(999)).as_bytes()).await.unwrap();
            let large = format!("{GOOD}{}", " ".repeat(900));
            let mut seen = String::new();
            while !seen.starts_with("HTTP/1.1 503") {
                seen = stage.say(&post("/hook", "sesame", &large)).await;
            }
            hoarder.write_all(b"x").await.unwrap();
            assert!(hear(&mut hoarder).await.starts_with("HTTP/1.1 401"));
            let answer = stage.say(&post("/hook", "sesame", &large)).await;
            assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
        })
        .await;
    }

    #[tokio::test]
    async fn a_second_connection_waits_for_a_permit() {
        with(Limits { connections_max: 1, ..Limits::house() }, |stage| async move {
            let first = Box::new(stage.dial().await);
            let second = async {
                let answer = stage.say(&post("/hook", "sesame", GOOD)).await;
                assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
            };
            let mut second = pin!(second);
            let waits = timeout(Duration::from_millis(200), second.as_mut()).await;
            assert!(waits.is_err(), "the only permit was taken");
            drop(first);
            second.await;
        })
        .await;
    }

    #[tokio::test]
    async fn a_stop_finishes_the_request_under_way_and_takes_no_other() {
        with(Limits::house(), |stage| async move {
            stage.shelf.0.lock().unwrap().slow = Duration::from_millis(300);
            let idle = stage.dial().await;
            let mut tls = stage.dial().await;
            let request = post("/hook", "sesame", GOOD).replace("connection: close\r\n", "");
            tls.write_all(request.as_bytes()).await.unwrap();
            while stage.shelf.0.lock().unwrap().entered == 0 {
                tokio::task::yield_now().await;
            }
            stage.stop.cancel();
            let answer = hear(&mut tls).await;
            assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
            let late = timeout(Duration::from_millis(100), stage.try_dial()).await;
            assert!(!matches!(late, Ok(Ok(_))), "nobody is home");
            drop(idle);
        })
        .await;
    }

    #[tokio::test]
    async fn a_connection_serves_many_requests() {
        with(Limits::house(), |stage| async move {
            let keep = post("/hook", "sesame", GOOD).replace("connection: close\r\n", "");
            let answers = stage.say(&format!("{keep}{keep}{}", post("/hook", "x", GOOD))).await;
            let statuses: Vec<_> =
                answers.lines().filter(|line| line.starts_with("HTTP/1.1")).collect();
            let codes: Vec<_> = statuses.iter().map(|line| &line[9..12]).collect();
            assert_eq!(codes, ["202", "200", "401"]);
        })
        .await;
    }
}
