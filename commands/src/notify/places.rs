//! Where a user has signed in from before.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// How many networks are remembered of a user; the one not seen for longest is forgotten.
const REMEMBERED: usize = 32;

/// The networks a user has signed in from, the latest last.
///
/// A network is an IPv4 /24 or an IPv6 /48: about a household or an office, so that a new lease
/// of the same line is no news.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Places {
    networks: Vec<String>,
}

/// How a sign-in's network relates to those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The first sign-in of all is no news to who just signed up.
    First,
    /// Seen before.
    Known,
    /// Not seen before.
    New,
}

impl Places {
    /// Remembers where a sign-in came from.
    pub(super) fn arrive(&mut self, address: &str) -> Arrival {
        let network = network(address);
        let known = self.networks.iter().position(|seen| *seen == network);
        let arrival = match known {
            Some(_) => Arrival::Known,
            None if self.networks.is_empty() => Arrival::First,
            None => Arrival::New,
        };
        if let Some(place) = known {
            self.networks.remove(place);
        } else if self.networks.len() >= REMEMBERED {
            self.networks.remove(0);
        }
        self.networks.push(network);
        arrival
    }
}

/// What cannot be read as an address is a place of its own.
fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(v4)) => {
            format!("{}/24", Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << 8)))
        }
        Ok(IpAddr::V6(v6)) => {
            format!("{}/48", Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 80)))
        }
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_network_and_the_first_one_is_no_news() {
        let mut places = Places::default();
        for (address, arrival) in [
            ("192.0.2.1", Arrival::First),
            ("192.0.2.200", Arrival::Known),
            ("::ffff:192.0.2.7", Arrival::Known),
            ("192.0.3.1", Arrival::New),
            ("2001:db8:1::1", Arrival::New),
            ("2001:db8:1:ffff::2", Arrival::Known),
            ("2001:db8:2::1", Arrival::New),
            ("192.0.2.1", Arrival::Known),
        ] {
            assert_eq!(places.arrive(address), arrival, "{address}");
        }
    }

    #[test]
    fn the_network_not_seen_for_longest_is_forgotten() {
        let mut places = Places::default();
        for third in 0..=REMEMBERED {
            places.arrive(&format!("10.0.{third}.1"));
        }
        assert_eq!(places.networks.len(), REMEMBERED);
        assert_eq!(places.arrive("10.0.1.1"), Arrival::Known);
        assert_eq!(places.arrive("10.0.0.1"), Arrival::New);
    }
}
