use sqlx::postgres::PgSslMode;

use super::*;

fn parse(text: &str) -> Result<DatabaseUrl, Vec<String>> {
    DatabaseUrl::parse(text, &|_| None)
}

fn parsed(text: &str) -> DatabaseUrl {
    parse(text).unwrap_or_else(|why| panic!("{text}: {why:?}"))
}

fn problem(text: &str) -> String {
    parse(text).err().unwrap_or_default().join("; ")
}

fn mode(query: &str) -> String {
    let url = format!("postgres://u:p@db/app?{query}");
    match parse(&url) {
        Ok(url) => format!("{:?}", url.servers[0].get_ssl_mode()),
        Err(problems) => problems.join("; "),
    }
}

#[test]
fn prisma_parameters_are_understood() {
    let url = parsed(
        "postgresql://u:p@db:6432/app?schema=My%20App&pgbouncer=true&connection_limit=3&sslmode=require",
    );
    assert_eq!(url.schema.as_deref(), Some("My App"));
    assert!(url.pooled);
    assert_eq!(url.connection_limit, Some(3));
    assert_eq!(url.place(), "db:6432/app");
}

#[test]
fn other_databases_are_refused_without_quoting_the_url() {
    for text in ["mysql://u:secret@h/d", "secret", "", "postgres"] {
        assert_eq!(problem(text), parts::NOT_POSTGRES);
    }
}

#[test]
fn a_password_that_is_not_encoded_is_refused_without_quoting_it() {
    for password in [
        "se/cret",
        "12/secret",
        "se#cret",
        "12#secret",
        "12?secret",
        "12?secret=1",
    ] {
        let text = problem(&format!("postgres://user:{password}@db:5432/app"));
        assert!(text.contains("percent-encode"), "{password}: {text}");
        assert!(!text.contains("cret"), "{text}");
    }
    let url = parsed("postgres://us%40er:p%2Fa%3Fs%23s+@db/app");
    assert_eq!(url.servers[0].get_username(), "us@er");
    assert_eq!(parsed("postgres://u:p@ss@db/app").place(), "db:5432/app");
}

#[test]
fn every_demand_for_encryption_is_met() {
    assert_eq!(mode(""), "Prefer");
    for (query, expected) in [
        ("sslmode=disable", PgSslMode::Disable),
        ("ssl=false", PgSslMode::Disable),
        ("sslmode=require", PgSslMode::Require),
        ("sslmode=no-verify", PgSslMode::Require),
        ("ssl=no-verify", PgSslMode::Require),
        ("ssl=true&sslmode=require", PgSslMode::Require),
        (
            "sslmode=require&sslaccept=accept_invalid_certs",
            PgSslMode::Require,
        ),
        ("ssl=true", PgSslMode::VerifyFull),
        ("ssl=1", PgSslMode::VerifyFull),
        ("sslmode=verify-ca", PgSslMode::VerifyFull),
        ("sslmode=verify-full", PgSslMode::VerifyFull),
        ("sslmode=require&sslaccept=strict", PgSslMode::VerifyFull),
        ("sslaccept=strict", PgSslMode::VerifyFull),
        ("sslmode=require&sslrootcert=/ca.pem", PgSslMode::VerifyFull),
        ("sslrootcert=/ca.pem", PgSslMode::VerifyFull),
        ("sslrootcert=system", PgSslMode::VerifyFull),
        ("channel_binding=prefer&sslmode=require", PgSslMode::Require),
    ] {
        assert_eq!(mode(query), format!("{expected:?}"), "{query}");
    }
}

#[test]
fn a_demand_that_cannot_be_met_is_refused_by_name() {
    for (query, name) in [
        ("channel_binding=require", "channel_binding"),
        ("require_auth=scram-sha-256", "require_auth"),
        ("gssencmode=require", "gssencmode"),
        ("sslcrl=/crl.pem", "sslcrl"),
        (
            "ssl_min_protocol_version=TLSv1.3",
            "ssl_min_protocol_version",
        ),
        ("sslidentity=/client.p12", "sslidentity"),
        ("sslcert=/ca.pem", "sslkey"),
        ("sslmode=on", "sslmode"),
        ("ssl=maybe", "ssl"),
        ("sslaccept=loose", "sslaccept"),
        ("sslMode=require", "sslMode"),
        ("ssl-mode=require", "ssl-mode"),
        ("sslmode=verify-full&sslmode=disable", "sslmode"),
        ("sslmode=disable&ssl=true", "ssl"),
        ("sslmode=prefer&ssl=true", "ssl"),
        ("sslmode=require&ssl=false", "sslmode"),
        ("sslmode=disable&sslaccept=strict", "sslaccept"),
        ("sslmode=prefer&sslrootcert=/ca.pem", "sslrootcert"),
        ("sslmode=no-verify&sslrootcert=/ca.pem", "sslrootcert"),
        (
            "sslmode=verify-full&sslaccept=accept_invalid_certs",
            "sslmode",
        ),
        ("pgbouncer=1", "pgbouncer"),
        ("connection_limit=many", "connection_limit"),
        ("target_session_attrs=standby", "target_session_attrs"),
    ] {
        assert!(mode(query).contains(name), "{query}: {}", mode(query));
    }
}

#[test]
fn the_environment_demands_as_the_url_does() {
    let with = |name: &'static str, value: &'static str| {
        DatabaseUrl::parse("postgres://u:p@db/app", &move |variable| {
            (variable == name).then(|| value.to_owned())
        })
    };
    assert!(
        with("PGCHANNELBINDING", "require").is_err_and(|why| why[0].contains("PGCHANNELBINDING"))
    );
    assert!(with("PGSSLMODE", "on").is_err_and(|why| why[0].contains("PGSSLMODE")));
    let url = with("PGSSLMODE", "no-verify").unwrap_or_else(|why| panic!("{why:?}"));
    assert!(matches!(url.servers[0].get_ssl_mode(), PgSslMode::Require));
}

#[test]
fn ignored_parameters_are_listed() {
    let url =
        parsed("postgres://u:p@db/app?connect_timeout=3&currentSchema=x&options=-c%20a.b%3Dc");
    let names = |list: &[Escaped]| {
        list.iter()
            .map(|name| name.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&url.ignored), ["connect_timeout", "currentSchema"]);
    assert_eq!(names(&url.unknown), ["currentSchema"]);
    assert_eq!(url.servers[0].get_options(), Some("-c a.b=c"));
}

#[test]
fn several_hosts_are_kept_in_order() {
    let url = parsed("postgres://u:p%40@a:1,b,[::1]:3/app?target_session_attrs=read-write");
    assert_eq!(url.place(), "a:1,b:5432,[::1]:3/app");
    assert!(url.must_write);
    for server in &url.servers {
        assert_eq!(server.get_username(), "u");
        assert_eq!(server.get_database(), Some("app"));
    }
    let url = parsed("postgres://u:p@/app?host=a,b&port=1,2");
    assert_eq!(url.place(), "a:1,b:2/app");
    assert_eq!(
        parsed("postgres://u:p@a,b/app?port=6").place(),
        "a:6,b:6/app"
    );
    assert_eq!(parsed("postgres://u:p@%2Ftmp:7/app").place(), "/tmp:7/app");
    assert!(!parsed("postgres://u:p@a/app").must_write);
    assert!(problem("postgres://u:p@a,b,c/app?port=1,2").contains("port"));
    assert!(problem(&format!("postgres://{}/app", ["a"; 40].join(","))).contains("32 hosts"));
}
