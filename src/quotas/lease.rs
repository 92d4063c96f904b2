//! Asks the database about leases: what this process has spent, and what it needs.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;

use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::quota_leases::{Asking, Lease, Purpose};
use crate::service::Service;
use crate::store::{LeaseOutcome, Parts, unreadable_limits};

/// Half of the time in which a process gives back what it does not use: the other half is for flushes that come late.
const IDLE: Duration = Duration::from_secs(30);
/// How long a statement about a single quota waits for its turn, in milliseconds.
const PATIENCE_MS: i32 = 50;

/// The longest wait for units that others must give back. It is half of the time for a statement, if that is less.
const RECALL_MAX: Duration = Duration::from_secs(1);
/// How long a quota that another session has locked is left alone, in milliseconds: about as long as a statement takes.
const PAUSE_MS: std::ops::Range<u64> = 5..25;

/// Asks about a batch with one statement. Those that other sessions have locked are left to a later one.
pub async fn ask(service: &Service, batch: &[Arc<Lease>], purpose: Purpose) -> Result<(), Error> {
    let now = service.moment();
    if service.store.circuit().is_open() {
        // During an outage it keeps what it has.
        for lease in batch {
            lease.end_recall();
        }
    }
    let begun = batch
        .iter()
        .filter_map(|lease| Asking::begin(lease, purpose, now));
    let (locked, result) = ask_about(service, begun.collect()).await;
    for asking in locked {
        postpone(service, asking);
    }
    result
}

/// The same about what has begun. Those that other sessions have locked are returned; all others have their answers, of which
/// the first error is returned.
async fn ask_about(service: &Service, asked: Vec<Asking>) -> (Vec<Asking>, Result<(), Error>) {
    // One that is alone may be what every process wants at this moment: then it is worth a short wait.
    let patience = if asked.len() == 1 { PATIENCE_MS } else { 0 };
    ask_with(service, asked, Some(patience)).await
}

async fn ask_with(
    service: &Service,
    mut asked: Vec<Asking>,
    patience: Option<i32>,
) -> (Vec<Asking>, Result<(), Error>) {
    // In the same order everywhere, so that no two processes wait for each other.
    asked.sort_by(|one, next| one.lease.key.id.cmp(&next.lease.key.id));
    let outcomes = outcomes(service, &asked, patience).await;
    let (mut locked, mut result) = (Vec::new(), Ok(()));
    for (asking, outcome) in asked.into_iter().zip(outcomes) {
        match outcome {
            Ok(LeaseOutcome::Locked) => locked.push(asking),
            outcome => result = result.and(end(service, asking, outcome)),
        }
    }
    (locked, result)
}

/// Tells the database what this process has spent of a quota. Waits for a quota that another session has locked.
pub(super) async fn report(service: &Service, lease: &Arc<Lease>) -> Result<(), Error> {
    let asking = Asking::begin_next(lease, Purpose::Report, || service.moment()).await;
    ask_alone(service, asking).await
}

/// Asks about one quota, and waits for it if another session has locked it.
async fn ask_alone(service: &Service, asking: Asking) -> Result<(), Error> {
    let (locked, result) = ask_with(service, vec![asking], None).await;
    let mut locked = locked.into_iter();
    locked.try_for_each(|asking| end(service, asking, Ok(LeaseOutcome::Locked)))?;
    result
}

/// Tells the database what was spent since the last flush, and gives back what was not used for long. What is locked comes with
/// a later flush.
pub async fn report_due(service: &Service) -> Result<(), Error> {
    if service.store.circuit().is_open() {
        // During an outage it keeps what it has: units that are being given back could not be spent.
        return Ok(());
    }
    let now = service.moment();
    let mut result = Ok(());
    for (purpose, batch) in service.leases.due(IDLE, now) {
        result = result.and(ask(service, &batch, purpose).await);
    }
    service.leases.sweep(now);
    result
}

/// Gives back everything that is not spent.
pub async fn return_all(service: &Service) -> Result<(), Error> {
    let mut result = Ok(());
    for batch in service.leases.held_or_unreported(service.moment()) {
        result = result.and(return_batch(service, &batch).await);
    }
    result
}

async fn return_batch(service: &Service, batch: &[Arc<Lease>]) -> Result<(), Error> {
    service.store.circuit().check()?;
    let (mut asked, mut busy) = (Vec::new(), Vec::new());
    for lease in batch {
        match Asking::begin(lease, Purpose::Return, service.moment()) {
            Some(asking) => asked.push(asking),
            None => busy.push(lease),
        }
    }
    let (mut locked, mut result) = ask_about(service, asked).await;
    // Those about which a statement is under way come one by one, so that none of the others waits for them.
    for lease in busy {
        let asking = Asking::begin_next(lease, Purpose::Return, || service.moment()).await;
        let (again, returned) = ask_about(service, vec![asking]).await;
        locked.extend(again);
        result = result.and(returned);
    }
    for asking in locked {
        result = match result {
            Ok(()) => ask_alone(service, asking).await,
            // Somebody may have locked all of them: they are not waited for one after the other.
            failed => {
                postpone(service, asking);
                failed
            }
        };
    }
    result
}

/// Leaves it to a later statement, which follows soon if somebody waits for it.
fn postpone(service: &Service, asking: Asking) {
    let lease = Arc::clone(&asking.lease);
    if asking.postpone() {
        let pause = rand::rng().random_range(PAUSE_MS);
        let pause = Duration::from_millis(pause);
        service.leases.request_in(&lease, pause);
    }
}

/// What became of each, in the same order. One that the database rejects stops no other.
async fn outcomes(
    service: &Service,
    asked: &[Asking],
    patience: Option<i32>,
) -> Vec<Result<LeaseOutcome, Error>> {
    let places: Vec<usize> = (0..asked.len()).collect();
    let mut outcomes: Vec<Option<Result<LeaseOutcome, Error>>> =
        asked.iter().map(|_| None).collect();
    let mut parts = Parts::of(&places);
    while let Some(part) = parts.next_part() {
        let some: Vec<&Asking> = part.iter().map(|place| &asked[*place]).collect();
        match statement(service, &some, patience).await {
            Ok(answers) => {
                parts.stored();
                for (place, answer) in part.iter().zip(answers) {
                    outcomes[*place] = Some(Ok(answer));
                }
            }
            Err(error) => {
                if let Err(error) = parts.failed(part, error) {
                    return filled(outcomes, &error);
                }
            }
        }
    }
    match parts.rejected(|_| false) {
        Ok(rejected) => {
            for (place, error) in rejected {
                outcomes[*place] = Some(Err(error));
            }
            // None is left over.
            filled(outcomes, &Error::OVERLOADED)
        }
        Err(error) => filled(outcomes, &error),
    }
}

fn filled(
    outcomes: Vec<Option<Result<LeaseOutcome, Error>>>,
    error: &Error,
) -> Vec<Result<LeaseOutcome, Error>> {
    let outcomes = outcomes.into_iter();
    let fill = |outcome: Option<_>| outcome.unwrap_or_else(|| Err(error.clone()));
    outcomes.map(fill).collect()
}

async fn statement(
    service: &Service,
    asked: &[&Asking],
    patience: Option<i32>,
) -> Result<Vec<LeaseOutcome>, Error> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let revision = service.leases.next_revision();
    let requests: Vec<_> = asked
        .iter()
        .map(|asking| (&asking.lease.key, &asking.request))
        .collect();
    service.metrics.quota_statements.add(1);
    let process = &service.usage.process;
    service
        .store
        .lease_quotas(process, revision, &requests, patience)
        .await
}

fn end(
    service: &Service,
    asking: Asking,
    outcome: Result<LeaseOutcome, Error>,
) -> Result<(), Error> {
    let lease = Arc::clone(&asking.lease);
    let is_gone = matches!(outcome, Ok(LeaseOutcome::Gone(_)));
    let (answer, fault, result) = match outcome {
        Ok(LeaseOutcome::Answered(answer) | LeaseOutcome::Gone(answer)) => {
            (Ok(answer), None, Ok(()))
        }
        Ok(LeaseOutcome::Unreadable(answer)) => {
            // Of no concern to others: everything is stored.
            let fault = unreadable_limits();
            service.report(&fault, Some(BackgroundTask::QuotaLeases));
            (Ok(answer), Some(fault), Ok(()))
        }
        Ok(LeaseOutcome::Locked) => (Err(locked()), None, Err(locked())),
        Ok(LeaseOutcome::Superseded) => (Err(superseded()), None, Ok(())),
        Err(error) => (Err(error.clone()), None, Err(error)),
    };
    let patience = RECALL_MAX.min(service.config.statement_timeout / 2);
    if let Some(pause) = asking.end(answer, fault, patience, service.moment()) {
        service.leases.request_in(&lease, pause);
    }
    if is_gone {
        // Whoever still knows of it reads the row of its owner again.
        service.quota_changed(&lease.key);
    }
    result
}

fn superseded() -> Error {
    Error::unavailable("A later statement about the quota was faster")
}

fn locked() -> Error {
    Error::unavailable("The quota is locked in the database")
}
