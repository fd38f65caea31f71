//! One client that is slow on purpose, in one of the ways there are.

use std::{net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};

use crate::trials::Violation;

/// Pages asked for at once by who takes none: more than the buffers of two systems hold.
const PAGES: usize = 24;
/// Pages asked for at once by who closes the window.
const STREAMS: usize = 4;
/// How long the trial waits for the last of them to be cut off.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a slow client does nothing.
const PAUSE: Duration = Duration::from_millis(500);
/// Addresses that slow clients come from: a single one has not ports enough for all of them and
/// for those that linger.
const ADDRESSES: u8 = 16;

/// How a client is slow.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Silent,
    Header,
    Body,
    Answer,
    Window,
}

impl Kind {
    pub(super) const ALL: [Self; 5] =
        [Self::Silent, Self::Header, Self::Body, Self::Answer, Self::Window];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Silent => "a silent client",
            Self::Header => "a slow header",
            Self::Body => "a slow body",
            Self::Answer => "a slow reader",
            Self::Window => "a closed window",
        }
    }

    /// Is slow until it is cut off; answers after how long.
    pub(super) async fn trouble(self, port: u16) -> Result<Duration, Violation> {
        let connected = timeout(PATIENCE, connect(port)).await;
        let stream = connected.map_err(|_| Violation("no connection came about".to_owned()))?;
        let mut stream = stream?;
        let begun = Instant::now();
        let lived = timeout(PATIENCE, async {
            // A write that fails is an end like any other.
            let mut open = stream.write_all(&self.opening()).await.is_ok();
            while open {
                open = match self {
                    Self::Silent => dribble(&mut stream, b"").await,
                    Self::Header | Self::Body => dribble(&mut stream, b" ").await,
                    Self::Answer => sip(&mut stream).await,
                    Self::Window => dribble(&mut stream, PING).await,
                };
            }
        });
        lived.await.map_err(|_| Violation(format!("{} is never cut off", self.name())))?;
        Ok(begun.elapsed())
    }

    /// What it says first.
    fn opening(self) -> Vec<u8> {
        match self {
            Self::Silent => Vec::new(),
            Self::Header => b"GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".to_vec(),
            Self::Body => b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n\
                Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
                .to_vec(),
            Self::Answer => b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(PAGES),
            Self::Window => {
                let streams = (1_u8..).step_by(2).take(STREAMS);
                let asked = streams.flat_map(|stream| [PAGE_HEAD, &[stream], PAGE].concat());
                PREFACE.iter().copied().chain(asked).collect()
            }
        }
    }
}

/// The preface of an HTTP/2 connection, and settings that leave answers no window.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";
/// A frame of headers, complete and without a body, up to the number of its stream.
const PAGE_HEAD: &[u8] = b"\0\0\x1c\x01\x05\0\0\0";
/// `GET /openapi.json` from `localhost`.
const PAGE: &[u8] = b"\x82\x86\x04\x0d/openapi.json\x01\x09localhost";
/// The sign of life of an HTTP/2 client.
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0still up";

async fn connect(port: u16) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4_096)?;
    socket.bind((Ipv4Addr::new(127, 0, 1, fastrand::u8(1..=ADDRESSES)), 0).into())?;
    socket.connect((Ipv4Addr::LOCALHOST, port).into()).await
}

/// Sends a word more, and looks whether there is anybody to send it to.
async fn dribble(stream: &mut TcpStream, word: &[u8]) -> bool {
    let mut answer = [0; 4_096];
    match timeout(PAUSE, stream.read(&mut answer)).await {
        Ok(read) => read.is_ok_and(|bytes| bytes > 0),
        Err(_) => stream.write_all(word).await.is_ok(),
    }
}

/// Takes one byte of much. Whoever closes a connection does not take back what is on its way, so
/// it is asked instead whether a word to the server still arrives.
async fn sip(stream: &mut TcpStream) -> bool {
    sleep(PAUSE).await;
    let mut byte = [0; 1];
    let took = matches!(stream.read(&mut byte).await, Ok(1));
    took && stream.write_all(b"\r\n").await.is_ok()
}
