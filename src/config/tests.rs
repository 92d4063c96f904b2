use super::*;

fn nothing(_: &str) -> Option<String> {
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
    match Config::load(&Options(options), &nothing) {
        Err(error) => error.to_string(),
        Ok(_) => String::new(),
    }
}

#[test]
fn the_environment_alone_is_enough() {
    let config = Config::load(&Options::default(), &url_only).unwrap();
    assert_eq!(config.prefixes, ["sophra"]);
    assert_eq!(config.flush_interval, Duration::from_secs(1));
    assert!(config.jwt_secret.is_err());
}

#[test]
fn every_problem_is_named_at_once() {
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
    assert_eq!(config.database_url.connect.get_host(), "other");
}
