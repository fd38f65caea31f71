//! Notices a request that announces its body twice.
//!
//! `Content-Length` together with `Transfer-Encoding` is how requests are smuggled past proxies.
//! hyper takes the second, closes the connection afterwards and hides the first, so that nobody
//! behind it can refuse. This reads along with the bytes, keeps nothing but the start of a line,
//! and never changes anything: where it loses track, hyper alone decides.

use std::{
    io,
    num::ParseIntError,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;

/// Enough of a line for a name and a length.
const LINE_BYTES: usize = 256;
/// What a connection of HTTP/2 begins with. Its frames cannot be ambiguous.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Whether an ambiguous request was seen on a connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Ambiguous(Arc<AtomicBool>);

impl Ambiguous {
    pub(super) fn found(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A stream that is read along, and whose writing counts as activity: a long answer is no
/// silence, a client that takes nothing is.
pub(super) struct Framed<S> {
    stream: S,
    activity: Activity,
    scanner: Scanner,
    ambiguous: Ambiguous,
}

impl<S> Framed<S> {
    pub(super) fn new(stream: S, activity: Activity) -> (Self, Ambiguous) {
        let (scanner, ambiguous) = (Scanner::default(), Ambiguous::default());
        (Self { stream, activity, scanner, ambiguous: ambiguous.clone() }, ambiguous)
    }

    fn written(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Ready(Ok(bytes)) if bytes > 0 => self.activity.wrote(bytes),
            Poll::Ready(_) => {}
            Poll::Pending => self.activity.blocked(),
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let read = buffer.filled().get(before..).unwrap_or_default();
        self.scanner.scan(read);
        if matches!(self.scanner.place, Place::Ambiguous) {
            self.ambiguous.0.store(true, Ordering::Release);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes when it has nothing left to write.
        self.activity.taken();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Where in an HTTP/1.1 connection the next byte stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// In the request line or a header.
    #[default]
    Head,
    /// In a body of known length, so many bytes before its end.
    Body(u64),
    /// In the line that tells the size of a chunk.
    ChunkSize,
    /// In a chunk, so many bytes before its end with its line break.
    Chunk(u64),
    /// In what follows the last chunk, after so many bytes of what ends it.
    Trailers(usize),
    /// The body was announced twice, or at a length that nobody honest needs. For good.
    Ambiguous,
    /// Not HTTP/1.1, or beyond understanding. For good.
    Lost,
}

#[derive(Debug, Default)]
struct Scanner {
    place: Place,
    line: Vec<u8>,
    head: Head,
    /// Whether the first line of the connection has been read.
    begun: bool,
}

/// What the head of a request said so far.
#[derive(Debug, Default)]
struct Head {
    lines: usize,
    /// The length, if there is one; also one that nobody can read is an announcement.
    length: Option<Result<u64, ParseIntError>>,
    encoded: bool,
}

impl Scanner {
    fn scan(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.place {
                Place::Ambiguous | Place::Lost => return,
                Place::Body(left) => {
                    let (rest, left) = skip(bytes, left);
                    bytes = rest;
                    self.place = if left == 0 { Place::Head } else { Place::Body(left) };
                }
                Place::Chunk(left) => {
                    let (rest, left) = skip(bytes, left);
                    bytes = rest;
                    self.place = if left == 0 { Place::ChunkSize } else { Place::Chunk(left) };
                }
                Place::Trailers(matched) => {
                    let Some((byte, rest)) = bytes.split_first() else { return };
                    bytes = rest;
                    self.place = trailer(matched, *byte);
                }
                Place::Head | Place::ChunkSize => bytes = self.line(bytes),
            }
        }
    }

    /// Reads to the end of the line or of the bytes.
    fn line<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Some((line, rest)) = split_line(bytes) else {
            self.keep(bytes);
            return &[];
        };
        if self.line.is_empty() {
            // Nearly always the whole line is at hand: it is read where it stands.
            let line = self.worth(line);
            self.end_of_line(line);
        } else {
            self.keep(line);
            let line = std::mem::take(&mut self.line);
            self.end_of_line(&line);
        }
        rest
    }

    /// What of the beginning of a line may tell something.
    fn worth<'b>(&self, mut line: &'b [u8]) -> &'b [u8] {
        if matches!(self.place, Place::ChunkSize) {
            // As many zeros as one likes may stand before the size of a chunk.
            while let Some(rest) = line.strip_prefix(b"0") {
                line = rest;
            }
        }
        line.get(..LINE_BYTES).unwrap_or(line)
    }

    /// Keeps a piece of a line whose end is still to come.
    fn keep(&mut self, piece: &[u8]) {
        let piece = if self.line.is_empty() { self.worth(piece) } else { piece };
        let room = LINE_BYTES.saturating_sub(self.line.len());
        self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    fn end_of_line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let is_first = !std::mem::replace(&mut self.begun, true);
        self.place = match (self.place, line.is_empty()) {
            (Place::Head, _) if is_first && line == PREFACE => Place::Lost,
            // Line breaks before a request are allowed and mean nothing.
            (Place::Head, true) if self.head.lines == 0 => Place::Head,
            (Place::Head, true) => std::mem::take(&mut self.head).body(),
            (Place::Head, false) => self.head.line(line),
            (Place::ChunkSize, _) => chunk(line),
            (place, _) => place,
        };
    }
}

impl Head {
    fn line(&mut self, line: &[u8]) -> Place {
        self.lines = self.lines.saturating_add(1);
        if self.lines == 1 {
            return Place::Head;
        }
        let whole = line.len() < LINE_BYTES;
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            // A name that is too long to be kept is neither of the two.
            return if whole { Place::Lost } else { Place::Head };
        };
        let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
        let name = name.trim_ascii();
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.encoded = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if !whole {
                return Place::Ambiguous;
            }
            let value = String::from_utf8_lossy(value.get(1..).unwrap_or_default());
            self.length = Some(value.trim().parse());
        }
        Place::Head
    }

    fn body(self) -> Place {
        match (self.length, self.encoded) {
            (Some(_), true) => Place::Ambiguous,
            (None, true) => Place::ChunkSize,
            (None | Some(Ok(0)), false) => Place::Head,
            (Some(Ok(length)), false) => Place::Body(length),
            // hyper refuses it, and closes the connection.
            (Some(Err(_)), false) => Place::Lost,
        }
    }
}

/// The first line without its end, and what follows it.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (line, rest) = bytes.split_at_checked(end)?;
    Some((line, rest.get(1..)?))
}

/// The place after the line that tells a chunk's size, zeros before it and extensions ignored.
fn chunk(line: &[u8]) -> Place {
    let text = String::from_utf8_lossy(line);
    let size = text.split(';').next().unwrap_or_default().trim();
    match u64::from_str_radix(size, 16) {
        _ if size.is_empty() => Place::Trailers(2),
        Ok(size) => Place::Chunk(size.saturating_add(2)),
        Err(_) => Place::Lost,
    }
}

/// The place after a byte of the trailers. A line break alone does not end a line of them: hyper
/// reads on, so that what looks like a request there is none.
fn trailer(matched: usize, byte: u8) -> Place {
    if b"\r\n\r\n".get(matched) != Some(&byte) {
        return Place::Trailers(usize::from(byte == b'\r'));
    }
    if matched == 3 { Place::Head } else { Place::Trailers(matched.saturating_add(1)) }
}

/// Skips at most so many bytes; tells how many are still to come.
fn skip(bytes: &[u8], left: u64) -> (&[u8], u64) {
    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
    let skipped = u64::try_from(here).unwrap_or(u64::MAX);
    (bytes.get(here..).unwrap_or_default(), left.saturating_sub(skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: &str = "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
    const SIZED: &str = "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
    const CHUNKED: &str =
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n";

    fn place(text: &str, step: usize) -> Place {
        let mut scanner = Scanner::default();
        text.as_bytes().chunks(step).for_each(|bytes| scanner.scan(bytes));
        scanner.place
    }

    #[test]
    fn a_body_announced_twice_is_noticed_however_it_arrives() {
        let swapped = "GET / HTTP/1.1\ntransfer-encoding : chunked\ncontent-length:5\n\n";
        for text in [BOTH, swapped] {
            for step in [1, 2, 7, 1_000] {
                assert_eq!(place(text, step), Place::Ambiguous, "{step}");
                let later = format!("{SIZED}\r\n{CHUNKED}{text}");
                assert_eq!(place(&later, step), Place::Ambiguous, "{step}");
            }
        }
    }

    #[test]
    fn a_length_that_nobody_can_read_is_announced_all_the_same() {
        for length in ["4,4", "4 4", "0x4", "", "-1", "99999999999999999999"] {
            let length = format!("Content-Length: {length}\r\n");
            let encoding = "Transfer-Encoding: chunked\r\n";
            for headers in [[encoding, &length].concat(), [&length, encoding].concat()] {
                let text = format!("POST / HTTP/1.1\r\n{headers}\r\n");
                assert_eq!(place(&text, 5), Place::Ambiguous, "{headers}");
            }
        }
    }

    #[test]
    fn only_a_whole_connection_is_of_another_protocol() {
        for before in ["PRI / HTTP/1.1\r\n\r\n", "PRI * HTTP/1.1\r\n\r\n"] {
            assert_eq!(place(&format!("{before}{BOTH}"), 5), Place::Ambiguous, "{before}");
        }
        let later = format!("{SIZED}PRI * HTTP/2.0\r\n\r\n{BOTH}");
        assert_eq!(place(&later, 5), Place::Ambiguous);
    }

    #[test]
    fn a_body_is_no_head() {
        let inside = BOTH.replace("/ HTTP", "/x HTTP");
        let sized = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n{inside}", inside.len());
        let chunked = format!(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{inside}\r\n0\r\n\r\n",
            inside.len()
        );
        for text in [sized, chunked] {
            assert_eq!(place(&text, 3), Place::Head);
        }
    }

    #[test]
    fn what_is_long_winded_hides_nothing() {
        let name = format!("GET / HTTP/1.1\r\n{}: y\r\n\r\n", "x".repeat(300));
        let zeros = "0".repeat(300);
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = format!("{head}{zeros}5{}\r\nhello\r\n{zeros}\r\n\r\n", " ".repeat(300));
        let extension = format!("{head}5;{}\r\nhello\r\n0;\r\n\r\n", "x".repeat(300));
        for before in [name, chunk, extension] {
            for step in [1, 7, 1_000] {
                assert_eq!(place(&before, step), Place::Head, "{before}");
                assert_eq!(place(&format!("{before}{BOTH}"), step), Place::Ambiguous, "{before}");
            }
        }
        let length = format!("POST / HTTP/1.1\r\nContent-Length: {zeros}5\r\n");
        assert_eq!(place(&length, 7), Place::Ambiguous);
    }

    #[test]
    fn what_looks_like_a_request_in_trailers_is_none() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
        let none = "POST / HTTP/1.1\nContent-Length: 9999\n\n";
        for trailers in [format!("\n{none}"), format!("A: b\n\n{none}")] {
            for step in [1, 2, 3, 1_000] {
                let text = format!("{head}{trailers}\r\n\r\n{BOTH}");
                assert_eq!(place(&text, step), Place::Ambiguous, "{trailers}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        assert_eq!(place("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 5), Place::Lost);
        assert_eq!(place("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 5), Place::Lost);
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(10_000));
        assert_eq!(place(&long, 100), Place::Head);
    }
}
