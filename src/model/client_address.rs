//! The client's address behind reverse proxies, from `X-Forwarded-For`.
//!
//! Each proxy appends the address of its peer, and whatever the request already contained stays on the left. So the
//! list is read from the right, and only as far as the operator has declared proxies. Everything further left is only a
//! claim. The peer of the socket, where it is known, is the hop to the right of the list.

use std::net::IpAddr;
use std::num::NonZeroUsize;

use ipnet::IpNet;
pub use sophra_primitives::{CLIENT_ADDRESS_MAX, parse_client_address};

/// The hops that belong to the operator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyTrust {
    /// No proxy is declared: the client is whoever is at the other end of the socket, where that is known.
    #[default]
    Nobody,
    /// Proxies with these addresses. The client is the rightmost hop that is none of them.
    Proxies(Box<[IpNet]>),
    /// This many proxies, whatever their addresses. The client is the hop at this position, counted from the right.
    Hops(NonZeroUsize),
}

/// The address of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClientAddress {
    /// The trusted address; `None` if unknown.
    pub ip: Option<IpAddr>,
    /// The leftmost hop, which anyone can forge: for logs, never for a decision.
    pub claimed: Option<IpAddr>,
}

impl ProxyTrust {
    /// Reads the lines of the header, in the order of arrival, behind the peer of the socket if it is known.
    #[must_use]
    pub fn client(&self, peer: Option<&str>, lines: &[&str]) -> ClientAddress {
        ClientAddress {
            ip: self.address(peer, lines),
            claimed: claimed_address(lines),
        }
    }

    /// The trusted address alone.
    ///
    /// A hop that is not an address makes the client unknown: no proxy has written it.
    #[must_use]
    pub fn address(&self, peer: Option<&str>, lines: &[&str]) -> Option<IpAddr> {
        let entries = lines.iter().rev().flat_map(|line| line.rsplit(','));
        let from_the_right = entries.map(parse_client_address);
        match self {
            Self::Nobody => peer.and_then(parse_client_address),
            Self::Proxies(networks) => peer
                .map(parse_client_address)
                .into_iter()
                .chain(from_the_right)
                .find(|hop| !hop.is_some_and(|ip| networks.iter().any(|net| net.contains(&ip))))
                .flatten(),
            // The peer is the nearest of them. It has written the rightmost entry.
            Self::Hops(count) => last_of(from_the_right, *count),
        }
    }
}

/// Splits the text by which JavaScript passes the hops: the header, and before it the peer of the socket, if it is known, on a
/// line that begins with a line break, as no header does.
#[must_use]
pub fn split_peer(hops: &str) -> (Option<&str>, &str) {
    let split = hops
        .strip_prefix('\n')
        .and_then(|hops| hops.split_once('\n'));
    split.map_or((None, hops), |(peer, header)| (Some(peer), header))
}

/// The leftmost hop, which anyone can forge.
#[must_use]
pub fn claimed_address(lines: &[&str]) -> Option<IpAddr> {
    let leftmost = lines.first().and_then(|line| line.split(',').next());
    leftmost.and_then(parse_client_address)
}

/// The last of `count` hops, if each of them is an address.
fn last_of(mut hops: impl Iterator<Item = Option<IpAddr>>, count: NonZeroUsize) -> Option<IpAddr> {
    for _ in 1..count.get() {
        hops.next()??;
    }
    hops.next()?
}

#[cfg(test)]
mod tests;
