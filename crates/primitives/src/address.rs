//! Addresses as proxies and sockets write them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of the longest address that is read: IPv6 with brackets, zone and port.
pub const CLIENT_ADDRESS_MAX: usize = 128;

/// Reads an address as proxies and sockets write it: perhaps with a port; IPv6 also in brackets and with a zone. Port and
/// zone are dropped.
#[must_use]
#[inline(never)]
pub fn parse_client_address(text: &str) -> Option<IpAddr> {
    // Most are nothing else.
    if let Some(ip) = ipv4(text) {
        return Some(ip);
    }
    let hop = text.trim_matches([' ', '\t']);
    if hop.is_empty() || hop.len() > CLIENT_ADDRESS_MAX {
        return None;
    }
    if let Some(bracketed) = hop.strip_prefix('[') {
        let (ip, rest) = bracketed.split_once(']')?;
        let port = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return port.then(|| ipv6(ip))?;
    }
    match hop.split_once(':') {
        None => ipv4(hop),
        Some((ip, port)) if !port.contains(':') => is_port(port).then(|| ipv4(ip))?,
        Some(_) => ipv6(hop),
    }
}

fn ipv4(text: &str) -> Option<IpAddr> {
    text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}

fn ipv6(text: &str) -> Option<IpAddr> {
    let ip = match text.split_once('%') {
        Some((ip, zone)) => is_zone(zone).then_some(ip)?,
        None => text,
    };
    // `::ffff:1.2.3.4` is `1.2.3.4`.
    let ip = ip.parse::<Ipv6Addr>().ok()?;
    Some(IpAddr::V6(ip).to_canonical())
}

fn is_port(text: &str) -> bool {
    // `parse` alone would accept a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_zone(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"%-._~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}
