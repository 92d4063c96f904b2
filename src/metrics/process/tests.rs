use std::time::Duration;

use super::super::state::Snapshot;
use super::super::text::{Exposition, MetricKind};
use super::*;

fn lines(metrics: &Metrics, beginning: &str) -> Vec<String> {
    let report = metrics.report(&Snapshot::default());
    let lines = report.lines().filter(|line| line.starts_with(beginning));
    lines.map(str::to_owned).collect()
}

#[test]
fn labels_are_escaped() {
    let mut text = Exposition::default();
    text.family(MetricKind::Gauge, "x", "Help.")
        .sample(&[("a", "\\ \" \n ä"), ("b", "")], 1);
    let sample = text.finish().lines().last().unwrap().to_owned();
    assert_eq!(sample, r#"sophra_api_key_x{a="\\ \" \n ä",b=""} 1"#);
}

#[test]
fn buckets_are_cumulative() {
    let metrics = Metrics::default();
    for nanos in [0, 250, 251, 2_500_000_000, 2_500_000_001] {
        metrics.warm.observe(Duration::from_nanos(nanos));
    }
    let buckets = lines(
        &metrics,
        r#"sophra_api_key_verification_duration_seconds_bucket{path="cache""#,
    );
    let count = |bound: &str| {
        let bucket = buckets.iter().find(|line| line.contains(bound)).unwrap();
        bucket.split_whitespace().last().unwrap().to_owned()
    };
    assert_eq!(count(r#"le="0.00000025""#), "2");
    assert_eq!(count(r#"le="0.0000005""#), "3");
    assert_eq!(count(r#"le="2.5""#), "4");
    assert_eq!(count(r#"le="+Inf""#), "5");
    let sums = lines(
        &metrics,
        r#"sophra_api_key_verification_duration_seconds_sum{path="cache""#,
    );
    assert!(sums[0].ends_with(" 5.000000502"), "{sums:?}");
}

#[test]
fn the_first_clients_keep_their_names() {
    let metrics = Metrics::default();
    assert!(metrics.clients.uses_of("a", 0).is_none());
    for client in ["b", "a", "other", "c", "b", "d"] {
        metrics.clients.uses_of(client, 2).unwrap().add_one();
    }
    assert_eq!(
        lines(&metrics, "sophra_api_key_client_verifications_total"),
        [("a", 1), ("b", 2), ("other", 3)].map(|(client, uses)| format!(
            r#"sophra_api_key_client_verifications_total{{client="{client}"}} {uses}"#
        ))
    );
}

#[test]
fn unknown_results_count_as_a_defect() {
    let metrics = Metrics::default();
    metrics.verifies.count("NOT_FOUND");
    assert_eq!(
        lines(
            &metrics,
            r#"sophra_api_key_verifications_total{result="INTERNAL"}"#
        ),
        [r#"sophra_api_key_verifications_total{result="INTERNAL"} 1"#]
    );
}

#[test]
fn a_closed_service_stays_counted() {
    let metrics = Metrics::default();
    let totals = Totals {
        hashes: 2,
        ..Totals::default()
    };
    assert_eq!(metrics.totals(Some(totals)).hashes, 2);
    metrics.retire(totals);
    assert_eq!(metrics.totals(None).hashes, 2);
    assert_eq!(metrics.totals(Some(totals)).hashes, 4);
}
