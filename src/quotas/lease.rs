//! Asks the database about leases: what this process has spent, and what it needs.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::quota_leases::{Asking, Lease, LeaseAnswer, Purpose};
use crate::service::Service;
use crate::store::{LeaseOutcome, Parts};

/// Half of the time in which a process gives back what it does not use: the other half is for flushes that come late.
const IDLE: Duration = Duration::from_secs(30);

/// Asks about a batch with one statement. Those that other sessions have locked are returned, and may be asked about
/// [alone](ask_alone); all others have their answers, of which the first error is returned.
pub async fn ask(
    service: &Service,
    batch: &[Arc<Lease>],
    purpose: Purpose,
) -> (Vec<Asking>, Result<(), Error>) {
    let now = service.moment();
    let begun = batch
        .iter()
        .filter_map(|lease| Asking::begin(lease, purpose, now));
    ask_about(service, begun.collect()).await
}

async fn ask_about(service: &Service, mut asked: Vec<Asking>) -> (Vec<Asking>, Result<(), Error>) {
    // In the same order everywhere, so that no two processes wait for each other.
    asked.sort_by(|one, next| one.lease.key.id.cmp(&next.lease.key.id));
    let outcomes = outcomes(service, &asked).await;
    let (mut locked, mut result) = (Vec::new(), Ok(()));
    for (asking, outcome) in asked.into_iter().zip(outcomes) {
        match outcome {
            Ok(LeaseOutcome::Locked) => locked.push(asking),
            outcome => result = result.and(end(service, asking, outcome)),
        }
    }
    (locked, result)
}

/// Asks about one quota, and waits for it if another session has locked it.
///
/// # Errors
/// That of the answer.
pub async fn ask_alone(service: &Service, asking: Asking) -> Result<(), Error> {
    let outcome = statement(service, &[&asking], true).await;
    let outcome = outcome.and_then(|mut outcomes| outcomes.pop().ok_or_else(unexpected));
    end(service, asking, outcome)
}

/// Tells the database what this process has spent of a quota.
pub(super) async fn report(service: &Service, lease: &Arc<Lease>) -> Result<(), Error> {
    let asking = Asking::begin_next(lease, Purpose::Report, || service.moment()).await;
    ask_alone(service, asking).await
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
        let (locked, asked) = ask(service, &batch, purpose).await;
        for asking in locked {
            let lease = Arc::clone(&asking.lease);
            if asking.postpone() {
                service.leases.request(&lease);
            }
        }
        result = result.and(asked);
    }
    service.leases.sweep(now);
    result
}

/// Gives back everything that is not spent.
pub async fn return_all(service: &Service) -> Result<(), Error> {
    if service.leases.is_empty() {
        return Ok(());
    }
    let mut result = Ok(());
    for batch in service.leases.held_or_unreported() {
        let mut asked = Vec::new();
        for lease in &batch {
            asked.push(Asking::begin_next(lease, Purpose::Return, || service.moment()).await);
        }
        let (locked, returned) = ask_about(service, asked).await;
        result = result.and(returned);
        for asking in locked {
            result = match result {
                Ok(()) => ask_alone(service, asking).await,
                // Somebody may have locked all of them: they are not waited for one after the other.
                failed => {
                    asking.postpone();
                    failed
                }
            };
        }
    }
    result
}

/// What became of each, in the same order. One that the database rejects stops no other.
async fn outcomes(service: &Service, asked: &[Asking]) -> Vec<Result<LeaseOutcome, Error>> {
    let places: Vec<usize> = (0..asked.len()).collect();
    let mut outcomes: Vec<Option<Result<LeaseOutcome, Error>>> =
        asked.iter().map(|_| None).collect();
    let mut parts = Parts::of(&places);
    while let Some(part) = parts.next_part() {
        let some: Vec<&Asking> = part.iter().map(|place| &asked[*place]).collect();
        match statement(service, &some, false).await {
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
            filled(outcomes, &unexpected())
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
    waits: bool,
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
        .lease_quotas(process, revision, &requests, waits)
        .await
}

fn end(
    service: &Service,
    asking: Asking,
    outcome: Result<LeaseOutcome, Error>,
) -> Result<(), Error> {
    let lease = Arc::clone(&asking.lease);
    let is_gone = matches!(outcome, Ok(LeaseOutcome::Gone));
    let (answer, result) = match outcome {
        Ok(LeaseOutcome::Answered(answer)) => (Ok(answer), Ok(())),
        Ok(LeaseOutcome::Gone) => (Ok(LeaseAnswer::nothing()), Ok(())),
        Ok(LeaseOutcome::Locked) => (Err(locked()), Err(locked())),
        Ok(LeaseOutcome::Failed(error)) | Err(error) => (Err(error.clone()), Err(error)),
    };
    if asking.end(answer) {
        service.leases.request(&lease);
    }
    if is_gone {
        // Whoever still knows of it reads the row of its owner again.
        service.quota_changed(&lease.key);
    }
    result
}

fn locked() -> Error {
    Error::unavailable("The quota is locked in the database")
}

fn unexpected() -> Error {
    Error::internal("The database returned an unexpected response")
}
