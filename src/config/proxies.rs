//! The operator's own reverse proxies: `trustedProxies` or `trustedHops`.

use std::num::NonZeroUsize;

use ipnet::IpNet;

use super::reader::OptionReader;
use crate::model::ProxyTrust;

/// A shorter prefix would include foreign addresses: `10.0.0.0/8` and `fc00::/7` are the widest private networks.
const SHORTEST_V4: u8 = 8;
const SHORTEST_V6: u8 = 7;

pub(super) fn trust(reader: &mut OptionReader<'_>) -> ProxyTrust {
    let proxies = reader.list("trustedProxies");
    let hops = reader.number("trustedHops", 1..=32);
    let proxies = proxies.filter(|entries| !entries.is_empty());
    match (proxies, hops) {
        (Some(_), Some(_)) => {
            reader.fail_option(
                "trustedProxies",
                "must not be combined with trustedHops (API_KEYS_TRUSTED_HOPS): set only one of the two",
            );
            ProxyTrust::Nobody
        }
        (Some(entries), None) => {
            let networks = reader.networks("trustedProxies", &entries);
            refuse_strangers(reader, &networks);
            ProxyTrust::Proxies(networks)
        }
        (None, Some(hops)) => {
            NonZeroUsize::new(hops as usize).map_or(ProxyTrust::Nobody, ProxyTrust::Hops)
        }
        (None, None) => ProxyTrust::Nobody,
    }
}

fn refuse_strangers(reader: &mut OptionReader<'_>, networks: &[IpNet]) {
    if networks.iter().any(takes_in_strangers) {
        reader.fail_option(
            "trustedProxies",
            &format!(
                "must not contain networks wider than /{SHORTEST_V4} (IPv4) or /{SHORTEST_V6} (IPv6): list your own \
                 proxies only, so that no client is taken for a proxy"
            ),
        );
    }
}

fn takes_in_strangers(network: &IpNet) -> bool {
    let shortest = match network {
        IpNet::V4(_) => SHORTEST_V4,
        IpNet::V6(_) => SHORTEST_V6,
    };
    network.prefix_len() < shortest
}
