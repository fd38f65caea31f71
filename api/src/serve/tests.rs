//! Against raw sockets: what a hostile or unlucky client meets.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{
    extract::State,
    routing::{get, post},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, oneshot},
    task::JoinHandle,
};

use super::*;
use crate::{config::Config, edge, extract::Json, metrics::Metrics};

#[derive(Clone, Default)]
struct App {
    /// Handlers that came to their end.
    done: Arc<AtomicUsize>,
    /// A handler began.
    began: Arc<Notify>,
    /// A handler may go on.
    go: Arc<Notify>,
    /// A handler ended.
    ended: Arc<Notify>,
}

struct Running {
    address: SocketAddr,
    app: App,
    metrics: Arc<Metrics>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Ended>,
}

async fn slow(State(app): State<App>) -> &'static str {
    app.began.notify_one();
    app.go.notified().await;
    app.done.fetch_add(1, Ordering::SeqCst);
    app.ended.notify_one();
    "done"
}

async fn start(change: impl FnOnce(&mut Config)) -> Running {
    let mut config = Config::default();
    config.http.bind = "127.0.0.1:0".into();
    change(&mut config);
    let app = App::default();
    let inner = Router::new()
        .route("/echo", post(async |Json(value): Json<serde_json::Value>| Json(value)))
        .route("/slow", post(slow))
        .route("/healthz", get(async || "ok"))
        // More than the buffers of two systems hold.
        .route("/large", get(async || vec![b'x'; 32 << 20]))
        .with_state(app.clone());
    let limits = Arc::new(crate::rate::Limits::new(&config));
    let metrics = Arc::new(Metrics::new());
    let router = edge::around(inner, &config, &metrics, &limits);
    let server = Server::bind(&config.http).await.unwrap().watched(&metrics);
    let address = server.address().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(server.run(router, async {
        let _ = stopped.await;
    }));
    Running { address, app, metrics, stop, server }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes, and reads until the server closes.
    async fn talk(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        read_to_end(stream).await
    }
}

async fn read_to_end(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn post_echo(headers: &str, body: &str) -> String {
    format!(
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}\r\n{body}"
    )
}

#[tokio::test]
async fn a_request_is_answered() {
    let running = start(|_| ()).await;
    let request = post_echo("Connection: close\r\nContent-Length: 7\r\n", "{\"a\":1}");
    let answer = running.talk(&request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("{\"a\":1}"), "{answer}");
}

#[tokio::test]
async fn a_body_announced_twice_is_refused_and_the_connection_closed() {
    let running = start(|_| ()).await;
    let length = "Content-Length: 7\r\n";
    let encoding = "Transfer-Encoding: chunked\r\n";
    let unreadable = "Content-Length: 7,7\r\n";
    for headers in [[length, encoding], [encoding, length], [encoding, unreadable]] {
        let headers = headers.concat();
        let answer = running.talk(&post_echo(&headers, "7\r\n{\"a\":1}\r\n0\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("\"code\":\"malformed\""), "{answer}");
        assert!(answer.contains("\"trace_id\":\""), "{answer}");
    }
}

#[tokio::test]
async fn a_body_announced_twice_is_refused_whatever_came_before() {
    let running = start(|_| ()).await;
    let chunked = "Transfer-Encoding: chunked\r\n";
    let zeros = "0".repeat(300);
    let none = "POST / HTTP/1.1\nContent-Length: 9999\n\n";
    for before in [
        post_echo(&format!("{}: y\r\nContent-Length: 2\r\n", "x".repeat(300)), "{}"),
        post_echo(chunked, &format!("{zeros}2\r\n{{}}\r\n{zeros}\r\n\r\n")),
        post_echo(chunked, &format!("2\r\n{{}}\r\n0\r\nA: b\n\n{none}\r\n\r\n")),
    ] {
        let mut stream = running.connect().await;
        stream.write_all(before.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"{}") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{before}");
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{before}");
        let twice = post_echo("Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}");
        let twice = format!("{twice}\r\n0\r\n\r\n");
        stream.write_all(twice.as_bytes()).await.unwrap();
        let answer = read_to_end(stream).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{before}: {answer}");
    }
}

#[tokio::test]
async fn too_much_is_refused() {
    let running = start(|config| config.http.body_limit_bytes = 1_024).await;
    let large = post_echo("Content-Length: 2000\r\n", &"x".repeat(2_000));
    let answer = running.talk(&large).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("\"code\":\"body-too-large\""), "{answer}");

    let chunk = format!("400\r\n{}\r\n", "x".repeat(1_024));
    let chunked = post_echo("Transfer-Encoding: chunked\r\n", &format!("{chunk}{chunk}0\r\n\r\n"));
    let answer = running.talk(&chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

    let header = format!("X-Long: {}\r\n", "y".repeat(17_000));
    let answer = running.talk(&post_echo(&header, "")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn what_is_refused_before_it_is_read_counts_as_asked() {
    let running = start(|config| config.rate_limit.per_address_per_minute = 1).await;
    let twice = post_echo("Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n");
    for status in [400, 429] {
        let answer = running.talk(&twice).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.contains("ratelimit-remaining: 0\r\n"), "{answer}");
    }
    // A probe is not counted, so it may send nothing.
    let probe = "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n";
    let answer = running.talk(probe).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn who_dribbles_headers_is_cut_off() {
    let running = start(|config| config.http.header_timeout_seconds = 1).await;
    for start in ["", "P", "POST /echo HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = running.connect().await;
        stream.write_all(start.as_bytes()).await.unwrap();
        let answer = time::timeout(Duration::from_secs(5), read_to_end(stream)).await;
        assert!(answer.is_ok(), "{start:?} is still connected");
    }
}

#[tokio::test]
async fn who_dribbles_a_body_is_cut_off() {
    let running = start(|config| config.http.body_timeout_seconds = 1).await;
    let mut stream = running.connect().await;
    let request = post_echo("Content-Length: 100\r\n", "{");
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = time::timeout(Duration::from_secs(5), read_to_end(stream)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"code\":\"slow-request\""), "{answer}");
}

#[tokio::test]
async fn who_says_nothing_makes_room_for_who_comes() {
    let running = start(|config| config.http.max_connections = 2).await;
    let mut busy = running.connect().await;
    busy.write_all(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    running.app.began.notified().await;
    let silent = running.connect().await;
    let answer = running.talk(&post_echo("Connection: close\r\nContent-Length: 2\r\n", "{}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(read_to_end(silent).await, "");
    running.stop.send(()).unwrap();
    running.app.go.notify_one();
    assert!(read_to_end(busy).await.ends_with("done"));
}

#[tokio::test]
async fn who_takes_nothing_of_an_answer_is_cut_off() {
    let running = start(|config| config.http.body_timeout_seconds = 1).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    // Whoever does not read learns of the end by writing.
    let gone = async { while stream.write_all(&[b'\n'; 65_536]).await.is_ok() {} };
    time::timeout(Duration::from_secs(20), gone).await.unwrap();
}

#[tokio::test]
async fn a_handler_ends_also_when_its_client_has_left() {
    let running = start(|_| ()).await;
    let mut stream = running.connect().await;
    stream.write_all(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    running.app.began.notified().await;
    drop(stream);
    running.app.go.notify_one();
    running.app.ended.notified().await;
    assert_eq!(running.app.done.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_handler_ends_also_when_its_time_is_over() {
    let running = start(|config| config.http.request_timeout_seconds = 1).await;
    let request =
        "POST /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let answer = running.talk(request).await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    assert!(answer.contains("\"code\":\"timeout\""), "{answer}");
    assert!(answer.contains("x-request-id: "), "{answer}");
    running.app.go.notify_one();
    running.app.ended.notified().await;
}

#[tokio::test]
async fn more_requests_than_fit_are_told_to_come_back() {
    let running = start(|config| config.http.max_requests = 1).await;
    let mut first = running.connect().await;
    first.write_all(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    running.app.began.notified().await;
    let request = post_echo("Connection: close\r\nContent-Length: 2\r\n", "{}");
    let answer = running.talk(&request).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\"code\":\"overloaded\""), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    let text = running.metrics.text().unwrap();
    for line in [
        "http_server_active_requests 1\n",
        "http_server_max_requests 1\n",
        "http_server_problems_total{code=\"overloaded\"} 1\n",
        "http_server_problems_total{code=\"timeout\"} 0\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    running.app.go.notify_one();
    running.app.ended.notified().await;
}

#[tokio::test]
async fn what_waits_for_work_to_be_done_is_told_soon() {
    let running = start(|config| config.http.max_working_requests = 1).await;
    let mut first = running.connect().await;
    first.write_all(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    running.app.began.notified().await;
    let request = post_echo("Connection: close\r\nContent-Length: 2\r\n", "{}");
    let answer = time::timeout(Duration::from_secs(5), running.talk(&request)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\"code\":\"overloaded\""), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
    let text = running.metrics.text().unwrap();
    assert!(text.contains("http_server_working_requests 1\n"), "{text}");
    running.app.go.notify_one();
    running.app.ended.notified().await;
    assert!(running.talk(&request).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn probes_are_answered_when_all_else_is_refused() {
    let running = start(|config| config.http.max_requests = 1).await;
    let mut first = running.connect().await;
    first.write_all(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    running.app.began.notified().await;
    let probe = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = running.talk(probe).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    running.app.go.notify_one();
    running.app.ended.notified().await;
}

#[tokio::test]
async fn a_crowd_waits_to_be_accepted_and_is_not_dropped() {
    let mut config = Config::default();
    config.http.bind = "127.0.0.1:0".into();
    let server = Server::bind(&config.http).await.unwrap();
    let address = server.address().unwrap();
    // Nobody accepts: the system alone answers, as long as its queue has room.
    let crowd = (0..400).map(|_| TcpStream::connect(address));
    let crowd = time::timeout(Duration::from_secs(20), futures_util::future::try_join_all(crowd));
    assert_eq!(crowd.await.unwrap().unwrap().len(), 400);
}

/// Asks for something large on HTTP/2, and for that in fewer bytes.
const LARGE: &[u8] = b"\0\0\x0d\x01\x05\0\0\0\x01\x82\x86\x04\x06/large\x01\x01x";
const ZIPPED: &[u8] = b"\0\0\x0e\x01\x05\0\0\0\x01\x82\x86\x04\x06/large\x01\x01x\x90";

/// An HTTP/2 client that gives answers no window, asks, and shows by pings that it is still there.
async fn pings_until_cut_off(mut stream: TcpStream, asks: &[u8]) {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
    stream.write_all(preface).await.unwrap();
    stream.write_all(asks).await.unwrap();
    let mut word = [0; 1_024];
    loop {
        let read = time::timeout(Duration::from_millis(100), stream.read(&mut word)).await;
        let open = match read {
            Ok(read) => read.is_ok_and(|bytes| bytes > 0),
            Err(_) => stream.write_all(b"\0\0\x08\x06\0\0\0\0\0still up").await.is_ok(),
        };
        if !open {
            return;
        }
    }
}

#[tokio::test]
async fn who_never_opens_a_window_is_cut_off() {
    let running = start(|config| config.http.body_timeout_seconds = 1).await;
    let gone = pings_until_cut_off(running.connect().await, LARGE);
    time::timeout(Duration::from_secs(20), gone).await.unwrap();
}

#[tokio::test]
async fn answers_in_fewer_bytes_take_the_memory_of_all() {
    let running = start(|config| config.http.body_timeout_seconds = 600).await;
    let clients = [running.connect().await, running.connect().await, running.connect().await];
    let gone = clients.map(|client| Box::pin(pings_until_cut_off(client, ZIPPED)));
    let gone = futures_util::future::select_all(gone);
    time::timeout(Duration::from_secs(20), gone).await.unwrap();
}

#[tokio::test]
async fn pings_keep_no_connection_open() {
    let running = start(|config| config.http.header_timeout_seconds = 1).await;
    let gone = pings_until_cut_off(running.connect().await, b"");
    time::timeout(Duration::from_secs(20), gone).await.unwrap();
}

#[tokio::test]
async fn stopping_finishes_what_was_begun() {
    let running = start(|_| ()).await;
    let mut busy = running.connect().await;
    busy.write_all(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    running.app.began.notified().await;
    let idle = running.connect().await;
    running.stop.send(()).unwrap();
    assert_eq!(read_to_end(idle).await, "");
    running.app.go.notify_one();
    let answer = read_to_end(busy).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("done"), "{answer}");
    assert_eq!(running.server.await.unwrap(), Ended::Drained);
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn stopping_has_a_deadline() {
    let running = start(|config| config.http.drain_timeout_seconds = 1).await;
    let mut busy = running.connect().await;
    busy.write_all(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    running.app.began.notified().await;
    running.stop.send(()).unwrap();
    assert_eq!(running.server.await.unwrap(), Ended::Deadline);
}
