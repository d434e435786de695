//! The operator's HTTP port: metrics, and the probes of an orchestrator.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::metrics::Metrics;
use crate::reload::{Live, Readiness};

/// A scraper and a few probes; whoever comes on top is turned away.
const CONNECTIONS_MAX: usize = 32;
const HEADERS_MAX: usize = 64;
const BUFFER_BYTES_MAX: usize = 16_384;
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// For one connection in all, which serves one request.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);
/// After a failed accept (no descriptors left), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// What Prometheus asks for, in its classic text form.
const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The bound port.
pub struct Admin {
    listener: TcpListener,
}

impl Admin {
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let explain =
            |error: io::Error| io::Error::new(error.kind(), format!("cannot listen on {address} (admin): {error}"));
        Ok(Self { listener: TcpListener::bind(address).await.map_err(explain)? })
    }

    /// The address in truth, where port 0 was asked for.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is dropped. Runs among the sessions' tasks: that `/live` answers shows that those are run.
    pub async fn serve(self, live: Arc<Live>, metrics: Arc<Metrics>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let socket = match self.listener.accept().await {
                Ok((socket, _)) => socket,
                Err(error) => {
                    tracing::warn!(%error, "admin connection not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let (live, metrics) = (Arc::clone(&live), Arc::clone(&metrics));
            tokio::spawn(async move {
                let served = tokio::time::timeout(CONNECTION_TIMEOUT, serve_one(socket, &live, &metrics)).await;
                if let Ok(Err(error)) = served {
                    tracing::debug!(%error, "admin connection ended early");
                }
                drop(place);
            });
        }
    }
}

async fn serve_one(socket: TcpStream, live: &Live, metrics: &Metrics) -> hyper::Result<()> {
    let service = service_fn(|request: Request<_>| async move { Ok::<_, Infallible>(answer(&request, live, metrics)) });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(socket), service)
        .await
}

/// The request's body, if there is one, is never read.
fn answer<B>(request: &Request<B>, live: &Live, metrics: &Metrics) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    if !matches!(path, "/metrics" | "/live" | "/ready" | "/startup") {
        return response(StatusCode::NOT_FOUND, TEXT, "there is /metrics, /live, /ready and /startup\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET and HEAD only\n");
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match path {
        "/metrics" => response(StatusCode::OK, METRICS_TEXT, metrics.render()),
        "/live" => response(StatusCode::OK, JSON, "{\"status\":\"alive\"}\n"),
        "/startup" if live.health().is_started() => response(StatusCode::OK, JSON, "{\"status\":\"started\"}\n"),
        _ => match live.health().readiness() {
            Readiness::Ready => response(StatusCode::OK, JSON, "{\"status\":\"ready\"}\n"),
            reason => {
                let body = format!("{{\"status\":\"unavailable\",\"reason\":\"{}\"}}\n", reason.as_str());
                response(StatusCode::SERVICE_UNAVAILABLE, JSON, body)
            }
        },
    }
}

fn response(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
