//! The report of all metrics, with their help texts.

use std::iter;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::histogram::{BOUNDS, Histogram};
use super::process::Metrics;
use super::state::{Gauges, Snapshot, Totals};
use super::text::{Exposition, Family, MetricKind};

impl Metrics {
    /// The totals of all services of this process. Call it before the running service may be retired, or that one
    /// counts twice.
    #[must_use]
    pub fn totals(&self, running: Option<Totals>) -> Totals {
        let mut totals = *self.closed.lock();
        totals.add(running.unwrap_or_default());
        totals
    }

    /// All metrics in the format of Prometheus.
    #[must_use]
    pub fn report(&self, state: &Snapshot) -> String {
        let mut text = Exposition::default();
        self.verifies(&mut text);
        self.clients(&mut text);
        text.family(
            MetricKind::Counter,
            "admin_verifications_total",
            "Verifications of admin tokens by result: VALID, the code of a refusal or the code of an error.",
        )
        .by("result", self.admin_verifies.iter());
        text.family(
            MetricKind::Counter,
            "limit_refusals_total",
            "Verifies that a limit refused, by whose limit it was: that of the key, of its client, or of a client above.",
        )
        .by("level", self.limit_refusals.iter());
        text.family(
            MetricKind::Counter,
            "quota_refusals_total",
            "Verifies that a quota refused, by whose quota it was: that of the key, of its client, or of a client above.",
        )
        .by("level", self.quota_refusals.iter());
        text.counter(
            "quota_statements_total",
            "Statements that leased, reported or gave back units of quotas.",
            self.quota_statements.get(),
        );
        text.family(
            MetricKind::Counter,
            "settlements_total",
            "Charges that were to be settled, by what became of that: settled, repeated or too_late.",
        )
        .by("result", self.settlements.iter());
        text.counter(
            "suspensions_total",
            "Keys suspended for exceeding their rate limit, counted by the process that stored the suspension.",
            self.suspensions.get(),
        );
        text.counter(
            "derived_tokens_total",
            "Tokens that were derived from keys.",
            self.derived_tokens.get(),
        );
        text.family(
            MetricKind::Counter,
            "leaked_keys_total",
            "Reports that a key of ours has leaked, by what became of the key: revoke or notify.",
        )
        .by("action", self.leaked_keys.iter());
        text.counter(
            "reuse_detected_total",
            "Replaced keys presented after their grace period, once an hour and key, counted by the process that reported it.",
            self.reused_keys.get(),
        );
        text.counter(
            "previous_still_used_total",
            "Replaced keys used within a day before their grace period ends, once a rotation, counted by the process that reported it.",
            self.previous_keys_still_used.get(),
        );
        text.counter(
            "purged_keys_total",
            "Revoked keys deleted after purgeRevokedDays, counted by the process that deleted them.",
            self.purged_keys.get(),
        );
        text.family(
            MetricKind::Counter,
            "webhook_attempts_total",
            "Attempts of this process to deliver to webhooks, by how they ended: delivered or failed; given_up counts deliveries that \
             were refused for three days.",
        )
        .by("result", self.webhook_attempts.iter());
        self.flushes(&mut text);
        totals(&mut text, state);
        if let Some(up) = state.database_up {
            text.gauge(
                "database_up",
                "1 if the database answers as far as this process knows, else 0.",
                u8::from(up),
            );
        }
        if let Some(gauges) = &state.running {
            running(&mut text, gauges);
        }
        text.family(
            MetricKind::Gauge,
            "build_info",
            "Always 1; the label is the version of the package.",
        )
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        text.finish()
    }

    fn verifies(&self, text: &mut Exposition) {
        let hits = self.hits.each_ref().map(|hits| hits.load(Relaxed));
        let all_hits: u64 = hits.iter().sum();
        // The outcomes come first among the results; verifies from memory have no faults.
        let hits = hits.into_iter().chain(iter::repeat(0));
        let results = self.verifies.iter().zip(hits);
        text.family(
            MetricKind::Counter,
            "verifications_total",
            "Verifications of API keys by result: VALID, the code of a refusal or the code of an error.",
        )
        .by("result", results.map(|((result, others), hits)| (result, others + hits)));
        let looks = self.lookups.iter();
        text.family(
            MetricKind::Counter,
            "cache_lookups_total",
            "Cache lookups of presented keys by result: hit, stale (cached, but the row may have changed) or \
                 miss.",
        )
        .by(
            "result",
            looks.map(|(result, others)| match result {
                "hit" => (result, others + all_hits),
                _ => (result, others),
            }),
        );
        let mut family = text.family(
            MetricKind::Histogram,
            "verification_duration_seconds",
            "Duration of verifications inside the addon. path=cache: those without I/O, every 64th of which is \
                 timed; path=database: those that queried the database, hashing included.",
        );
        family.histogram("cache", &self.warm);
        family.histogram("database", &self.cold);
    }

    fn clients(&self, text: &mut Exposition) {
        let clients = self.clients.list();
        if clients.is_empty() {
            return;
        }
        let mut family = text.family(
            MetricKind::Counter,
            "client_verifications_total",
            "Accepted verifications by client, for the first metricsClients clients; all others are counted as \
                 client other.",
        );
        for (client, uses) in clients {
            family.sample(&[("client", &client)], uses);
        }
    }

    fn flushes(&self, text: &mut Exposition) {
        let mut family = text.family(
            MetricKind::Summary,
            "flush_duration_seconds",
            "Time taken to store usage, suspensions and the audit log, failed flushes included.",
        );
        let taken = Duration::from_nanos(self.flushes.nanos.get());
        family.part("_sum", &[], taken.as_secs_f64());
        family.part("_count", &[], self.flushes.count.get());
        text.counter(
            "flush_failures_total",
            "Flushes that could not store everything; the rest is stored later.",
            self.flush_failures.get(),
        );
        text.family(
            MetricKind::Counter,
            "background_failures_total",
            "Rounds of background work that failed, by task. They are tried again.",
        )
        .by("task", self.background_failures.iter());
    }
}

fn totals(text: &mut Exposition, state: &Snapshot) {
    let Totals {
        hashes,
        hash_nanos,
        rows_read,
        retries,
        audit_dropped,
    } = state.totals;
    text.counter("argon2_hashes_total", "argon2id hashes computed.", hashes);
    text.counter(
        "argon2_seconds_total",
        "Time spent computing argon2id hashes, summed over all threads.",
        Duration::from_nanos(hash_nanos).as_secs_f64(),
    );
    text.counter(
        "database_key_reads_total",
        "Database reads of key rows to verify presented keys.",
        rows_read,
    );
    text.counter(
        "database_retries_total",
        "Statements retried after a transient error.",
        retries,
    );
    text.counter(
        "events_dropped_total",
        "Events dropped because the queue of a listener was full.",
        state.events_dropped,
    );
    text.counter(
        "audit_dropped_total",
        "Refused attempts and changes that could not be kept for the audit log.",
        audit_dropped,
    );
}

fn running(text: &mut Exposition, gauges: &Gauges) {
    text.gauge("cache_entries", "Keys in the cache.", gauges.cached);
    text.gauge(
        "cache_capacity",
        "Maximum number of keys in the cache.",
        gauges.cache_capacity,
    );
    text.gauge(
        "preloaded_keys",
        "Keys loaded by warmUp() that were not presented yet.",
        gauges.preloaded,
    );
    text.gauge(
        "argon2_queue_length",
        "argon2id hashes waiting or being computed.",
        gauges.hashes_queued,
    );
    text.gauge(
        "argon2_permits",
        "Maximum number of argon2id hashes computed at the same time.",
        gauges.hash_permits,
    );
    let connections = [
        ("idle", gauges.connections_idle),
        ("in_use", gauges.connections_in_use),
    ];
    text.family(
        MetricKind::Gauge,
        "database_connections",
        "Open connections of the pool; one more connection listens for changes.",
    )
    .by("state", connections);
    text.gauge(
        "database_connections_max",
        "Maximum number of connections in the pool.",
        gauges.connections_max,
    );
    text.gauge(
        "change_log_age_seconds",
        "Seconds since the change log was last read.",
        gauges.changes_read_ago_seconds,
    );
    text.gauge(
        "changes_tracked",
        "1 if changes of keys reach this process as far as it knows, else 0: triggers are missing or rows hidden.",
        u8::from(gauges.changes_tracked),
    );
    text.gauge(
        "usage_pending",
        "Accepted verifications that are not stored yet.",
        gauges.usage_pending,
    );
    text.gauge(
        "usage_interval_seconds",
        "Seconds from one time that verifications are stored to the next: more than the flush interval if that takes long.",
        gauges.usage_interval_seconds,
    );
    text.gauge(
        "unwritable_keys",
        "Keys whose usage or suspension the database refuses to store; they are tried again once a minute.",
        gauges.unwritable_keys,
    );
    text.gauge(
        "quota_leases",
        "Quotas of which this process holds units that it has not spent.",
        gauges.quota_leases,
    );
}

impl Family<'_> {
    fn by(
        &mut self,
        label: &str,
        samples: impl IntoIterator<Item = (&'static str, impl std::fmt::Display)>,
    ) {
        for (text, value) in samples {
            self.sample(&[(label, text)], value);
        }
    }

    fn histogram(&mut self, path: &str, histogram: &Histogram) {
        let cumulated = histogram.cumulated();
        let bound = |nanos| Duration::from_nanos(nanos).as_secs_f64().to_string();
        let bounds = BOUNDS.into_iter().map(bound);
        for (bound, count) in bounds.chain(["+Inf".to_owned()]).zip(cumulated) {
            self.part("_bucket", &[("path", path), ("le", &bound)], count);
        }
        let [.., all] = cumulated;
        self.part("_sum", &[("path", path)], histogram.sum().as_secs_f64());
        self.part("_count", &[("path", path)], all);
    }
}
