use std::net::Ipv4Addr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::model::parse_network;

fn proxies(networks: &[&str]) -> ProxyTrust {
    ProxyTrust::Proxies(
        networks
            .iter()
            .map(|text| parse_network(text).unwrap())
            .collect(),
    )
}

fn hops(count: usize) -> ProxyTrust {
    ProxyTrust::Hops(NonZeroUsize::new(count).unwrap())
}

fn ip(trust: &ProxyTrust, lines: &[&str]) -> String {
    let client = trust.client(None, lines);
    client.ip.map_or("unknown".into(), |ip| ip.to_string())
}

/// The operator's proxies in these tests: two private networks and one public address.
const OWN: [&str; 3] = ["10.0.0.0/8", "fd00::/8", "192.0.2.1"];
const REAL: &str = "203.0.113.7";

/// Lines of the header as they arrive when a client at [`REAL`] tries to spoof another address behind one of our
/// proxies, which appends. Whatever is on the left, the result is the real address, or unknown.
const SPOOFED: &[&[&str]] = &[
    &["10.1.2.3, 203.0.113.7"],
    &["127.0.0.1, 203.0.113.7"],
    &["::1, 203.0.113.7"],
    &["192.0.2.1, 203.0.113.7"],
    &["10.0.0.1, 10.0.0.2, 10.0.0.3, 203.0.113.7"],
    &["10.1.2.3,203.0.113.7"],
    &["10.1.2.3\t,\t203.0.113.7"],
    &["10.1.2.3  ,  203.0.113.7  "],
    &["10.1.2.3", "203.0.113.7"],
    &["10.1.2.3", "10.1.2.4", "203.0.113.7"],
    &["10.1.2.3, 10.1.2.4", "203.0.113.7"],
    &["", "203.0.113.7"],
    &["", "", "10.1.2.3", "203.0.113.7"],
    &[", 203.0.113.7"],
    &[",,,,, 203.0.113.7"],
    &["10.1.2.3,, 203.0.113.7"],
    &["10.1.2.3,, , ,203.0.113.7"],
    &["unknown, 203.0.113.7"],
    &["_hidden, 203.0.113.7"],
    &["10.1.2.3;203.0.113.9, 203.0.113.7"],
    &["10.1.2.3 203.0.113.9, 203.0.113.7"],
    &["for=10.1.2.3, 203.0.113.7"],
    &["for=\"[::1]\";by=10.1.2.3, 203.0.113.7"],
    &["\"10.1.2.3\", 203.0.113.7"],
    &["\"10.1.2.3, 203.0.113.7"],
    &["10.1.2.3\\, 203.0.113.7"],
    &["10.1.2.3:80, 203.0.113.7"],
    &["10.1.2.3, 203.0.113.7:51234"],
    &["10.1.2.3:, 203.0.113.7"],
    &["10.1.2.3:99999, 203.0.113.7"],
    &["10.1.2.3:+80, 203.0.113.7"],
    &["[::1]:443, 203.0.113.7"],
    &["[::1, 203.0.113.7"],
    &["::1], 203.0.113.7"],
    &["[[::1]], 203.0.113.7"],
    &["[10.1.2.3], 203.0.113.7"],
    &["[fd00::1%eth0]:80, 203.0.113.7"],
    &["fd00::1%eth0, 203.0.113.7"],
    &["fd00::1%, 203.0.113.7"],
    &["::ffff:10.1.2.3, 203.0.113.7"],
    &["::ffff:0a01:0203, 203.0.113.7"],
    &["10.1.2.3, ::ffff:203.0.113.7"],
    &["10.1.2.3, ::FFFF:CB00:7107"],
    &["10.1.2.3, [::ffff:203.0.113.7]"],
    &["10.1.2.3, [::ffff:203.0.113.7]:51234"],
    &["010.1.2.3, 203.0.113.7"],
    &["10.1.2, 203.0.113.7"],
    &["0x0a.1.2.3, 203.0.113.7"],
    &["167838211, 203.0.113.7"],
    &["10.1.2.3/8, 203.0.113.7"],
    &["10.1.2.3., 203.0.113.7"],
    &["localhost, 203.0.113.7"],
    &["proxy.internal, 203.0.113.7"],
    &["http://10.1.2.3, 203.0.113.7"],
    &["10.1.2.3\u{0}, 203.0.113.7"],
    &["10.1.2.3\r\nX-Forwarded-For: 10.1.2.3, 203.0.113.7"],
    &["10.1.2.3\n, 203.0.113.7"],
    &["１０.1.2.3, 203.0.113.7"],
    &["10.1.2.3\u{a0}, 203.0.113.7"],
    &["10.1.2.3，10.1.2.3, 203.0.113.7"],
    &["' OR 1=1 --, 203.0.113.7"],
    &["%31%30.1.2.3, 203.0.113.7"],
    &["203.0.113.7, 203.0.113.7"],
    &["203.0.113.7"],
];

/// Lines where the proxies' own part is unreadable: the result is always unknown.
const UNREADABLE: &[&[&str]] = &[
    &[],
    &[""],
    &["", ""],
    &[" "],
    &[","],
    &["10.1.2.3,"],
    &["203.0.113.7,"],
    &["203.0.113.7", ""],
    &["203.0.113.7, unknown"],
    &["203.0.113.7, 10.0.0.1x"],
    &["203.0.113.7, 10.0.0.1:"],
    &["203.0.113.7, 10.0.0.1:x"],
    &["203.0.113.7, 10.0.0.1:65536"],
    &["203.0.113.7, 10.0.0.1%eth0"],
    &["203.0.113.7, [10.0.0.1]"],
    &["203.0.113.7, [fd00::1"],
    &["203.0.113.7, [fd00::1]443"],
    &["203.0.113.7, [fd00::1]:"],
    &["203.0.113.7, fd00::1%"],
    &["203.0.113.7, fd00::1% "],
    &["203.0.113.7, \"10.0.0.1\""],
    &["203.0.113.7, 10.0.0.1 10.0.0.2"],
    &["203.0.113.7, 10.0.0.1\u{a0}"],
    &["203.0.113.7, 010.0.0.1"],
];

#[test]
fn no_client_can_spoof_an_address() {
    assert!(SPOOFED.len() >= 60, "{} cases", SPOOFED.len());
    for lines in SPOOFED {
        for trust in [proxies(&OWN), hops(1)] {
            assert_eq!(ip(&trust, lines), REAL, "{lines:?} by {trust:?}");
        }
        assert_eq!(ip(&ProxyTrust::Nobody, lines), "unknown", "{lines:?}");
    }
}

#[test]
fn no_client_can_spoof_an_address_behind_two_proxies() {
    for lines in SPOOFED {
        for second in ["10.0.0.9", "fd00::9", "[fd00::9]:443", "::ffff:10.0.0.9"] {
            let lines: Vec<&str> = lines.iter().copied().chain([second]).collect();
            for trust in [proxies(&OWN), hops(2)] {
                assert_eq!(ip(&trust, &lines), REAL, "{lines:?} by {trust:?}");
            }
        }
    }
}

#[test]
fn an_unreadable_hop_makes_the_address_unknown() {
    for lines in UNREADABLE {
        for trust in [proxies(&OWN), hops(1)] {
            assert_eq!(ip(&trust, lines), "unknown", "{lines:?} by {trust:?}");
        }
    }
}

#[test]
fn an_unreadable_hop_on_the_way_makes_the_address_unknown() {
    for on_the_way in ["no address", "", "10.0.0.256", "unknown"] {
        let line = format!("{REAL}, {on_the_way}");
        assert_eq!(ip(&hops(2), &[&line]), "unknown", "{line}");
        assert_eq!(ip(&hops(3), &[&line, "10.0.0.1"]), "unknown", "{line}");
    }
    // What is further left was written by the client.
    assert_eq!(ip(&hops(1), &[&format!("no address, {REAL}")]), REAL);
}

#[test]
fn too_few_hops_are_unknown() {
    assert_eq!(ip(&hops(3), &["203.0.113.7, 10.0.0.1"]), "unknown");
    assert_eq!(ip(&hops(32), &["203.0.113.7"]), "unknown");
}

#[test]
fn a_list_of_proxies_alone_has_no_client() {
    for line in ["10.1.2.3", "10.1.2.3, 10.0.0.1, fd00::1, 192.0.2.1"] {
        assert_eq!(ip(&proxies(&OWN), &[line]), "unknown");
    }
    assert_eq!(
        ip(&proxies(&["0.0.0.0/0", "::/0"]), &["203.0.113.7, ::1"]),
        "unknown"
    );
}

#[test]
fn addresses_are_read_as_proxies_write_them() {
    for (hop, expected) in [
        ("203.0.113.7:1", "203.0.113.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:65535", "2001:db8::1"),
        ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0.1]:80", "fe80::1"),
        // Ambiguous, and read as the address that it is.
        ("2001:db8::1:443", "2001:db8::1:443"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ] {
        assert_eq!(ip(&hops(1), &[hop]), expected, "{hop}");
        assert_eq!(
            ip(&proxies(&OWN), &["10.1.2.3", hop, "10.0.0.1"]),
            expected,
            "{hop}"
        );
    }
}

#[test]
fn the_claim_is_the_leftmost_hop() {
    let claimed = |lines: &[&str]| {
        ProxyTrust::Nobody
            .client(None, lines)
            .claimed
            .map(|ip| ip.to_string())
    };
    assert_eq!(
        claimed(&["10.1.2.3:80, 203.0.113.7", "::1"]).as_deref(),
        Some("10.1.2.3")
    );
    assert_eq!(claimed(&["<script>, 203.0.113.7"]), None);
    assert_eq!(claimed(&[]), None);
}

#[test]
fn a_huge_header_is_read_from_the_right() {
    let many = "10.1.2.3, ".repeat(100_000) + REAL;
    assert_eq!(ip(&proxies(&OWN), &[&many]), REAL);
    let long = "1".repeat(1_000_000);
    assert_eq!(ip(&hops(1), &[&format!("{long}, {REAL}")]), REAL);
    assert_eq!(ip(&hops(1), &[&format!("{REAL}, {long}")]), "unknown");
    assert_eq!(
        ip(&proxies(&OWN), &[&"10.1.2.3,".repeat(100_000)]),
        "unknown"
    );
}

/// The client by the peer of the socket and one line of the header.
fn ip_behind(trust: &ProxyTrust, peer: &str, line: &str) -> String {
    let ip = trust.address(Some(peer), &[line]);
    ip.map_or("unknown".into(), |ip| ip.to_string())
}

#[test]
fn a_peer_that_is_no_declared_proxy_is_the_client() {
    for peer in [REAL, "::ffff:203.0.113.7"] {
        for line in ["", "10.1.2.3", "10.1.2.3, 10.0.0.1", "unknown"] {
            assert_eq!(ip_behind(&proxies(&OWN), peer, line), REAL, "{line:?}");
            assert_eq!(ip_behind(&ProxyTrust::Nobody, peer, line), REAL, "{line:?}");
        }
    }
}

#[test]
fn behind_a_declared_peer_the_header_is_read() {
    for peer in ["10.0.0.9", "::ffff:10.0.0.9", "fd00::9%eth0"] {
        for lines in SPOOFED {
            let line = lines.join(", ");
            assert_eq!(ip_behind(&proxies(&OWN), peer, &line), REAL, "{line:?}");
        }
        for line in ["", "10.0.0.1", "203.0.113.7, unknown"] {
            assert_eq!(ip_behind(&proxies(&OWN), peer, line), "unknown", "{line:?}");
        }
    }
    assert_eq!(ip_behind(&proxies(&OWN), "no address", REAL), "unknown");
}

#[test]
fn a_peer_is_the_nearest_of_a_number_of_hops() {
    for peer in ["10.0.0.9", "198.51.100.1"] {
        assert_eq!(ip_behind(&hops(1), peer, "10.1.2.3, 203.0.113.7"), REAL);
        assert_eq!(ip_behind(&hops(2), peer, "203.0.113.7, 10.0.0.1"), REAL);
        assert_eq!(ip_behind(&hops(2), peer, REAL), "unknown");
        assert_eq!(ip_behind(&hops(1), peer, ""), "unknown");
    }
}

#[test]
fn the_peer_stands_before_the_header() {
    for (hops, expected) in [
        ("", (None, "")),
        ("203.0.113.7", (None, "203.0.113.7")),
        ("\n10.0.0.9\n", (Some("10.0.0.9"), "")),
        (
            "\n10.0.0.9\n203.0.113.7\n::1",
            (Some("10.0.0.9"), "203.0.113.7\n::1"),
        ),
        ("203.0.113.7\n10.0.0.9\n", (None, "203.0.113.7\n10.0.0.9\n")),
        ("\n10.0.0.9", (None, "\n10.0.0.9")),
    ] {
        assert_eq!(split_peer(hops), expected, "{hops:?}");
    }
}

fn networks() -> impl Strategy<Value = Vec<IpNet>> {
    proptest::collection::vec(
        any::<(u32, u8)>().prop_map(|(bits, length)| {
            IpNet::new(Ipv4Addr::from_bits(bits).into(), 8 + length % 25)
                .unwrap()
                .trunc()
        }),
        1..4,
    )
}

proptest! {
    /// Whatever a client sends, only the hops appended by our proxies decide.
    #[test]
    fn spoofed_hops_never_decide(spoofed in any::<Vec<String>>(), own in networks(), client: u32, chain in 0..4_usize) {
        let client = IpAddr::V4(Ipv4Addr::from_bits(client));
        let trusted = own[0].network().to_string();
        let appended = std::iter::once(client.to_string()).chain(std::iter::repeat_n(trusted, chain));
        let appended = appended.collect::<Vec<_>>().join(", ");
        let lines: Vec<&str> = spoofed.iter().map(String::as_str).chain([appended.as_str()]).collect();

        prop_assert_eq!(hops(chain + 1).client(None, &lines).ip, Some(client));
        if !own.iter().any(|network| network.contains(&client)) {
            prop_assert_eq!(ProxyTrust::Proxies(own.into()).client(None, &lines).ip, Some(client));
        }
    }

    /// `Headers.get` joins lines by a comma.
    #[test]
    fn several_lines_equal_one_joined_line(lines in any::<Vec<String>>(), count in 1..5_usize) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        for trust in [hops(count), proxies(&OWN)] {
            let joined = lines.join(", ");
            let joined: &[&str] = if lines.is_empty() { &[] } else { &[&joined] };
            prop_assert_eq!(trust.client(None, &lines), trust.client(None, joined));
        }
    }

    #[test]
    fn a_trusted_address_is_never_the_client(line in "[0-9a-f:., \\[\\]%]{0,80}", own in networks()) {
        if let Some(ip) = ProxyTrust::Proxies(own.clone().into()).client(None, &[&line]).ip {
            prop_assert!(!own.iter().any(|network| network.contains(&ip)));
        }
    }
}
