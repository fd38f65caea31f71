//! Whole requests, byte for byte: paths, queries, headers and bodies.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::Server;

const PATHS: [&str; 12] = [
    "/api/v1/users?status=active&email_prefix=a&limit=7&order=created_at.desc",
    "/api/v1/organizations?kind=customer&type=team&status=active&limit=200",
    "/api/v1/events?type=identity.&after=1&from=2026-01-01T00:00:00Z&order=desc",
    "/api/v1/streams/identity.user/01a1fe51-0f78-7522-960c-18297bd18cc5?as_of=7",
    "/api/v1/organizations/slug-of-it/members?limit=1&cursor=AAAA",
    "/api/v1/principals/user/01a1fe51-0f78-7522-960c-18297bd18cc5/permissions?min_position=0",
    "/api/v1/sso/discover?email=ada@example.org",
    "/problems/invalid-field",
    "/problems/",
    "/openapi.json",
    "/docs",
    "/.well-known/jwks.json",
];

/// What may be missing at the end of an altered request: of its head, and some of its body.
const END: [u8; 260] = {
    let mut end = [b' '; 260];
    [end[0], end[1], end[2], end[3]] = *b"\r\n\r\n";
    end
};
/// How long somebody stays who may have asked for nothing yet.
const MOMENT: Duration = Duration::from_millis(250);

/// Sends bytes and an end; what is answered until the server closes. Who stops sending is taken to
/// have left, and hears nothing: so only who has waited does.
async fn talk(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Who is refused early is not read to the end.
    drop(stream.write_all(&[request, &END].concat()).await);
    let mut answer = Vec::new();
    if timeout(MOMENT, stream.read_to_end(&mut answer)).await.is_err() {
        drop(stream.shutdown().await);
        drop(stream.read_to_end(&mut answer).await);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn every_request_is_answered_or_hung_up_on() {
    let server = Server::start().await;
    let token = server.admin().await.token.unwrap();
    let address = server.url.trim_start_matches("http://").to_owned();
    let head = format!("Host: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n");
    let mut valid: Vec<_> =
        PATHS.iter().map(|path| format!("GET {path} HTTP/1.1\r\n{head}\r\n")).collect();
    for (path, body) in [
        ("/auth/login", r#"{"email":"ada@example.org","password":"x","code":"123456"}"#),
        ("/users", r#"{"email":"b@example.org","password":"correct horse","country":"AT"}"#),
        ("/organizations", r#"{"slug":"fuzz","name":"Fuzz","type":"team","timezone":"UTC"}"#),
        ("/roles", r#"{"key":"fuzz","name":"F","scopes":["platform"],"permissions":[]}"#),
    ] {
        let length = body.len();
        valid.push(format!(
            "POST /api/v1{path} HTTP/1.1\r\n{head}Idempotency-Key: 1\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ));
    }
    let (mut asked, mut answered, mut done) = (0_u64, 0_u64, 0_u64);
    for request in testkit::mutations(valid) {
        let answer = timeout(Duration::from_secs(60), talk(&address, &request)).await.unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
        // A position that is not reached yet is waited for, and then is 503. Nothing else is.
        let is_early = status == Some(503) && answer.contains(r#""code":"projection-lagging""#);
        assert!(is_early || status.is_none_or(|status| status < 500), "{answer}");
        asked += 1;
        answered += u64::from(status.is_some());
        done += u64::from(status.is_some_and(|status| status < 300));
    }
    // Whoever hangs up on everybody keeps no promise.
    let told = format!("of {asked} requests {answered} were answered, {done} of them with success");
    assert!(answered * 2 > asked && done * 20 > asked, "{told}");
    let ready = talk(&address, b"GET /readyz HTTP/1.0\r\n").await;
    assert!(ready.contains(" 200 "), "{ready}");
    server.stop().await;
}
