//! Reads one option after the other, from `configure()` or else the environment, and collects problems.

use std::ops::RangeInclusive;

use ipnet::IpNet;
use zeroize::Zeroizing;

use super::options::Environ;
use crate::input::{Value, parse_json, rules};
use crate::model::parse_network;

/// Shared with other tools, so without our prefix.
const UNPREFIXED: [&str; 3] = ["databaseUrl", "directDatabaseUrl", "jwtSecret"];

pub(super) struct OptionReader<'a> {
    options: &'a [(String, Value)],
    environ: Environ<'a>,
    known: Vec<&'static str>,
    problems: Vec<String>,
}

impl<'a> OptionReader<'a> {
    pub(super) fn new(options: &'a [(String, Value)], environ: Environ<'a>) -> Self {
        Self {
            options,
            environ,
            known: Vec::new(),
            problems: Vec::new(),
        }
    }

    pub(super) fn fail(&mut self, problem: &str) {
        self.problems.push(problem.to_owned());
    }

    /// Reports a problem with an option, by its names in code and in the environment.
    pub(super) fn fail_option(&mut self, name: &str, problem: &str) {
        self.problems
            .push(format!("{name} ({}) {problem}", variable(name)));
    }

    pub(super) fn environ(&self) -> Environ<'a> {
        self.environ
    }

    /// A variable of the environment; an empty one counts as not set.
    pub(super) fn environment(&self, variable: &str) -> Option<Zeroizing<String>> {
        (self.environ)(variable)
            .filter(|text| !text.is_empty())
            .map(Zeroizing::new)
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<Zeroizing<String>> {
        match self.option(name) {
            None => self.environment(&variable(name)),
            Some(Value::Text(text)) => Some(Zeroizing::new(text.clone())),
            Some(_) => {
                self.fail_option(name, "must be a string");
                None
            }
        }
    }

    pub(super) fn choice(
        &mut self,
        name: &'static str,
        choices: &[&'static str],
        default: &'static str,
    ) -> &'static str {
        let Some(text) = self.text(name) else {
            return default;
        };
        if let Some(choice) = choices.iter().find(|choice| ***choice == **text) {
            return choice;
        }
        self.fail_option(name, &format!("must be one of {}", choices.join(", ")));
        default
    }

    pub(super) fn number(&mut self, name: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let number = match self.option(name) {
            None => whole(&self.environment(&variable(name))?),
            Some(value) => whole_value(value),
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let rule = format!(
                "must be a whole number from {} to {}",
                range.start(),
                range.end()
            );
            self.fail_option(name, &rule);
        }
        number
    }

    /// A list of whole numbers: an array in code, comma-separated in the environment.
    pub(super) fn numbers(
        &mut self,
        name: &'static str,
        range: RangeInclusive<u32>,
        most: usize,
    ) -> Option<Vec<u32>> {
        let numbers: Option<Vec<u32>> = match self.option(name) {
            None => {
                let text = self.environment(&variable(name))?;
                text.split(',').map(whole).collect()
            }
            Some(Value::List(entries)) => entries.iter().map(whole_value).collect(),
            Some(_) => None,
        };
        let numbers = numbers.filter(|numbers| {
            numbers.len() <= most && numbers.iter().all(|number| range.contains(number))
        });
        if numbers.is_none() {
            let rule = format!(
                "must be a list of at most {most} whole numbers from {} to {}",
                range.start(),
                range.end()
            );
            self.fail_option(name, &rule);
        }
        numbers
    }

    /// A value of any shape: as it is in code, JSON in the environment.
    pub(super) fn json(&mut self, name: &'static str) -> Option<Value> {
        if let Some(value) = self.option(name) {
            return Some(value.clone());
        }
        let value = parse_json(&self.environment(&variable(name))?);
        if value.is_none() {
            self.fail_option(name, "must be JSON");
        }
        value
    }

    /// A list, or a text that stands for a list of itself.
    pub(super) fn one_or_more(&mut self, name: &'static str) -> Option<Vec<Zeroizing<String>>> {
        match self.option(name) {
            Some(Value::Text(text)) => Some(vec![Zeroizing::new(text.clone())]),
            _ => self.list(name),
        }
    }

    /// A list: an array of strings in code, comma-separated in the environment.
    pub(super) fn list(&mut self, name: &'static str) -> Option<Vec<Zeroizing<String>>> {
        match self.option(name) {
            None => {
                let text = self.environment(&variable(name))?;
                Some(
                    text.split(',')
                        .map(|part| Zeroizing::new(part.trim().to_owned()))
                        .collect(),
                )
            }
            Some(Value::List(entries)) => {
                let texts: Option<Vec<_>> = entries
                    .iter()
                    .map(|entry| match entry {
                        Value::Text(text) => Some(Zeroizing::new(text.clone())),
                        _ => None,
                    })
                    .collect();
                if texts.is_none() {
                    self.fail_option(name, "must be an array of strings");
                }
                texts
            }
            Some(_) => {
                self.fail_option(name, "must be an array of strings");
                None
            }
        }
    }

    /// The networks that the entries of an option name: each is an address or in CIDR notation.
    pub(super) fn networks(
        &mut self,
        name: &'static str,
        entries: &[Zeroizing<String>],
    ) -> Box<[IpNet]> {
        let networks: Option<_> = entries.iter().map(|entry| parse_network(entry)).collect();
        networks.unwrap_or_else(|| {
            self.fail_option(
                name,
                "must each be an IP address or a network in CIDR notation",
            );
            Box::default()
        })
    }

    /// The problems found so far.
    pub(super) fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The problems found, unknown options included.
    pub(super) fn finish(mut self) -> Vec<String> {
        for (name, _) in self.options {
            if !self.known.contains(&name.as_str()) {
                self.problems.push(format!(
                    "{} is not a known option",
                    rules::escaped_name(name)
                ));
            }
        }
        self.problems
    }

    fn option(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.options
            .iter()
            .find(|(option, _)| option == name)
            .map(|(_, value)| value)
    }
}

fn whole(text: &str) -> Option<u32> {
    text.trim().parse().ok()
}

fn whole_value(value: &Value) -> Option<u32> {
    match value {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Whole and in u32.
        Value::Number(n) if n.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(n) => {
            Some(*n as u32)
        }
        _ => None,
    }
}

/// `poolMax` → `API_KEYS_POOL_MAX`.
fn variable(name: &str) -> String {
    let mut screaming = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            screaming.push('_');
        }
        screaming.push(c.to_ascii_uppercase());
    }
    if UNPREFIXED.contains(&name) {
        screaming
    } else {
        format!("API_KEYS_{screaming}")
    }
}
