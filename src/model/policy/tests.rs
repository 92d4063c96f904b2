use super::super::ip::parse_address;
use super::super::scope::HeldScopes;
use super::*;

const NOW: Timestamp = Timestamp::MIN;

fn policy() -> KeyPolicy {
    KeyPolicy {
        key_id: "k".into(),
        class: KeyClass::default(),
        kind: "secret".into(),
        name: "n".into(),
        client_id: "c".into(),
        is_revoked: false,
        is_compromised: false,
        is_active: true,
        expires_at: None,
        suspended_until: None,
        grace_ends_at: None,
        allow_list: AllowList::Everyone,
        origins: Origins::Any,
        scopes: held(&["docs:*", "search"]),
        metadata: None,
        rate_limit: None,
        rate_limit_window_seconds: None,
        limits: Vec::new(),
        quotas: Vec::new(),
        reset_generation: 0,
    }
}

fn held(scopes: &[&str]) -> EffectiveScopes {
    EffectiveScopes::of_key(HeldScopes::new(
        scopes.iter().map(|&scope| scope.into()).collect(),
    ))
}

fn check(policy: &KeyPolicy, scopes: &[&str]) -> Result<(), Refusal> {
    check_with(policy, scopes, &[])
}

fn check_with(
    policy: &KeyPolicy,
    scopes: &[&str],
    clients: &[ClientPolicy],
) -> Result<(), Refusal> {
    let suspended_until = policy.suspended_until;
    let scopes = ScopeQuery::of_lines(scopes.join("\n").into()).unwrap();
    policy.check(NOW, (None, None), &scopes, false, suspended_until, clients)
}

fn client() -> ClientPolicy {
    ClientPolicy {
        client_id: "c".into(),
        is_active: true,
        parent_id: None,
        metadata: None,
        allow_list: AllowList::Everyone,
        limits: Vec::new(),
        quotas: Vec::new(),
    }
}

#[test]
fn a_key_must_pass_the_rules_of_its_client_and_of_each_client_above() {
    let disabled = ClientPolicy {
        is_active: false,
        ..client()
    };
    let listed = ClientPolicy {
        allow_list: AllowList::parse(&["10.0.0.0/8".into()]),
        ..client()
    };
    let check = |policy: &KeyPolicy, above: &ClientPolicy| {
        let clients = [client(), client(), above.clone()];
        let refusal = check_with(policy, &[], &clients);
        // At whichever level it is.
        assert_eq!(check_with(policy, &[], &clients[2..]), refusal);
        refusal
    };
    let expired = KeyPolicy {
        expires_at: Some(NOW),
        ..policy()
    };
    let inactive = KeyPolicy {
        is_active: false,
        ..policy()
    };
    assert_eq!(check(&policy(), &client()), Ok(()));
    assert_eq!(check(&policy(), &disabled), Err(Refusal::ClientDisabled));
    assert_eq!(check(&expired, &disabled), Err(Refusal::ClientDisabled));
    assert_eq!(check(&inactive, &disabled), Err(Refusal::Disabled));
    assert_eq!(check(&policy(), &listed), Err(Refusal::IpNotAllowed));
}

#[test]
fn a_revoked_key_is_told_apart_from_a_disabled_or_expired_one() {
    let revoked = KeyPolicy {
        is_revoked: true,
        is_active: false,
        expires_at: Some(NOW),
        ..policy()
    };
    assert_eq!(check(&revoked, &[]), Err(Refusal::Revoked));
    let active = KeyPolicy {
        is_active: true,
        ..revoked
    };
    assert_eq!(check(&active, &[]), Err(Refusal::Revoked));
}

#[test]
fn a_key_expires_at_exactly_its_expiry_instant() {
    let at = |expires_at| {
        check(
            &KeyPolicy {
                expires_at: Some(expires_at),
                ..policy()
            },
            &[],
        )
    };
    assert_eq!(at(NOW), Err(Refusal::Expired));
    assert_eq!(at(Timestamp::from_millis(NOW.millis() + 1)), Ok(()));
}

#[test]
fn a_replaced_key_reveals_no_more_than_an_unknown_one() {
    let replaced = KeyPolicy {
        grace_ends_at: Some(NOW),
        is_active: false,
        ..policy()
    };
    assert_eq!(check(&replaced, &[]), Err(Refusal::InvalidKey));
}

#[test]
fn scopes_are_held_exactly_by_prefix_or_all() {
    for (required, held) in [
        ("docs:read", true),
        ("docs:", true),
        ("docs:*", true),
        ("docs", false),
        ("search", true),
        ("search:x", false),
        ("searc", false),
        ("*", false),
    ] {
        assert_eq!(check(&policy(), &[required]).is_ok(), held, "{required}");
    }
    let all = KeyPolicy {
        scopes: held(&["*"]),
        ..policy()
    };
    assert_eq!(check(&all, &["anything", "docs:read"]), Ok(()));
    assert_eq!(
        check(&policy(), &["search", "other"]),
        Err(Refusal::InsufficientScope)
    );
}

#[test]
fn an_unparseable_list_or_an_unknown_address_refuses() {
    let list = |entries: &[&str]| {
        AllowList::parse(
            &entries
                .iter()
                .map(|&entry| entry.into())
                .collect::<Vec<String>>(),
        )
    };
    let ip = |text: &str| parse_address(text);
    assert!(list(&[]).allows(None));
    assert!(!list(&["10.0.0.0/8"]).allows(None));
    assert!(!list(&["10.0.0.0/8", "nonsense"]).allows(ip("10.1.1.1")));
    assert!(!list(&[""]).allows(ip("10.1.1.1")));
    assert!(list(&["10.0.0.0/8"]).allows(ip("::ffff:10.1.1.1")));
    assert!(list(&["::ffff:10.0.0.0/104"]).allows(ip("10.1.1.1")));
    assert!(list(&["::ffff:10.0.0.1"]).allows(ip("10.0.0.1")));
    assert!(!list(&["10.0.0.0/8"]).allows(ip("11.1.1.1")));
    assert!(!list(&["::/0"]).allows(ip("10.1.1.1")));
}

/// Compares with a reference implementation on bits: addresses as 128-bit numbers, IPv4 as IPv6-mapped.
#[test]
fn networks_match_bit_by_bit() {
    use rand::{RngExt, SeedableRng, rngs::StdRng};
    use std::net::{Ipv4Addr, Ipv6Addr};

    const MAPPED: u128 = 0xffff << 32;
    let mut rng = StdRng::seed_from_u64(7);
    let mut matched = 0;
    for _ in 0..100_000 {
        let v4 = rng.random_bool(0.5);
        let width: u32 = if v4 { 32 } else { 128 };
        let length = rng.random_range(0..=width);
        let network: u128 = if v4 {
            rng.random::<u32>().into()
        } else {
            rng.random()
        };
        // Most addresses share a random number of leading bits with the network.
        let keep = rng.random_range(0..=width);
        let noise: u128 = if v4 {
            rng.random::<u32>().into()
        } else {
            rng.random()
        };
        let address = network ^ noise.checked_shr(keep).unwrap_or(0);
        let same_family = rng.random_bool(0.9);

        let text = |bits: u128, mapped: bool| match (v4, mapped) {
            (true, false) => Ipv4Addr::from_bits(u32::try_from(bits).unwrap()).to_string(),
            (true, true) => Ipv6Addr::from_bits(MAPPED | bits).to_string(),
            (false, _) => Ipv6Addr::from_bits(bits).to_string(),
        };
        let mapped_network = v4 && rng.random_bool(0.3);
        let shown_length = if mapped_network { length + 96 } else { length };
        let list = AllowList::parse(&[format!("{}/{shown_length}", text(network, mapped_network))]);
        let presented = if same_family {
            text(address, v4 && rng.random_bool(0.3))
        } else if v4 {
            format!("2001:db8::{:x}", rng.random::<u16>())
        } else {
            Ipv4Addr::from_bits(rng.random()).to_string()
        };

        let differing = (network ^ address).checked_shr(width - length).unwrap_or(0);
        // A random IPv6 network is never the mapped range.
        let expected = same_family && differing == 0;
        matched += usize::from(expected);
        assert_eq!(
            list.allows(parse_address(&presented)),
            expected,
            "{presented} in {list:?}"
        );
    }
    assert!(
        (10_000..90_000).contains(&matched),
        "{matched} matched: the test tells nothing"
    );
}

#[test]
fn refusals_are_numbered_in_their_order() {
    for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(refusal.number()), index + 1, "{refusal:?}");
    }
}
