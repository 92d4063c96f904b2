//! The origins whose pages may use a key (RFC 6454), as browsers write them: in lower case, hosts in Punycode, without the port that
//! the scheme has by default.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Maximum length of an origin, in bytes: a host has at most 253.
pub const ORIGIN_MAX: usize = 300;

/// The origins of a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origins {
    #[default]
    Any,
    /// Pages of these alone; none if there are none.
    Only(Box<[Box<str>]>),
}

impl Origins {
    #[must_use]
    pub fn of(stored: Option<Vec<String>>) -> Self {
        stored.map_or(Self::Any, |origins| {
            Self::Only(origins.into_iter().map(Into::into).collect())
        })
    }

    /// Whether a request with this `Origin` may use the key. One without is of no browser's page, or of one of our own origin.
    #[must_use]
    pub fn allow(&self, origin: Option<&str>) -> bool {
        match (self, origin) {
            (Self::Any, _) | (_, None) => true,
            (Self::Only(origins), Some(origin)) => {
                origins.iter().any(|allowed| is_within(origin, allowed))
            }
        }
    }

    /// The memory of its texts, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Any => 0,
            Self::Only(origins) => origins
                .iter()
                .map(|origin| size_of_val(origin) + origin.len())
                .sum(),
        }
    }
}

/// `*` in what is allowed stands for one label of the host.
fn is_within(origin: &str, allowed: &str) -> bool {
    let Some((scheme, host)) = allowed.split_once("*.") else {
        return origin == allowed;
    };
    let label = origin
        .strip_prefix(scheme)
        .and_then(|rest| rest.strip_suffix(host))
        .and_then(|rest| rest.strip_suffix('.'));
    label.is_some_and(is_label)
}

/// Reads an origin that a key is to have: `http(s)://host[:port]`, or `https://*.host[:port]`. `None` if it is none.
#[must_use]
pub fn normalized_origin(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let (host, port) = match rest.rsplit_once(':') {
        // Inside of brackets it is part of an address.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port_of(port)?)),
        _ => (rest, None),
    };
    let host = match host.strip_prefix("*.") {
        Some(domain) if scheme == "https" => format!("*.{}", wide(domain)?),
        Some(_) => return None,
        None => host_of(host)?,
    };
    let origin = match port {
        Some(port) if port != default_port => format!("{scheme}://{host}:{port}"),
        _ => format!("{scheme}://{host}"),
    };
    (origin.len() <= ORIGIN_MAX).then_some(origin)
}

fn port_of(text: &str) -> Option<u16> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    is_plain.then(|| text.parse().ok())?
}

/// The domain below which any label is allowed. It must have a label of its owner, not only that of a registry.
fn wide(domain: &str) -> Option<String> {
    let domain = host_of(domain)?;
    let is_name = domain.contains('.') && domain.parse::<Ipv4Addr>().is_err();
    is_name.then_some(domain)
}

fn host_of(text: &str) -> Option<String> {
    if let Some(inner) = text.strip_prefix('[') {
        let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        // Browsers write the others in another way.
        return address
            .to_ipv4()
            .is_none_or(|_| address.is_loopback())
            .then(|| format!("[{address}]"));
    }
    let labels: Option<Vec<String>> = text.split('.').map(label_of).collect();
    let host = labels?.join(".");
    // What ends with a number is an address (WHATWG URL, 3.5), of which browsers read more forms than they write.
    let last = host.rsplit('.').next()?;
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return None;
    }
    (host.len() <= 253).then_some(host)
}

/// A label of a host, in Punycode (RFC 3492) where it is not ASCII.
fn label_of(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    if lower.is_ascii() {
        return is_label(&lower).then_some(lower);
    }
    if !lower.chars().all(is_plain_letter) {
        return None;
    }
    let label = format!("xn--{}", idna::punycode::encode_str(&lower)?);
    (label.len() <= LABEL_MAX).then_some(label)
}

const LABEL_MAX: usize = 63;

fn is_label(label: &str) -> bool {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-_".contains(&c);
    (1..=LABEL_MAX).contains(&label.len()) && label.bytes().all(fits)
}

/// Whether browsers leave the character as it is: those that they would replace (UTS 46), such as wide ones, are refused.
fn is_plain_letter(c: char) -> bool {
    let replaced = matches!(
        c,
        '\u{2000}'..='\u{2bff}' | '\u{3200}'..='\u{33ff}' | '\u{f900}'..='\u{ffff}' | '\u{1d400}'..='\u{1d7ff}' | '\u{2f800}'..
    );
    c.is_ascii_alphanumeric() || c == '-' || c.is_alphanumeric() && !c.is_ascii() && !replaced
}

#[cfg(test)]
mod tests;
