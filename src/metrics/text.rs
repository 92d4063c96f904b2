//! The text format of Prometheus, version 0.0.4.

use std::fmt::{Display, Write};

/// The prefix of every metric name.
const PREFIX: &str = "sophra_api_key_";

#[derive(Debug, Clone, Copy)]
pub(super) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

#[derive(Debug, Default)]
pub(super) struct Exposition(String);

/// The samples of one metric.
pub(super) struct Family<'t> {
    text: &'t mut String,
    name: &'static str,
}

impl Exposition {
    /// Begins a metric. Help texts are our own constants, so they are not escaped.
    pub(super) fn family(
        &mut self,
        kind: MetricKind,
        name: &'static str,
        help: &str,
    ) -> Family<'_> {
        let kind = match kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
            MetricKind::Summary => "summary",
        };
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(self.0, "# HELP {PREFIX}{name} {help}");
        let _ = writeln!(self.0, "# TYPE {PREFIX}{name} {kind}");
        Family {
            text: &mut self.0,
            name,
        }
    }

    pub(super) fn counter(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.family(MetricKind::Counter, name, help)
            .sample(&[], value);
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &str, value: impl Display) {
        self.family(MetricKind::Gauge, name, help)
            .sample(&[], value);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

impl Family<'_> {
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.part("", labels, value);
    }

    /// A sample of a metric that consists of several, with a suffix such as `_sum`.
    pub(super) fn part(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.text, "{PREFIX}{}{suffix}", self.name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"");
            self.escaped(text);
            self.text.push('"');
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{after} {value}");
    }

    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                c => self.text.push(c),
            }
        }
    }
}
