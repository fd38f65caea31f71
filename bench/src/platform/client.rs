//! A client of HTTP/1.1 that costs little: one connection that is kept, one request at a time.
//!
//! It shares two cores with what it measures, so it does no more than it must: a request is
//! written at once, and an answer is read up to the length it names. Answers of unknown length
//! are refused, for none of ours is.

use std::io::Write;

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use uuid::Uuid;

/// Most headers of an answer.
const HEADERS: usize = 64;

/// A connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'c> {
    /// The status.
    pub status: u16,
    /// Where the log stood.
    pub position: Option<i64>,
    /// The body.
    pub body: &'c [u8],
}

/// What precedes a body.
struct Head {
    status: u16,
    position: Option<i64>,
    length: usize,
    body: usize,
}

impl Client {
    /// Connects.
    pub async fn connect(address: (&str, u16)) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: Vec::new(), answer: Vec::new() })
    }

    /// Asks for a page or a row, in the name of whoever holds a token or key.
    pub async fn get(&mut self, path: &str, bearer: Option<&str>) -> Result<Answer<'_>> {
        self.begin("GET", path, bearer)?;
        self.send(b"").await
    }

    /// Asks for a row as it is once the tables have come to a position.
    pub async fn get_at(&mut self, path: &str, bearer: &str, at: i64) -> Result<Answer<'_>> {
        self.begin("GET", path, Some(bearer))?;
        write!(self.request, "platform-position: {at}\r\n")?;
        self.send(b"").await
    }

    /// Replaces what has this version, under a key of its own.
    pub async fn put(
        &mut self,
        path: &str,
        bearer: &str,
        version: i32,
        body: &str,
    ) -> Result<Answer<'_>> {
        self.begin("PUT", path, Some(bearer))?;
        let key = Uuid::new_v4();
        write!(self.request, "idempotency-key: {key}\r\nif-match: \"{version}\"\r\n")?;
        self.send(body.as_bytes()).await
    }

    /// Sends a body without a proof of identity.
    pub async fn post(&mut self, path: &str, body: &str) -> Result<Answer<'_>> {
        self.begin("POST", path, None)?;
        self.send(body.as_bytes()).await
    }

    fn begin(&mut self, method: &str, path: &str, bearer: Option<&str>) -> Result<()> {
        self.request.clear();
        write!(self.request, "{method} {path} HTTP/1.1\r\nhost: localhost\r\n")?;
        write!(self.request, "user-agent: bench/1\r\naccept: application/json\r\n")?;
        if let Some(bearer) = bearer {
            write!(self.request, "authorization: Bearer {bearer}\r\n")?;
        }
        Ok(())
    }

    async fn send(&mut self, body: &[u8]) -> Result<Answer<'_>> {
        if !body.is_empty() {
            let length = body.len();
            write!(self.request, "content-type: application/json\r\ncontent-length: {length}\r\n")?;
        }
        self.request.extend_from_slice(b"\r\n");
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request).await?;
        self.answer.clear();
        let head = loop {
            self.read().await?;
            if let Some(head) = Head::parse(&self.answer)? {
                break head;
            }
        };
        let end = head.length + head.body;
        while self.answer.len() < end {
            self.read().await?;
        }
        let body = self.answer.get(head.length..end).unwrap_or_default();
        Ok(Answer { status: head.status, position: head.position, body })
    }

    async fn read(&mut self) -> Result<()> {
        ensure!(self.stream.read_buf(&mut self.answer).await? > 0, "the server hung up");
        Ok(())
    }
}

impl<'c> Answer<'c> {
    /// The same, if the request was done.
    pub fn done(self) -> Result<Self> {
        ensure!(self.status < 300, "{}: {}", self.status, self.text()?);
        Ok(self)
    }

    /// The same, if the request was done; nothing if the server is busy, which it tells before it
    /// begins anything.
    pub fn unless_busy(self) -> Result<Option<Self>> {
        if self.status == 503 { Ok(None) } else { self.done().map(Some) }
    }

    /// The body as text.
    pub fn text(&self) -> Result<&'c str> {
        Ok(std::str::from_utf8(self.body)?)
    }

    /// A text of the body.
    pub fn field(&self, name: &str) -> Result<String> {
        let body: serde_json::Value = serde_json::from_slice(self.body)?;
        let field = body.get(name).and_then(serde_json::Value::as_str);
        Ok(field.with_context(|| format!("no {name} in {body}"))?.to_owned())
    }
}

impl Head {
    /// Reads what there is; nothing if it is not all there yet.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = response.parse(bytes)? else { return Ok(None) };
        let status = response.code.context("no status")?;
        let (mut position, mut body) = (None, (status == 204).then_some(0));
        for header in &*response.headers {
            let number = || std::str::from_utf8(header.value).ok()?.parse::<i64>().ok();
            if header.name.eq_ignore_ascii_case("content-length") {
                body = number().and_then(|number| usize::try_from(number).ok());
            } else if header.name.eq_ignore_ascii_case("platform-position") {
                position = number();
            }
        }
        let Some(body) = body else { bail!("an answer of unknown length") };
        Ok(Some(Self { status, position, length, body }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_long_as_it_says() {
        let text = b"HTTP/1.1 200 OK\r\nPlatform-Position: 7\r\ncontent-length: 2\r\n\r\n{}";
        assert!(Head::parse(&text[..30]).unwrap().is_none());
        let head = Head::parse(text).unwrap().unwrap();
        assert_eq!((head.status, head.position, head.body), (200, Some(7), 2));
        assert_eq!(head.length + head.body, text.len());
        assert!(Head::parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
