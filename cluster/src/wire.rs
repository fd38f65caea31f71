//! Just enough of PostgreSQL's protocol to create a database.
//!
//! A fresh cluster has no database for the platform, `psql` need not be installed, and this crate
//! has no client of its own: one start-up message and one query are less than any of these.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
};

use crate::{
    PATIENCE, SUPERUSER,
    error::{ClusterError, Doing},
};

const PROTOCOL_3_0: i32 = 196_608;

/// The database every cluster has.
const MAINTENANCE: &str = "postgres";

const DUPLICATE_DATABASE: &str = "42P04";

/// No message we ask for is longer; one that is means that somebody else is answering.
const MESSAGE_LIMIT_BYTES: usize = 64 << 10;

/// Creates a database unless it exists.
pub(crate) fn create_database(socket: &Path, name: &str) -> Result<(), ClusterError> {
    if name.contains('\0') {
        return Err(ClusterError::Refused("a name cannot contain the zero character".to_owned()));
    }
    let statement = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
    match run(socket, &statement).doing(|| format!("cannot talk to {}", socket.display()))? {
        Some(refusal) if refusal.code != DUPLICATE_DATABASE => {
            Err(ClusterError::Refused(refusal.message))
        }
        Some(_) | None => Ok(()),
    }
}

/// An ErrorResponse.
struct Refusal {
    code: String,
    message: String,
}

/// Connects, runs one statement, and tells whether it was refused.
fn run(socket: &Path, statement: &str) -> io::Result<Option<Refusal>> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let greeting = format!("user\0{SUPERUSER}\0database\0{MAINTENANCE}\0\0");
    stream.write_all(&message(None, &[&PROTOCOL_3_0.to_be_bytes(), greeting.as_bytes()])?)?;
    if let Some(refusal) = until_ready(&mut stream)? {
        return Ok(Some(refusal));
    }
    stream.write_all(&message(Some(b'Q'), &[statement.as_bytes(), b"\0"])?)?;
    let refusal = until_ready(&mut stream)?;
    stream.write_all(&message(Some(b'X'), &[])?)?;
    Ok(refusal)
}

/// Frames a message; the first one of a connection has no type.
fn message(kind: Option<u8>, parts: &[&[u8]]) -> io::Result<Vec<u8>> {
    let body = parts.concat();
    let length = i32::try_from(body.len() + 4).map_err(io::Error::other)?;
    Ok(kind.into_iter().chain(length.to_be_bytes()).chain(body).collect())
}

/// Reads until the server waits for us, keeping an error if there is one.
fn until_ready(stream: &mut UnixStream) -> io::Result<Option<Refusal>> {
    let mut refusal = None;
    loop {
        let mut head = [0; 5];
        match stream.read_exact(&mut head) {
            // After a refused connection the server hangs up.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && refusal.is_some() => {
                return Ok(refusal);
            }
            other => other?,
        }
        let [kind, length @ ..] = head;
        let length = usize::try_from(i32::from_be_bytes(length)).map_err(io::Error::other)?;
        let length = length.saturating_sub(4);
        if length > MESSAGE_LIMIT_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        match kind {
            b'Z' => return Ok(refusal),
            b'E' => refusal = Some(refusal_in(&body)),
            _ => {}
        }
    }
}

/// The fields of an ErrorResponse: a letter and a text each, ended by a zero.
fn refusal_in(body: &[u8]) -> Refusal {
    let field = |wanted: u8| {
        let mut fields = body.split(|byte| *byte == 0).filter_map(<[u8]>::split_first);
        let found = fields.find(|(kind, _)| **kind == wanted);
        found.map(|(_, text)| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
    };
    Refusal { code: field(b'C'), message: field(b'M') }
}
