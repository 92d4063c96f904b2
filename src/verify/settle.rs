//! Settles what a request was charged at what it has really cost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::charge::Takings;
use super::context::VerifyContext;
use super::costs::Costs;
use super::verification::LimitStates;
use crate::cached_key::{CachedKey, KeyEntry};
use crate::cached_limits::LimitOfKey;
use crate::charges::{Attempt, Charge, LimitCharge};
use crate::error::{Error, Issue};
use crate::input::{Fields, Value, rules};
use crate::model::Moment;
use crate::quota_leases::{Lease, Taken};
use crate::rate_limit::PastCharge;
use crate::service::Service;
use crate::usage::Counted;

/// How often units of a quota are leased for one charge.
const LEASES_MAX: usize = 8;

/// Which charge it is, and what the request has cost.
#[derive(Debug)]
pub struct Settlement {
    charge: String,
    actual: Costs<'static>,
}

impl Settlement {
    pub fn read(charge: Value, actual: Value) -> Result<Self, Error> {
        let arguments = [("charge", charge), ("actualCost", actual)];
        let arguments = arguments.map(|(name, value)| (name.to_owned(), value));
        let mut fields = Fields::of(Value::Object(arguments.into()));
        let charge = fields.required("charge", rules::any_text);
        let actual = fields.required("actualCost", Costs::read);
        if actual.as_ref().is_some_and(Costs::is_none) {
            fields.fail("actualCost", "must have a cost");
        }
        let read = charge.zip(actual);
        fields.finish(read.map(|(charge, actual)| Self { charge, actual }))
    }
}

/// The handle of what a request was charged just now, whose `cost` its usage has grown by; `None` if the key has neither a limit nor a quota.
pub(super) fn handle(
    service: &Service,
    entry: &KeyEntry,
    context: &VerifyContext<'_>,
    cost: u64,
    now: Moment,
    states: &LimitStates,
    taken: &Takings,
) -> Option<String> {
    if states.is_empty() && taken.is_empty() {
        return None;
    }
    let key = &entry.value;
    let tag = context.tag.as_deref().unwrap_or_default();
    let charges = &service.charges;
    let costs = &context.costs;
    let cost = (cost, costs.are_named());
    let mut written = charges.write(entry.key, key.shape(), cost, tag, now.instant);
    for (limit, state) in key.limits().zip(states) {
        let said = costs.said_of(&limit.limit.name);
        written.limit(said.unwrap_or(1), said.is_some(), state.reset_ms);
    }
    for (quota, taken) in key.quotas().zip(taken) {
        written.quota(taken, costs.said_of(&quota.quota.name).is_some());
    }
    charges.handle(written)
}

/// Moves the difference between what was charged and what the request has cost, for limits and for quotas. Returns whether it
/// did: a charge is settled once, within 15 minutes, while the key is in memory and has the same limits.
///
/// # Errors
/// [`Error::InvalidInput`] if the charge is none of this process; those of a statement that leases units. Then nothing is
/// settled.
pub async fn settle(service: &Service, settlement: &Settlement) -> Result<bool, Error> {
    let mut charge = service
        .charges
        .read(&settlement.charge)
        .ok_or_else(unknown_charge)?;
    let (attempt, entry) = attempt(service, &charge);
    if attempt == Attempt::UnderWay {
        return Err(Error::OVERLOADED);
    }
    if let (Attempt::First, Some(entry)) = (attempt, entry) {
        let moves = Moves::read(service, &mut charge, &entry.value, &settlement.actual);
        let charged = moves.charge_quotas(service).await;
        service.charges.end(&charge, charged.is_ok());
        charged?;
        moves.refund_quotas(service.moment());
        moves.settle_limits(service, &charge);
        count_settled(
            service,
            &charge,
            &entry.value,
            moves.cost(&settlement.actual, &charge),
        );
    }
    service.metrics.settlements.count(attempt.name());
    Ok(attempt == Attempt::First)
}

fn unknown_charge() -> Error {
    Error::InvalidInput(vec![Issue {
        path: "charge".to_owned(),
        message: "must be the charge of a verification by this process".to_owned(),
    }])
}

/// Notes that the charge is settled, if it can be: by the key as it is in memory.
fn attempt(service: &Service, charge: &Charge) -> (Attempt, Option<Arc<KeyEntry>>) {
    let entry = service.cache.known(charge.key);
    match entry.filter(|entry| entry.value.shape() == charge.shape) {
        Some(entry) => (service.charges.begin(charge, Instant::now()), Some(entry)),
        None => (Attempt::TooLate, None),
    }
}

/// Counts what the request has cost more than the usage of its key has grown by, or less.
fn count_settled(service: &Service, charge: &Charge, key: &CachedKey, cost: i64) {
    let counted = Counted {
        refusal: None,
        tag: Some(&*charge.tag).filter(|tag| !tag.is_empty()),
        count: 0,
        cost: cost - i64::try_from(charge.cost).unwrap_or(i64::MAX),
        ip: None,
    };
    if counted.cost != 0 {
        key.count(&service.usage, &counted, service.now());
    }
}

/// What was charged, and what is charged instead.
struct Moves<'a> {
    /// What the request said of each name that its actual cost names.
    named: BTreeMap<&'a str, (i64, u32)>,
    limits: Vec<(LimitOfKey<'a>, LimitCharge, u32)>,
    quotas: Vec<(&'a Arc<Lease>, Taken, i64)>,
}

impl<'a> Moves<'a> {
    /// Limits and quotas that the actual cost does not name stay as they are.
    fn read(
        service: &Service,
        charge: &mut Charge,
        key: &'a CachedKey,
        actual: &Costs<'_>,
    ) -> Self {
        let (mut limits, mut quotas) = (Vec::new(), Vec::new());
        let mut named = BTreeMap::new();
        for limit in key.limits() {
            let charged = charge.next_limit();
            let actual = actual.said_of(&limit.limit.name);
            if let Some((charged, cost)) = charged.zip(actual) {
                let said = if charged.is_said { charged.cost } else { 0 };
                named.insert(&*limit.limit.name, (said.into(), cost));
            }
            limits.extend(
                charged
                    .zip(actual)
                    .map(|(charged, cost)| (limit, charged, cost)),
            );
        }
        for quota in key.quotas() {
            let taken = charge.next_quota();
            let actual = actual.said_of(&quota.quota.name);
            let lease = quota.lease(&service.leases);
            if let Some(((taken, is_said), cost)) = taken.zip(actual) {
                let said = if is_said { taken.units() } else { 0 };
                named.insert(&*quota.quota.name, (said, cost));
                quotas.push((lease, taken, cost.into()));
            }
        }
        Self {
            named,
            limits,
            quotas,
        }
    }

    /// What the request has cost, see [`Costs::of_request`]: names that the actual cost leaves out stay as they were said.
    fn cost(&self, actual: &Costs<'_>, charge: &Charge) -> i64 {
        if let Costs::Each(cost) = actual {
            return (*cost).into();
        }
        let costs = self.named.values();
        if !charge.is_sum {
            return costs.map(|(_, cost)| i64::from(*cost)).sum();
        }
        let moved: i64 = costs.map(|(said, cost)| i64::from(*cost) - said).sum();
        i64::try_from(charge.cost)
            .unwrap_or(i64::MAX)
            .saturating_add(moved)
    }

    /// Charges quotas for which the request has cost more, as far as units are left. After an error, nothing is charged.
    async fn charge_quotas(&self, service: &Service) -> Result<(), Error> {
        let mut charged = Vec::new();
        let all = async {
            let now = service.moment();
            for (lease, taken, cost) in &self.quotas {
                let more = cost - taken.units();
                // A period that has ended is left as it is.
                if more > 0 && (taken.units() == 0 || lease.is_running(taken, now)) {
                    charge_up_to(service, lease, more, &mut charged).await?;
                }
            }
            Ok(())
        };
        let in_time = timeout(service.config.statement_timeout, all).await;
        let result = in_time.unwrap_or(Err(Error::OVERLOADED));
        if result.is_err() {
            for (lease, taken) in &charged {
                lease.give_back(taken);
            }
        }
        result
    }

    fn refund_quotas(&self, now: Moment) {
        for (lease, taken, cost) in &self.quotas {
            lease.refund(taken, (taken.units() - cost).max(0), now);
        }
    }

    fn settle_limits(&self, service: &Service, charge: &Charge) {
        let age = service.charges.age(charge, Instant::now());
        let next = service.charges.next_number();
        for (limit, charged, cost) in &self.limits {
            let limiter = limit.limiter(&service.limiters);
            let generation = limit.limit.rule.generation;
            if *cost > charged.cost {
                limiter.charge_up_to(generation, cost - charged.cost);
            } else {
                let past = PastCharge {
                    number: charge.number,
                    next,
                    age,
                    reset: Duration::from_millis(charged.reset_ms),
                };
                limiter.refund(generation, charged.cost - cost, &past);
            }
        }
    }
}

/// Charges as many units as there are, and leases more for that.
async fn charge_up_to<'a>(
    service: &Service,
    lease: &'a Arc<Lease>,
    mut units: i64,
    charged: &mut Vec<(&'a Arc<Lease>, Taken)>,
) -> Result<(), Error> {
    for _ in 0..LEASES_MAX {
        let now = service.moment();
        let taken = lease.charge_up_to(units, now);
        units -= taken.units();
        charged.push((lease, taken));
        let obtainable = u32::try_from(lease.obtainable(units, now)).unwrap_or(0);
        if obtainable == 0 {
            break;
        }
        service.store.circuit().check()?;
        service.leases.wait(lease, obtainable)?.end().await?;
    }
    Ok(())
}
