use super::*;

fn origins(list: &[&str]) -> Origins {
    Origins::of(Some(list.iter().map(ToString::to_string).collect()))
}

#[test]
fn an_origin_is_stored_as_browsers_write_it() {
    for (given, stored) in [
        ("https://app.example.com", "https://app.example.com"),
        ("HTTPS://App.Example.COM", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://app.example.com:80", "http://app.example.com"),
        ("http://app.example.com:443", "http://app.example.com:443"),
        (
            "https://app.example.com:8443",
            "https://app.example.com:8443",
        ),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://[2001:DB8::1]", "http://[2001:db8::1]"),
        ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        ("https://MÜNCHEN.example", "https://xn--mnchen-3ya.example"),
        ("https://例え.テスト", "https://xn--r8jz45g.xn--zckzah"),
        (
            "https://xn--mnchen-3ya.example",
            "https://xn--mnchen-3ya.example",
        ),
        ("https://*.Example.com", "https://*.example.com"),
        ("https://*.example.com:443", "https://*.example.com"),
        ("https://*.example.com:8443", "https://*.example.com:8443"),
        ("https://a_b.example.com", "https://a_b.example.com"),
    ] {
        assert_eq!(normalized_origin(given).as_deref(), Some(stored), "{given}");
    }
}

#[test]
fn what_is_no_origin_is_refused() {
    for text in [
        "",
        "*",
        "null",
        "app.example.com",
        "//app.example.com",
        "https:app.example.com",
        "https://",
        "https://.",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://app.example.com?query",
        "https://app.example.com#fragment",
        "https://user@app.example.com",
        "https://user:word@app.example.com",
        "https://app.example.com.",
        "https://.example.com",
        "https://app..example.com",
        "https://app.example.com:",
        "https://app.example.com:0",
        "https://app.example.com:0443",
        "https://app.example.com:65536",
        "https://app.example.com:44a",
        "https://app.example.com:-1",
        "https://app.example.com:+443",
        " https://app.example.com",
        "https://app.example.com ",
        "https://app.exa mple.com",
        "https://app.example.com\t",
        "https://app%2eexample.com",
        "https://app\\example.com",
        "ftp://app.example.com",
        "file://",
        "javascript://app.example.com",
        "chrome-extension://abcdef",
        "http://*.example.com",
        "https://*",
        "https://*.",
        "https://*.com",
        "https://*.*.example.com",
        "https://a*.example.com",
        "https://app.*.com",
        "https://*.127.0.0.1",
        "https://*.[::1]",
        "http://127.0.0.256",
        "http://127.1",
        "http://0x7f.1",
        "http://2130706433",
        "http://[::1",
        "http://::1",
        "http://[::ffff:127.0.0.1]",
        "https://ｅｘａｍｐｌｅ.com",
        "https://ﬁ.example",
        "https://e\u{301}.example",
        "https://a\u{200d}b.example",
    ] {
        assert_eq!(normalized_origin(text), None, "{text:?}");
    }
    assert_eq!(
        normalized_origin(&format!("https://{}.com", "a".repeat(64))),
        None
    );
    assert_eq!(
        normalized_origin(&format!("https://{}com", "a.".repeat(130))),
        None
    );
}

#[test]
fn origins_are_compared_whole() {
    let only = origins(&["https://app.example.com", "http://localhost:3000"]);
    assert!(only.allow(None));
    assert!(only.allow(Some("https://app.example.com")));
    assert!(only.allow(Some("http://localhost:3000")));
    for other in [
        "null",
        "",
        "https://app.example.com:8443",
        "http://app.example.com",
        "https://example.com",
        "https://app.example.com.evil.example",
        "https://evil-app.example.com",
        "https://evil.app.example.com",
        "https://app.example.com.",
        "https://app.example.com/",
        "https://APP.example.com",
        "https://app.example.com:443",
        "https://app.example.com@evil.example",
        "http://localhost",
        "http://localhost:30000",
    ] {
        assert!(!only.allow(Some(other)), "{other}");
    }
}

#[test]
fn a_wildcard_stands_for_one_label() {
    let wide = origins(&["https://*.example.com", "https://*.example.org:8443"]);
    assert!(wide.allow(Some("https://a.example.com")));
    assert!(wide.allow(Some("https://xn--mnchen-3ya.example.com")));
    assert!(wide.allow(Some("https://a.example.org:8443")));
    for other in [
        "https://example.com",
        "https://.example.com",
        "https://a.b.example.com",
        "https://a.example.com:8443",
        "https://a.example.org",
        "http://a.example.com",
        "https://aexample.com",
        "https://evil.example/.example.com",
        "https://evil.example#.example.com",
        "https://evil@a.example.com",
        "https://a:b.example.com",
        "https://A.example.com",
        "https://*.example.com",
        "https://a.example.com.",
    ] {
        assert!(!wide.allow(Some(other)), "{other}");
    }
}

#[test]
fn an_empty_list_is_for_no_browser() {
    let none = origins(&[]);
    assert!(none.allow(None));
    assert!(!none.allow(Some("null")));
    assert!(!none.allow(Some("https://app.example.com")));
    assert!(Origins::Any.allow(Some("null")));
    // What another writer has stored, and is no origin.
    assert!(!origins(&[""]).allow(Some("https://app.example.com")));
}
