//! Addresses and allow-lists, compared as bytes: `::ffff:1.2.3.4` is `1.2.3.4` (RFC 4291, 2.5.5.2).

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// The addresses from which a key may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowList {
    /// There is no list: every address is allowed.
    Everyone,
    Only(Box<[IpNet]>),
    /// The stored list cannot be parsed. A bad list never means "everyone".
    Nobody,
}

impl AllowList {
    #[must_use]
    pub fn parse(entries: &[String]) -> Self {
        if entries.is_empty() {
            return Self::Everyone;
        }
        match entries.iter().map(|entry| parse_network(entry)).collect() {
            Some(networks) => Self::Only(networks),
            None => Self::Nobody,
        }
    }

    /// The memory of its entries, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Everyone | Self::Nobody => 0,
            Self::Only(networks) => size_of_val(&**networks),
        }
    }

    /// An unknown address is allowed only if there is no list.
    #[must_use]
    pub fn allows(&self, ip: Option<IpAddr>) -> bool {
        match self {
            Self::Everyone => true,
            Self::Nobody => false,
            Self::Only(networks) => ip.is_some_and(|ip| {
                let ip = ip.to_canonical();
                networks.iter().any(|network| network.contains(&ip))
            }),
        }
    }
}

/// Parses an address; `None` if the text is not exactly one.
pub(super) fn parse_address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// Parses an address or a network in CIDR notation (RFC 4632). Host bits are ignored.
#[must_use]
pub fn parse_network(text: &str) -> Option<IpNet> {
    if let Some(ip) = parse_address(text) {
        return Some(IpNet::from(ip));
    }
    let (ip, length) = text.split_once('/')?;
    let network = IpNet::new(ip.parse().ok()?, prefix_length(length)?).ok()?;
    Some(canonical(network.trunc()))
}

/// Parses a number of bits, written in one way only: some readers take `010` for octal.
fn prefix_length(text: &str) -> Option<u8> {
    let is_plain = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| is_plain)
}

/// A network inside `::ffff:0:0/96` is the IPv4 network that it maps.
fn canonical(network: IpNet) -> IpNet {
    const MAPPED_BITS: u8 = 96;
    if let (IpNet::V6(v6), Some(v4)) = (network, mapped(network))
        && let Some(length) = v6.prefix_len().checked_sub(MAPPED_BITS)
        && let Ok(v4) = Ipv4Net::new(v4, length)
    {
        return IpNet::V4(v4);
    }
    network
}

fn mapped(network: IpNet) -> Option<std::net::Ipv4Addr> {
    match network {
        IpNet::V6(v6) => v6.network().to_ipv4_mapped(),
        IpNet::V4(_) => None,
    }
}
