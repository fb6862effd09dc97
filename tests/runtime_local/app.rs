//! A service that can do what the sample service cannot: be slow on demand,
//! echo streams, upgrade connections, die.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{StreamExt as _, stream};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Bytes of `/big` and of the uploads.
pub const BIG: usize = 48 * 1024 * 1024;

pub fn serve() {
    // Started by `cargo test -- --ignored`: nobody wants a service.
    let Ok(port) = std::env::var("APP_PORT") else { return };
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(run(port.parse().unwrap()));
}

async fn run(port: u16) {
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    println!("listening on {port}");
    let stop = async move {
        terminate.recv().await;
        println!("stopping");
    };
    axum::serve(listener, router()).with_graceful_shutdown(stop).await.unwrap();
}

fn router() -> Router {
    Router::new()
        .route("/", get(who).post(count))
        .route("/healthz", get(healthz))
        .route("/sick/{times}", post(sick))
        .route("/metrics", get(|| async { "up 1\n" }))
        .route("/slow/{ms}", get(slow).post(slow))
        .route("/status/{code}", get(status))
        .route("/headers", get(headers))
        .route(
            "/echo",
            post(|request: Request| async { Body::from_stream(request.into_body().into_data_stream()) }),
        )
        .route("/begun", post(begun))
        .route("/big", get(big))
        .route("/breaks/{how}", get(breaks))
        .route("/stuck", get(stuck))
        .route("/half", get(half))
        .route("/pings", get(pings))
        .route("/ws", get(websocket))
        .route("/exit", get(|| async { std::process::exit(3) as &str }))
}

/// Health checks that are still to fail.
static SICK: AtomicU32 = AtomicU32::new(0);

async fn sick(Path(times): Path<u32>) {
    SICK.store(times, Ordering::Relaxed);
}

async fn healthz() -> StatusCode {
    let sick = SICK.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |times| times.checked_sub(1));
    sick.map_or(StatusCode::OK, |_| StatusCode::SERVICE_UNAVAILABLE)
}

/// The version, which tells the releases apart.
async fn who() -> String {
    std::env::var("APP_VERSION").unwrap()
}

async fn count(request: Request) -> String {
    let mut body = request.into_body().into_data_stream();
    let mut bytes = 0;
    while let Some(Ok(piece)) = body.next().await {
        bytes += piece.len();
    }
    bytes.to_string()
}

/// An answer that begins at once and goes on when all is sent.
async fn begun(request: Request) -> Body {
    let begin = stream::once(async { Ok::<_, std::io::Error>("begun ".to_owned()) });
    Body::from_stream(begin.chain(stream::once(async { Ok(count(request).await) })))
}

async fn slow(Path(ms): Path<u64>) -> String {
    println!("slow request");
    tokio::time::sleep(Duration::from_millis(ms)).await;
    who().await
}

async fn status(Path(code): Path<u16>) -> (StatusCode, &'static str) {
    (StatusCode::from_u16(code).unwrap(), "the service's own words")
}

async fn headers(headers: HeaderMap) -> Json<BTreeMap<String, String>> {
    let texts = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    Json(texts.collect())
}

async fn big() -> Response {
    let piece = vec![b'x'; 64 * 1024];
    let pieces = stream::iter(0..BIG / piece.len()).map(move |_| Ok::<_, std::io::Error>(piece.clone()));
    Response::builder()
        .header("content-length", BIG)
        .header("connection", "x-private")
        .header("x-private", "between us")
        .header("x-deployed-by", "somebody else")
        .header("x-mode", "canary")
        .body(Body::from_stream(pieces))
        .unwrap()
}

/// An answer that breaks off, with a length or in pieces.
async fn breaks(Path(how): Path<String>) -> Response {
    let piece = stream::once(async { Ok("the beginning") });
    let end = stream::once(async {
        // Apart from the head, as in life.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(std::io::Error::other("it breaks off"))
    });
    let response = Response::builder();
    let response = if how == "length" { response.header("content-length", 1000) } else { response };
    response.body(Body::from_stream(piece.chain(end))).unwrap()
}

/// An answer that begins and never goes on.
async fn stuck() -> Body {
    let piece = stream::once(async { Ok::<_, std::io::Error>("the beginning") });
    Body::from_stream(piece.chain(stream::pending()))
}

/// The same with a length.
async fn half() -> Response {
    Response::builder().header("content-length", 26).body(stuck().await).unwrap()
}

/// Longer in all than the timeout that a test sets, shorter each time.
async fn pings() -> Body {
    let pace = tokio::time::interval(Duration::from_millis(120));
    Body::from_stream(
        stream::unfold(pace, |mut pace| async {
            pace.tick().await;
            Some((Ok::<_, std::io::Error>("ping "), pace))
        })
        .take(8),
    )
}

async fn websocket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    })
}
