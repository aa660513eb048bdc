//! Serves `/`, `/healthz` and `/metrics` to who may see them.
//!
//! Guarantees: it only reads, a few connections at a time, each for a limited
//! time; it has no handle by which anything could be changed.

use super::{
    Metrics,
    page::{Health, Picture, overview},
};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Bytes,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Connections open at once.
const CONNECTIONS_MAX: usize = 8;

/// Time for the headers of a request.
const HEADER_TIME_MAX: Duration = Duration::from_secs(5);

/// How long one connection may be used.
const CONNECTION_TIME_MAX: Duration = Duration::from_mins(1);

/// All that the page is given: numbers to write down and a picture to show.
#[derive(Debug)]
pub struct Page {
    tcp: TcpListener,
    metrics: Metrics,
    picture: watch::Receiver<Picture>,
}

impl Page {
    /// Opens the port.
    pub async fn bind(
        address: SocketAddr,
        metrics: Metrics,
        picture: watch::Receiver<Picture>,
    ) -> io::Result<Self> {
        Ok(Self { tcp: TcpListener::bind(address).await?, metrics, picture })
    }

    /// Returns the address it listens on, with the port the system chose.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            let taken = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(_) = connections.join_next() => continue,
                taken = self.tcp.accept(), if connections.len() < CONNECTIONS_MAX => taken,
            };
            match taken {
                Ok((socket, _)) => {
                    connections.spawn(Arc::clone(&self).serve(socket));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot take a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn serve(self: Arc<Self>, socket: TcpStream) {
        let service = service_fn(|request| {
            let response = self.answer(&request);
            async move { Ok::<_, Infallible>(response) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME_MAX).max_buf_size(8_192);
        let serving = http.serve_connection(TokioIo::new(socket), service);
        // Who stays too long, or leaves early, is no concern of ours.
        let _ = timeout(CONNECTION_TIME_MAX, serving).await;
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        const TEXT: &str = "text/plain; charset=utf-8";
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n".to_owned());
        }
        let picture = self.picture.borrow().clone();
        let unwritten = |_| response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, String::new());
        match request.uri().path() {
            "/" => overview(&picture).map_or_else(unwritten, |html| {
                response(StatusCode::OK, "text/html; charset=utf-8", html)
            }),
            "/healthz" => {
                let status = match picture.health {
                    Health::Well => StatusCode::OK,
                    Health::Starting => StatusCode::SERVICE_UNAVAILABLE,
                    Health::Ill(_) => StatusCode::SERVICE_UNAVAILABLE,
                };
                response(status, TEXT, format!("{}\n", picture.health))
            }
            "/metrics" => self.metrics.render(&picture).map_or_else(unwritten, |text| {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                response(StatusCode::OK, kind, text)
            }),
            _ => response(StatusCode::NOT_FOUND, TEXT, "nothing here\n".to_owned()),
        }
    }
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn the_page_follows_the_picture() {
        let (show, picture) = watch::channel(Picture::default());
        let any = "127.0.0.1:0".parse().unwrap();
        let page = Arc::new(Page::bind(any, Metrics::new(), picture).await.unwrap());
        let address = page.address().unwrap();
        let stop = CancellationToken::new();
        let visits = async {
            assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 503"));
            show.send_modify(|picture| picture.health = Health::Well);
            assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
            assert!(get(address, "/").await.contains("<strong>ok</strong>"));
            assert!(get(address, "/metrics").await.contains("causeway_parked 0"));
            assert!(get(address, "/nowhere").await.starts_with("HTTP/1.1 404"));
            stop.cancel();
        };
        tokio::join!(Arc::clone(&page).run(stop.clone()), visits);
    }
}
