//! TXT records, asked of the system's name server over UDP (RFC 1035).
//!
//! Owns one question and its answer. Refuses answers that were cut off, and follows no aliases
//! itself: a recursive name server does.

use std::{net::SocketAddr, time::Duration};

use tokio::net::UdpSocket;

use super::Fault;
use crate::crypto::random;

const PATIENCE: Duration = Duration::from_secs(3);
const RESOLVERS: &str = "/etc/resolv.conf";
/// Longest message over UDP without extensions (section 2.3.4).
const MAX_MESSAGE: usize = 512;
const HEADER: usize = 12;
const TXT: u16 = 16;
const INTERNET: u16 = 1;

/// The TXT records of a name; the strings of one record are joined.
pub(super) async fn texts(name: &str) -> Result<Vec<String>, Fault> {
    // A few lines on the local disk: reading them takes less than handing them to a thread.
    let configured = std::fs::read_to_string(RESOLVERS)?;
    ask(resolver(&configured).ok_or(Fault::NoResolver)?, name).await
}

/// The first name server of a resolver configuration.
fn resolver(configured: &str) -> Option<SocketAddr> {
    let servers = configured.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    servers.filter_map(|server| server.trim().parse().ok()).map(|ip| SocketAddr::new(ip, 53)).next()
}

async fn ask(server: SocketAddr, name: &str) -> Result<Vec<String>, Fault> {
    let question = question(name).ok_or(Fault::Malformed)?;
    let id = random::<2>();
    let any: SocketAddr = if server.is_ipv4() {
        (std::net::Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
    };
    tokio::time::timeout(PATIENCE, async {
        let socket = UdpSocket::bind(any).await?;
        // Connected, so that nobody else's answer is heard.
        socket.connect(server).await?;
        // One question, recursion desired.
        let header = [id[0], id[1], 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        socket.send(&[header.as_slice(), &question].concat()).await?;
        let mut message = [0; MAX_MESSAGE];
        loop {
            let length = socket.recv(&mut message).await?;
            let answer = message.get(..length).unwrap_or_default();
            // What answers another question is not for us; the right answer may still come.
            if answer.starts_with(&id) && answer.get(HEADER..).is_some_and(|a| echoes(a, &question))
            {
                return read(answer, HEADER + question.len()).ok_or(Fault::Malformed);
            }
        }
    })
    .await?
}

/// The name, type and class that are asked for. `None` for what is no name.
fn question(name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(name.len() + 6);
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        bytes.push(length);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend_from_slice(&TXT.to_be_bytes());
    bytes.extend_from_slice(&INTERNET.to_be_bytes());
    (bytes.len() <= 259).then_some(bytes)
}

/// Whether an answer repeats the question, in whatever case.
fn echoes(answer: &[u8], question: &[u8]) -> bool {
    answer.get(..question.len()).is_some_and(|echo| echo.eq_ignore_ascii_case(question))
}

/// The texts of an answer whose records begin at a place. `None` if it is a refusal or malformed.
fn read(message: &[u8], records: usize) -> Option<Vec<String>> {
    let flags = two(message, 2)?;
    let (is_answer, is_cut, refusal) = (flags & 0x8000 != 0, flags & 0x0200 != 0, flags & 0x000f);
    if !is_answer || is_cut || refusal != 0 {
        return None;
    }
    let mut at = records;
    let mut texts = Vec::new();
    for _ in 0..two(message, 6)? {
        at = after_name(message, at)?;
        let (kind, class, length) =
            (two(message, at)?, two(message, at + 2)?, usize::from(two(message, at + 8)?));
        let data = message.get(at + 10..at + 10 + length)?;
        if (kind, class) == (TXT, INTERNET) {
            texts.push(text(data)?);
        }
        at += 10 + length;
    }
    Some(texts)
}

fn two(message: &[u8], at: usize) -> Option<u16> {
    let bytes = message.get(at..at + 2)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}

/// Where a name ends: at its root, or at a pointer to an earlier one (section 4.1.4).
fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            pointer if pointer & 0xc0 == 0xc0 => return Some(at + 2),
            length => at += 1 + usize::from(length),
        }
    }
}

/// Strings with their lengths, joined.
fn text(mut data: &[u8]) -> Option<String> {
    let mut bytes = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (string, more) = rest.split_at_checked(usize::from(*length))?;
        bytes.extend_from_slice(string);
        data = more;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer to a question, with these strings in one TXT record.
    fn answer(asked: &[u8], strings: &[&str]) -> Vec<u8> {
        let mut message = asked.to_vec();
        message[2] = 0x81;
        message[7] = 1;
        let data: Vec<u8> = strings
            .iter()
            .flat_map(|string| {
                std::iter::once(u8::try_from(string.len()).unwrap()).chain(string.bytes())
            })
            .collect();
        message.extend([0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 0, 60]);
        message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        message.extend(data);
        message
    }

    #[tokio::test]
    async fn strays_are_passed_over_until_the_answer_comes() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let serve = async {
            let mut asked = [0; MAX_MESSAGE];
            let (length, client) = server.recv_from(&mut asked).await.unwrap();
            let asked = &asked[..length];
            let mut stray = answer(asked, &["commonhold-domain=stray"]);
            stray[0] ^= 1;
            let other =
                [&asked[..2], &answer(asked, &["no"])[2..12], b"\x01x\0\0\x10\0\x01"].concat();
            for message in [stray, other, answer(asked, &["commonhold-", "domain=t"])] {
                server.send_to(&message, client).await.unwrap();
            }
        };
        let (texts, ()) = tokio::join!(ask(address, "_commonhold-challenge.example.org"), serve);
        assert_eq!(texts.unwrap(), ["commonhold-domain=t"]);
    }

    #[test]
    fn an_answer_that_is_cut_refused_or_malformed_is_none() {
        let question = question("example.org").unwrap();
        let asked = [&[0; HEADER][..], &question].concat();
        let good = answer(&asked, &["text"]);
        assert_eq!(read(&good, asked.len()).unwrap(), ["text"]);
        for (byte, value) in [(2, 0x01), (2, 0x83), (3, 0x03), (7, 9)] {
            let mut bad = good.clone();
            bad[byte] = value;
            assert_eq!(read(&bad, asked.len()), None, "byte {byte}");
        }
        for end in 0..good.len() {
            assert_eq!(read(&good[..end], asked.len()), None, "{end}");
        }
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        let long = "a".repeat(64);
        let many = "a.".repeat(130) + "org";
        for bad in ["", "a..b", &long, &many] {
            assert_eq!(question(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_first_name_server_is_asked() {
        let configured = "# mine\nsearch x\nnameserver 192.0.2.7\nnameserver 192.0.2.8\n";
        assert_eq!(resolver(configured), Some("192.0.2.7:53".parse().unwrap()));
        assert_eq!(resolver("nameserver ::1"), Some("[::1]:53".parse().unwrap()));
        assert_eq!(resolver("options edns0"), None);
    }
}
