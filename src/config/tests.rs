use std::time::Duration;

use super::*;
use crate::input::Value;
use crate::model::ProxyTrust;

fn empty_environment(_: &str) -> Option<String> {
    None
}

fn url_only(variable: &str) -> Option<String> {
    (variable == "DATABASE_URL").then(|| "postgres://localhost/app".to_owned())
}

fn problems(options: &[(&str, Value)]) -> String {
    let options = options
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    match Config::load(&Options(options), &empty_environment) {
        Err(error) => error.to_string(),
        Ok(_) => String::new(),
    }
}

#[test]
fn the_environment_alone_is_enough() {
    let config = Config::load(&Options::default(), &url_only).unwrap();
    let prefixes: Vec<_> = config.kinds.iter().map(|kind| &*kind.prefix).collect();
    assert_eq!(prefixes, ["sophra"]);
    assert_eq!(config.flush_interval, Duration::from_secs(1));
    assert_eq!(config.usage_interval_max, Duration::from_secs(30));
    assert!(config.jwt_secret.is_err());
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = problems(&[
        ("poolMax", Value::Number(0.0)),
        ("prefixes", Value::List(vec![Value::Text("1st".into())])),
        ("nonsense", Value::Bool(true)),
    ]);
    for name in ["databaseUrl", "poolMax", "prefixes", "nonsense"] {
        assert!(text.contains(name), "{name} in {text}");
    }
}

#[test]
fn options_override_the_environment() {
    let options = Options::read(Value::Object(vec![(
        "databaseUrl".into(),
        Value::Text("postgres://other/app".into()),
    )]))
    .unwrap();
    let config = Config::load(&options, &url_only).unwrap();
    assert_eq!(config.database_url.place(), "other:5432/app");
}

fn list(entries: &[&str]) -> Value {
    Value::List(
        entries
            .iter()
            .map(|entry| Value::Text((*entry).into()))
            .collect(),
    )
}

#[test]
fn proxies_are_declared_by_address_or_by_number() {
    let trust = |options: &[(&str, Value)]| {
        let options = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        load_trust(&Options(options.collect()), &empty_environment)
            .map_err(|error| error.to_string())
    };
    assert_eq!(trust(&[]), Ok(ProxyTrust::Nobody));
    assert_eq!(
        trust(&[("trustedProxies", list(&[]))]),
        Ok(ProxyTrust::Nobody)
    );
    assert!(
        matches!(trust(&[("trustedHops", Value::Number(2.0))]), Ok(ProxyTrust::Hops(hops)) if hops.get() == 2)
    );
    let own = list(&["10.0.0.0/8", "::1", "::ffff:192.0.2.0/120", "fc00::/7"]);
    assert!(
        matches!(trust(&[("trustedProxies", own)]), Ok(ProxyTrust::Proxies(own)) if own.len() == 4)
    );
}

#[test]
fn a_wrong_declaration_of_proxies_is_reported() {
    for entries in [
        &["proxy"][..],
        &["10.0.0.1", ""],
        &["10.0.0.0/33"],
        &["*"],
        &["10.0.0.1-9"],
    ] {
        let text = problems(&[("trustedProxies", list(entries))]);
        assert!(
            text.contains("trustedProxies (API_KEYS_TRUSTED_PROXIES) must each be"),
            "{text}"
        );
    }
    for wide in [
        "0.0.0.0/0",
        "::/0",
        "128.0.0.0/1",
        "10.0.0.0/7",
        "2000::/3",
        "::ffff:0:0/96",
    ] {
        let text = problems(&[("trustedProxies", list(&["10.0.0.1", wide]))]);
        assert!(
            text.contains("must not contain networks wider than"),
            "{wide}: {text}"
        );
    }
    for hops in [0.0, -1.0, 1.5, 33.0] {
        let text = problems(&[("trustedHops", Value::Number(hops))]);
        assert!(
            text.contains("trustedHops (API_KEYS_TRUSTED_HOPS) must be"),
            "{text}"
        );
    }
    let both = [
        ("trustedProxies", list(&["10.0.0.1"])),
        ("trustedHops", Value::Number(1.0)),
    ];
    assert!(problems(&both).contains("must not be combined with trustedHops"));
}
