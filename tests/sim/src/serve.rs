//! A small HTTP/1.1 server for both simulators.
//!
//! Guarantees: the handler sees the path and the query as they were sent, undecoded; a body
//! over [`BODY_BYTES_MAX`] is answered 413 and a target over [`TARGET_BYTES_MAX`] 414 without
//! asking it; [`Answer::Cut`] closes the connection without a byte of an answer; after `stop`
//! nothing new is accepted and what is under way has [`GRACE_MS_MAX`] to end.

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{HeaderMap, Response, body::Bytes, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// The longest body that is taken.
pub const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;
/// The longest path and query that is taken.
pub const TARGET_BYTES_MAX: usize = 8 * 1024;
/// How long calls under way may take after the stop.
pub const GRACE_MS_MAX: u64 = 2_000;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, undecoded.
    pub path: String,
    /// The query without its question mark, undecoded; empty when there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Request {
    /// The value of a header, when it is there once and readable.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What is sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// An answer.
    Reply {
        /// Its status.
        status: u16,
        /// Its headers; the length is added.
        headers: Vec<(String, String)>,
        /// Its body.
        body: Bytes,
    },
    /// The connection is closed without an answer.
    Cut,
}

impl Answer {
    /// An answer with a body of this type.
    pub fn typed(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self::Reply { status, headers, body: body.into() }
    }

    /// An answer in JSON.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::typed(status, "application/json; charset=utf-8", body.to_string())
    }

    /// A page, as a proxy in front of a broken system shows it.
    pub fn page(status: u16, title: &str) -> Self {
        let body = format!(
            "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n\
             <center><h1>{status} {title}</h1></center>\r\n</body>\r\n</html>\r\n"
        );
        Self::typed(status, "text/html", body)
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self::Reply { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Reply { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// Serves until `stop`; `handler` is called for many requests at once.
pub async fn serve<H, F>(
    listener: TcpListener,
    tls: Option<rustls::ServerConfig>,
    stop: CancellationToken,
    handler: H,
) where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
    let mut connections = JoinSet::new();
    loop {
        let socket = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => if let Ok((socket, _)) = accepted { socket } else {
                // Out of descriptors, mostly: there is nothing to do but to wait for some.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            },
        };
        // Without this the last bytes of an answer wait for an acknowledgement.
        let _ = socket.set_nodelay(true);
        let (tls, stop, handler) = (tls.clone(), stop.clone(), handler.clone());
        connections.spawn(async move {
            match tls {
                None => connection(socket, stop, handler).await,
                Some(tls) => {
                    if let Ok(socket) = tls.accept(socket).await {
                        connection(socket, stop, handler).await;
                    }
                }
            }
        });
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    // What is still under way after the grace is dropped with the set.
    let _ = tokio::time::timeout(Duration::from_millis(GRACE_MS_MAX), ended).await;
}

async fn connection<S, H, F>(socket: S, stop: CancellationToken, handler: H)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let service = service_fn(move |request| respond(request, handler.clone()));
    let served = hyper::server::conn::http1::Builder::new()
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(socket), service);
    tokio::pin!(served);
    // How a connection ends is the client's affair.
    let ended = tokio::select! {
        ended = served.as_mut() => Some(ended),
        () = stop.cancelled() => None,
    };
    if ended.is_none() {
        served.as_mut().graceful_shutdown();
        let _ = served.await;
    }
}

async fn respond<H, F>(
    request: hyper::Request<Incoming>,
    handler: H,
) -> io::Result<Response<Full<Bytes>>>
where
    H: Fn(Request) -> F,
    F: Future<Output = Answer>,
{
    let answer = match whole(request).await {
        Ok(request) => handler(request).await,
        Err(refusal) => refusal,
    };
    let Answer::Reply { status, headers, body } = answer else {
        return Err(io::ErrorKind::ConnectionAborted.into());
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Full::new(body)).map_err(io::Error::other)
}

async fn whole(request: hyper::Request<Incoming>) -> Result<Request, Answer> {
    let (head, body) = request.into_parts();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    if path.len() + query.len() >= TARGET_BYTES_MAX {
        return Err(Answer::page(414, "Request-URI Too Large"));
    }
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(fault) if fault.is::<LengthLimitError>() => {
            return Err(Answer::page(413, "Request Entity Too Large").with("connection", "close"));
        }
        Err(_) => return Err(Answer::Cut),
    };
    Ok(Request {
        method: head.method.as_str().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: head.headers,
        body,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> (String, CancellationToken, tokio::task::JoinHandle<()>) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let handler = |request: Request| async move {
            match request.path.as_str() {
                "/cut" => Answer::Cut,
                path => Answer::typed(200, "text/plain", format!("{path} {}", request.query)),
            }
        };
        let serving = tokio::spawn(serve(listener, None, stop.clone(), handler));
        (url, stop, serving)
    }

    #[tokio::test]
    async fn the_handler_sees_the_target_undecoded_and_can_cut_the_line() {
        let (url, stop, serving) = echo().await;
        let text = reqwest::get(format!("{url}/a;b=%3B?x=%20y")).await.unwrap().text().await;
        assert_eq!(text.unwrap(), "/a;b=%3B x=%20y");
        assert!(reqwest::get(format!("{url}/cut")).await.is_err());
        stop.cancel();
        serving.await.unwrap();
        assert!(reqwest::get(format!("{url}/a")).await.is_err());
    }

    #[tokio::test]
    async fn too_long_a_target_or_body_never_reaches_the_handler() {
        let (url, stop, serving) = echo().await;
        let long = format!("{url}/{}", "a".repeat(TARGET_BYTES_MAX));
        assert_eq!(reqwest::get(long).await.unwrap().status(), 414);
        let client = reqwest::Client::new();
        let whole = client.post(&url).body(vec![b'a'; BODY_BYTES_MAX]).send().await.unwrap();
        assert_eq!(whole.status(), 200);
        // Declared too long, the body is refused unread.
        let long = client.post(&url).body(vec![b'a'; BODY_BYTES_MAX + 1]).send().await;
        assert!(long.is_err() || long.unwrap().status() == 413);
        stop.cancel();
        serving.await.unwrap();
    }
}
