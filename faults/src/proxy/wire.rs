//! PostgreSQL's protocol as far as a proxy must know it: where messages begin and end, and which
//! of them belong to an append.

use std::{collections::HashSet, io};

use tokio::io::{AsyncRead, AsyncReadExt};

/// A length beyond this means that the proxy lost its place in the stream.
const MOST_BYTES: usize = 64 << 20;

/// What the function that appends is called in a statement.
const APPEND: &[u8] = b"eventstore.append_batch";

/// Tag of the server's message that ends an answer: by then a commit is done.
pub(super) const READY: u8 = b'Z';

/// A message, header included, ready to be passed on.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) tag: u8,
    pub(super) bytes: Vec<u8>,
}

impl Message {
    /// The next message; the very first of a client has no tag.
    pub(super) async fn read(
        from: &mut (impl AsyncRead + Unpin),
        first: bool,
    ) -> io::Result<Message> {
        let tag = if first { 0 } else { from.read_u8().await? };
        let length = from.read_u32().await?;
        let body = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
        let Some(body) = body.filter(|body| *body <= MOST_BYTES) else {
            return Err(io::Error::other("not a message of PostgreSQL"));
        };
        let mut bytes = Vec::with_capacity(body.saturating_add(5));
        if !first {
            bytes.push(tag);
        }
        bytes.extend(length.to_be_bytes());
        let header = bytes.len();
        bytes.resize(header.saturating_add(body), 0);
        from.read_exact(bytes.get_mut(header..).unwrap_or_default()).await?;
        Ok(Message { tag, bytes })
    }

    /// The texts a message begins with, each ended by a zero byte.
    fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.get(5..).unwrap_or_default().split(|byte| *byte == 0)
    }
}

/// Where in the life of a statement a message of the client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Parameters of an append: nothing has happened yet.
    Append,
    /// The end of an append: as it is a transaction of its own, this is what commits it.
    Commit,
    /// The end of anything else.
    Query,
    /// In between.
    Other,
}

/// Follows what a client says, to tell its appends from everything else.
#[derive(Debug, Default)]
pub(super) struct Listener {
    appends: HashSet<Vec<u8>>,
    appending: bool,
}

impl Listener {
    pub(super) fn hear(&mut self, message: &Message) -> Moment {
        match message.tag {
            b'P' => {
                let mut texts = message.texts();
                let (name, statement) = (texts.next(), texts.next().unwrap_or_default());
                if statement.windows(APPEND.len()).any(|window| window == APPEND) {
                    self.appends.extend(name.map(<[u8]>::to_vec));
                }
                Moment::Other
            }
            b'B' => {
                let statement = message.texts().nth(1).unwrap_or_default();
                self.appending = self.appends.contains(statement);
                if self.appending { Moment::Append } else { Moment::Other }
            }
            b'S' if std::mem::take(&mut self.appending) => Moment::Commit,
            b'S' | b'Q' => Moment::Query,
            _ => Moment::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(tag: u8, body: &[u8]) -> Message {
        let mut bytes = vec![tag];
        bytes.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        bytes.extend(body);
        Message { tag, bytes }
    }

    #[test]
    fn an_append_is_known_by_the_statement_it_names() {
        let mut listener = Listener::default();
        let append = message(b'P', b"s1\0SELECT * FROM eventstore.append_batch($1)\0\0\0");
        let other = message(b'P', b"s2\0SELECT 1\0\0\0");
        let said = [
            (&append, Moment::Other),
            (&other, Moment::Other),
            (&message(b'S', b""), Moment::Query),
            (&message(b'B', b"\0s2\0"), Moment::Other),
            (&message(b'E', b"\0\0\0\0\0"), Moment::Other),
            (&message(b'S', b""), Moment::Query),
            (&message(b'B', b"\0s1\0"), Moment::Append),
            (&message(b'E', b"\0\0\0\0\0"), Moment::Other),
            (&message(b'S', b""), Moment::Commit),
            (&message(b'S', b""), Moment::Query),
        ];
        for (message, moment) in said {
            assert_eq!(listener.hear(message), moment);
        }
    }

    #[tokio::test]
    async fn messages_are_passed_on_as_they_came() {
        let sent = [&[0, 0, 0, 8, 0, 3, 0, 0][..], &message(b'Q', b"SELECT 1\0").bytes].concat();
        let mut from = sent.as_slice();
        let first = Message::read(&mut from, true).await.unwrap();
        let second = Message::read(&mut from, false).await.unwrap();
        assert_eq!([first.bytes, second.bytes].concat(), sent);
        assert!(Message::read(&mut from, false).await.is_err());
        assert!(Message::read(&mut &b"HTTP/1.1"[..], false).await.is_err());
    }
}
