//! HTTP/1.1 by hand: for what no well-behaved client does, such as timing an answer to the
//! microsecond, or being slow on purpose.

use std::io;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::place::Place;

/// A connection that is kept.
#[derive(Debug)]
pub struct Raw(BufReader<TcpStream>);

/// What came back, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes {
    /// The status line and the headers, a line each.
    pub head: Vec<String>,
    /// The body.
    pub body: String,
}

impl Bytes {
    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        let words = self.head.first().map(|line| line.split(' '));
        words.and_then(|mut words| words.nth(1)?.parse().ok()).unwrap_or_default()
    }

    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.iter().filter_map(|line| line.split_once(": "));
        pairs.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Raw {
    /// Connects.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub async fn connect(place: &Place) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", place.port())).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Sends a request and reads its answer to the end.
    ///
    /// # Errors
    /// If the connection ends before the answer does.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Bytes> {
        self.0.write_all(request).await?;
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let mut answer = Bytes { head, body: String::new() };
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.unwrap_or_default()];
        self.0.read_exact(&mut body).await?;
        answer.body = String::from_utf8_lossy(&body).into_owned();
        Ok(answer)
    }
}

/// A request without a body.
#[must_use]
pub fn get(path: &str, token: Option<&str>) -> Vec<u8> {
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let token = token.unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{token}\r\n").into_bytes()
}

/// A request with a body.
#[must_use]
pub fn post(path: &str, body: &Value) -> Vec<u8> {
    let (body, head) = (body.to_string(), "Host: localhost\r\nContent-Type: application/json");
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}
