//! The client's address behind trusted proxies, and the network it counts as.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use http::HeaderMap;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address at the other end of the connection, set by the accept loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// The address of the client.
///
/// Each proxy appends to `X-Forwarded-For` the address it was called from, so with `n` trusted
/// proxies the n-th entry from the right is the last one that cannot be forged. Entries further
/// left are the client's own claims and are ignored.
#[must_use]
pub fn client_address(headers: &HeaderMap, peer: IpAddr, trusted_proxies: usize) -> IpAddr {
    if trusted_proxies == 0 {
        return canonical(peer);
    }
    // Bytes, for a client may write what is no text: its entry is none then, and still one of them.
    let forwarded: Vec<&[u8]> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .collect();
    let reach = trusted_proxies.min(forwarded.len());
    forwarded
        .iter()
        .rev()
        .nth(reach.saturating_sub(1))
        .and_then(|entry| parse(str::from_utf8(entry).ok()?.trim()))
        .map_or_else(|| canonical(peer), canonical)
}

/// Bare, bracketed, or with a port.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// An IPv4 address mapped into IPv6 is the same client.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Whom an address counts as when requests are limited: one IPv4 address, or one IPv6 /64, which
/// is what a single subscriber is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match canonical(address) {
            IpAddr::V4(v4) => IpAddr::V4(v4),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn address(lines: &[&str], trusted: usize) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        client_address(&headers, "10.0.0.1".parse().unwrap(), trusted).to_string()
    }

    #[test]
    fn without_trusted_proxies_the_header_is_ignored() {
        assert_eq!(address(&["203.0.113.9"], 0), "10.0.0.1");
    }

    #[test]
    fn proxies_are_counted_from_the_right() {
        let lines = ["6.6.6.6, 203.0.113.9", "10.0.0.2"];
        assert_eq!(address(&lines, 1), "10.0.0.2");
        assert_eq!(address(&lines, 2), "203.0.113.9");
        assert_eq!(address(&["203.0.113.9"], 2), "203.0.113.9");
        assert_eq!(address(&[], 2), "10.0.0.1");
    }

    #[test]
    fn what_a_client_writes_hides_nothing_of_what_a_proxy_adds() {
        let mut headers = HeaderMap::new();
        let line = HeaderValue::from_bytes(b"\xff, 203.0.113.9").unwrap();
        headers.append(FORWARDED_FOR, line);
        let client =
            |trusted| client_address(&headers, "10.0.0.1".parse().unwrap(), trusted).to_string();
        assert_eq!(client(1), "203.0.113.9");
        assert_eq!(client(2), "10.0.0.1");
    }

    #[test]
    fn addresses_come_in_several_forms() {
        assert_eq!(address(&["[2001:db8::1]:443"], 1), "2001:db8::1");
        assert_eq!(address(&["[2001:db8::1]"], 1), "2001:db8::1");
        assert_eq!(address(&["203.0.113.9:1234"], 1), "203.0.113.9");
        assert_eq!(address(&["::ffff:203.0.113.9"], 1), "203.0.113.9");
        assert_eq!(address(&["nonsense"], 1), "10.0.0.1");
    }

    #[test]
    fn a_subscriber_counts_once() {
        let network = |text: &str| Network::of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("203.0.113.9"), network("203.0.113.8"));
    }
}
