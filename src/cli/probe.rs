//! Tries one connection layer by layer: name, address, proxy, certificate, clock.
//!
//! What this module guarantees:
//! 1. Every step has a time limit; a failed one ends the walk, and the rest is
//!    reported as not tried.
//! 2. Nothing is sent but a `CONNECT` to the proxy and one `HEAD /`, without
//!    credentials.
//!
//! What it does not: log in. Each connector adds those rows itself.

use super::report::{Finding, Layer, Row};
use crate::clock;
use rustls::{CertificateError, ClientConfig, pki_types::ServerName};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use time::{PrimitiveDateTime, format_description::StaticFormatDescription};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Time for each step.
const STEP_TIME_MAX: Duration = Duration::from_secs(10);

/// Bytes of an answer's head that are read.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// How far two clocks may be apart before tokens and timestamps are refused.
const CLOCK_OFF_S_MAX: u64 = 60;

/// Date of an HTTP answer (RFC 9110 5.6.7), without weekday and zone.
const HTTP_DATE: StaticFormatDescription =
    time::macros::format_description!("[day] [month repr:short] [year] [hour]:[minute]:[second]");

/// What to connect to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The connection's name in the table.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How TLS is spoken; absent: not at all.
    pub tls: Option<Arc<ClientConfig>>,
    /// The proxy's host and port, if one stands between.
    pub proxy: Option<(String, u16)>,
}

/// How far up a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Top {
    Tls,
    Clock,
}

/// Tries every layer, from the bottom up.
pub async fn walk(target: &Target) -> Vec<Row> {
    walk_up(target, Top::Clock).await
}

/// Tries every layer up to the certificate, and says nothing to the other side.
pub async fn walk_to_tls(target: &Target) -> Vec<Row> {
    walk_up(target, Top::Tls).await
}

async fn walk_up(target: &Target, top: Top) -> Vec<Row> {
    let mut layers = vec![Layer::Dns, Layer::Tcp];
    layers.extend(target.proxy.as_ref().map(|_| Layer::Proxy));
    layers.extend(target.tls.as_ref().map(|_| Layer::Tls));
    if top == Top::Clock {
        layers.push(Layer::Clock);
    }
    let mut findings = Vec::new();
    climb(target, top, &mut findings).await;
    let mut cause: Option<Layer> = None;
    let mut findings = findings.into_iter();
    let mut rows = Vec::new();
    for layer in layers {
        let below = || cause.map_or_else(String::new, |layer| format!("{layer} failed"));
        let finding = findings.next().unwrap_or_else(|| Finding::Skipped(below()));
        if matches!(finding, Finding::Failed { .. }) {
            cause = Some(layer);
        }
        rows.push(Row { connection: target.name.clone(), layer, finding });
    }
    rows
}

/// Adds a finding for each layer that was reached; stops after the first failure.
async fn climb(target: &Target, top: Top, findings: &mut Vec<Finding>) {
    let (host, port) =
        target.proxy.as_ref().map_or((&target.host, target.port), |(host, port)| (host, *port));
    let Some(addresses) = put(findings, resolve(host, port).await) else { return };
    let Some(mut socket) = put(findings, reach(&addresses).await) else { return };
    if target.proxy.is_some() && put(findings, pass(&mut socket, target).await).is_none() {
        return;
    }
    let Some(tls) = &target.tls else {
        if top == Top::Clock {
            findings.push(clocks(&mut socket, &target.host).await);
        }
        return;
    };
    let shaken = Box::pin(shake(socket, Arc::clone(tls), &target.host)).await;
    let Some(mut socket) = put(findings, shaken) else { return };
    if top == Top::Clock {
        findings.push(clocks(&mut socket, &target.host).await);
    }
}

/// What a step leads to: something to stand on and what was seen, or a failure.
type Step<T> = Result<(T, String), Finding>;

fn put<T>(findings: &mut Vec<Finding>, step: Step<T>) -> Option<T> {
    match step {
        Ok((reached, seen)) => {
            findings.push(Finding::Fine(seen));
            Some(reached)
        }
        Err(failed) => {
            findings.push(failed);
            None
        }
    }
}

async fn resolve(host: &str, port: u16) -> Step<Vec<SocketAddr>> {
    let advice = "check the spelling, and that this machine has a DNS server that knows the name";
    match timeout(STEP_TIME_MAX, lookup_host((host, port))).await {
        Ok(Ok(found)) => {
            let addresses: Vec<SocketAddr> = found.collect();
            let seen: Vec<String> = addresses.iter().map(|at| at.ip().to_string()).collect();
            Ok((addresses, format!("{host} is {}", seen.join(", "))))
        }
        Ok(Err(error)) => Err(Finding::failed(format!("{host}: {error}"), advice)),
        Err(_) => Err(Finding::failed(format!("{host}: the DNS server does not answer"), advice)),
    }
}

async fn reach(addresses: &[SocketAddr]) -> Step<TcpStream> {
    let mut failed = Finding::failed("the name leads to no address", "ask who runs the DNS");
    for address in addresses {
        match timeout(STEP_TIME_MAX, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => return Ok((socket, format!("{address} answers"))),
            Ok(Err(error)) => {
                let advice = if error.kind() == io::ErrorKind::ConnectionRefused {
                    "check the port, and that the other side is started"
                } else {
                    "check cable, routes and firewall"
                };
                failed = Finding::failed(format!("{address}: {error}"), advice);
            }
            Err(_) => {
                let seen = format!("{address}: silence");
                failed =
                    Finding::failed(seen, "a firewall drops it: ask for the port to be opened");
            }
        }
    }
    Err(failed)
}

async fn pass(socket: &mut TcpStream, target: &Target) -> Step<()> {
    let Target { host, port, .. } = target;
    let request = format!("CONNECT {host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n");
    let head = exchange(socket, &request).await.map_err(|error| {
        Finding::failed(error.to_string(), "check that host and port of the proxy are right")
    })?;
    let status = status(&head);
    let advice = match status {
        Some("200") => return Ok(((), format!("lets us through to {host}:{port}"))),
        Some("407") => "the proxy wants a login: set one, or have this machine excepted",
        Some("403") => "ask for this destination to be allowed on the proxy",
        Some(_) | None => "ask who runs the proxy",
    };
    Err(Finding::failed(first_line(&head), advice))
}

async fn shake(
    socket: TcpStream,
    tls: Arc<ClientConfig>,
    host: &str,
) -> Step<tokio_rustls::client::TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| Finding::failed(error.to_string(), "correct the host in the URL"))?;
    match timeout(STEP_TIME_MAX, TlsConnector::from(tls).connect(name, socket)).await {
        Ok(Ok(stream)) => {
            let version = stream.get_ref().1.protocol_version();
            let version = version.and_then(|version| version.as_str()).unwrap_or("TLS");
            Ok((stream, format!("{version}, certificate is good for {host}")))
        }
        Ok(Err(error)) => Err(Finding::failed(error.to_string(), tls_advice(&error))),
        Err(_) => Err(Finding::failed("silence", "this port may not speak TLS: check the URL")),
    }
}

fn tls_advice(error: &io::Error) -> &'static str {
    use CertificateError as Bad;
    use rustls::Error;
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>());
    let Some(Error::InvalidCertificate(bad)) = cause else {
        return "this port may not speak TLS, or only an old version of it";
    };
    if matches!(bad, Bad::Expired | Bad::ExpiredContext { .. }) {
        "the certificate has ended, or our clock is wrong: compare with the date it names"
    } else if matches!(bad, Bad::NotValidYet | Bad::NotValidYetContext { .. }) {
        "our clock is most likely behind: set it, and have it kept by NTP"
    } else if matches!(bad, Bad::NotValidForName | Bad::NotValidForNameContext { .. }) {
        "the certificate is for another name: use that name in the URL"
    } else if matches!(bad, Bad::UnknownIssuer) {
        "we do not know who issued it: if it is your own CA, set ca_file"
    } else {
        "ask who runs the other side for a certificate that is in order"
    }
}

async fn clocks<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut S, host: &str) -> Finding {
    let request = format!("HEAD / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let head = match exchange(socket, &request).await {
        Ok(head) => head,
        Err(error) => {
            return Finding::failed(
                error.to_string(),
                "the other side speaks no HTTP: check the port",
            );
        }
    };
    let ours_s = clock::now().unix_ms() / 1_000;
    match date(&head) {
        Some(theirs_s) => compare(theirs_s, ours_s),
        None => Finding::Skipped(format!("{} (without a date)", first_line(&head))),
    }
}

fn compare(theirs_s: u64, ours_s: u64) -> Finding {
    let off = theirs_s.abs_diff(ours_s);
    let side = if theirs_s > ours_s { "behind" } else { "ahead" };
    if off <= CLOCK_OFF_S_MAX {
        return Finding::Fine(format!("{off} s apart"));
    }
    let advice = "set our clock, and have it kept by NTP (timedatectl set-ntp true)";
    Finding::failed(format!("we are {off} s {side}"), advice)
}

/// Sends a request and reads the head of the answer, within limits.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut S,
    request: &str,
) -> io::Result<String> {
    let talk = async {
        socket.write_all(request.as_bytes()).await?;
        socket.flush().await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD_BYTES_MAX {
            // Byte by byte: what follows the head belongs to who comes after us.
            head.push(socket.read_u8().await?);
        }
        Ok(String::from_utf8_lossy(&head).into_owned())
    };
    timeout(STEP_TIME_MAX, talk).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn first_line(head: &str) -> String {
    head.lines().next().unwrap_or_default().chars().take(80).collect()
}

fn status(head: &str) -> Option<&str> {
    head.split_whitespace().nth(1)
}

/// Reads the `Date` header as seconds since 1970.
fn date(head: &str) -> Option<u64> {
    let (_, value) = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("date"))?;
    let (_, value) = value.split_once(',')?;
    let value = value.trim().strip_suffix("GMT")?.trim();
    let at = PrimitiveDateTime::parse(value, HTTP_DATE).ok()?.assume_utc();
    u64::try_from(at.unix_timestamp()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Answers every connection with the same words, after their request.
    async fn parrot(words: String) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut heard = [0; 1_024];
                let _ = socket.read(&mut heard).await;
                let _ = socket.write_all(words.as_bytes()).await;
            }
        });
        tasks.detach_all();
        address
    }

    fn target(address: SocketAddr) -> Target {
        Target {
            name: "shop".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: address.port(),
            tls: None,
            proxy: None,
        }
    }

    fn told(rows: &[Row]) -> Vec<(Layer, &'static str)> {
        let word = |finding: &Finding| match finding {
            Finding::Fine(_) => "fine",
            Finding::Failed { .. } => "failed",
            Finding::Skipped(_) => "skipped",
        };
        rows.iter().map(|row| (row.layer, word(&row.finding))).collect()
    }

    #[tokio::test]
    async fn the_first_layer_that_fails_is_told_apart() {
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let rows = walk(&target(nobody)).await;
        let want = [(Layer::Dns, "fine"), (Layer::Tcp, "failed"), (Layer::Clock, "skipped")];
        assert_eq!(told(&rows), want);

        let old = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        let rows = walk(&target(parrot(old.to_owned()).await)).await;
        let want = [(Layer::Dns, "fine"), (Layer::Tcp, "fine"), (Layer::Clock, "failed")];
        assert_eq!(told(&rows), want);

        let silent = "HTTP/1.1 404 Not Found\r\n\r\n";
        let rows = walk(&target(parrot(silent.to_owned()).await)).await;
        assert_eq!(told(&rows)[2], (Layer::Clock, "skipped"));
    }

    #[tokio::test]
    async fn a_proxy_that_wants_a_login_is_said_to() {
        let proxy = parrot("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n".to_owned()).await;
        let through = Target {
            host: "m3.example".to_owned(),
            proxy: Some(("127.0.0.1".to_owned(), proxy.port())),
            ..target(proxy)
        };
        let rows = walk(&through).await;
        let Finding::Failed { advice, .. } = &rows[2].finding else { panic!("{rows:?}") };
        assert_eq!(rows[2].layer, Layer::Proxy);
        assert!(advice.contains("wants a login"), "{advice}");
    }

    #[tokio::test]
    async fn a_certificate_nobody_vouches_for_is_refused_with_advice() {
        use crate::intake::tls;
        use tokio_rustls::TlsAcceptor;
        let folder = tempfile::tempdir().unwrap();
        let server = tls::Config::house().server(folder.path()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let address = listener.local_addr().unwrap();
        let target =
            Target { host: "localhost".to_owned(), tls: Some(Arc::new(client)), ..target(address) };
        let serve = async {
            let (socket, _) = listener.accept().await.unwrap();
            let _ = TlsAcceptor::from(server).accept(socket).await;
        };
        let (rows, ()) = Box::pin(async { tokio::join!(walk(&target), serve) }).await;
        assert_eq!(told(&rows)[2..], [(Layer::Tls, "failed"), (Layer::Clock, "skipped")]);
        let Finding::Failed { advice, .. } = &rows[2].finding else { panic!("{rows:?}") };
        assert!(advice.contains("set ca_file"), "{advice}");
    }

    #[test]
    fn dates_are_read_and_clocks_compared() {
        let head = "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        assert_eq!(date(head), Some(784_111_777));
        assert_eq!(date("HTTP/1.1 200 OK\r\ndate: soon\r\n\r\n"), None);
        let table =
            [(100, 160, "60 s apart"), (100, 161, "61 s ahead"), (500, 100, "400 s behind")];
        for (theirs, ours, want) in table {
            let got = format!("{:?}", compare(theirs, ours));
            assert!(got.contains(want), "{got}");
        }
    }
}
