//! The desk of the process that delivers: hands out what is due, and keeps track of what is on its way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;

use crate::courier::{Ended, signatures};
use crate::error::Error;
use crate::events::Event;
use crate::model::Escaped;
use crate::panic;
use crate::service::Service;
use crate::store::{Attempt, DueDelivery, TakenDeliveries};

/// Requests to one webhook on their way at a time. Each has its own, so that one that hangs holds up no other.
const IN_FLIGHT_EACH: i32 = 8;
/// How often the process that delivers looks for what is due, and how often the others look whether they are to take its place.
const PAUSE: Duration = Duration::from_secs(1);
const IDLE_PAUSE: Duration = Duration::from_secs(10);
/// How often it looks what time alone has brought: keys that expire, or that are unused.
const DUE_NOTICES_PAUSE: Duration = Duration::from_secs(60);
/// How long after its time limit a request counts as lost: its thread has ended.
const OVERDUE: Duration = Duration::from_secs(5);

pub struct Desk {
    in_flight: HashMap<u64, Flight>,
    /// Attempts that have ended, and that the database does not know of.
    attempts: Vec<Attempt>,
    /// Webhooks whose last attempt failed.
    failing: HashSet<String>,
    pause: Duration,
    /// When it last looked what time has brought; `None` before it was the one that delivers.
    looked_at: Option<Instant>,
}

struct Flight {
    delivery: i64,
    webhook_id: String,
    since: Instant,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            in_flight: HashMap::new(),
            attempts: Vec::new(),
            failing: HashSet::new(),
            pause: PAUSE,
            looked_at: None,
        }
    }
}

impl Desk {
    /// Waits until there may be something to do.
    pub async fn wait(&self, service: &Service) {
        tokio::select! {
            () = service.couriers.some_ended() => {}
            () = service.deliverer.woken() => {}
            () = sleep(self.pause) => {}
        }
    }

    /// Notes what has ended, and hands out what is due.
    pub async fn work(&mut self, service: &Arc<Service>) -> Result<(), Error> {
        self.collect(service);
        let delivers = service.config.webhooks && service.couriers.are_there();
        if !delivers && self.attempts.is_empty() {
            self.pause = IDLE_PAUSE;
            return Ok(());
        }
        self.pause = PAUSE;
        let taken = self.take(service, delivers).await?;
        self.attempts.clear();
        let most = if taken.is_delivering {
            PAUSE
        } else {
            IDLE_PAUSE
        };
        self.pause = taken
            .due_in_ms
            .map_or(most, |millis| most.min(Duration::from_millis(millis)));
        report(service, &taken);
        for delivery in taken.deliveries {
            self.send(service, delivery)?;
        }
        if taken.is_delivering {
            self.write_due_notices(service).await
        } else {
            self.looked_at = None;
            Ok(())
        }
    }

    /// Writes the notices of what time has brought: at first, and every minute.
    async fn write_due_notices(&mut self, service: &Service) -> Result<(), Error> {
        let is_due = |at: Instant| at.elapsed() >= DUE_NOTICES_PAUSE;
        if !self.looked_at.is_none_or(is_due) {
            return Ok(());
        }
        let config = &service.config;
        let has_more = service
            .store
            .write_due_notices(&config.expiry_notice_days, config.unused_notice_days)
            .await?;
        if has_more {
            // The rest comes in the next round, so that what is due meanwhile is delivered beside it.
            service.deliverer.wake();
        } else {
            self.looked_at = Some(Instant::now());
            // What was written is due.
            self.pause = Duration::ZERO;
        }
        Ok(())
    }

    /// A close waits for the statement. If it were cancelled, the database could still give this process the turn to deliver, after
    /// the close has given it back.
    async fn take(&self, service: &Arc<Service>, delivers: bool) -> Result<TakenDeliveries, Error> {
        let attempts = self.attempts.clone();
        let in_flight: Vec<i64> = self
            .in_flight
            .values()
            .map(|flight| flight.delivery)
            .collect();
        let taking = Arc::clone(service);
        let take = async move {
            let Service {
                deliverer, store, ..
            } = &*taking;
            if delivers {
                deliverer.ask();
            }
            let taken = store
                .take_deliveries(delivers, &attempts, &in_flight, IN_FLIGHT_EACH)
                .await?;
            deliverer.set_delivering(taken.is_delivering);
            Ok(taken)
        };
        let taken = service.background.spawn_to_end(panic::catch(take)).await;
        taken.map_err(|_| Error::internal(panic::ABANDONED))??
    }

    /// Takes note of the requests that have ended, and of those that never will.
    fn collect(&mut self, service: &Service) {
        let patience = service.config.webhook_timeout + OVERDUE;
        let overdue = self
            .in_flight
            .iter()
            .filter(|(_, flight)| flight.since.elapsed() > patience);
        let overdue = overdue.map(|(flight, _)| Ended {
            flight: *flight,
            problem: Some("the thread that sent it has ended".to_owned()),
        });
        let mut ended: Vec<Ended> = overdue.collect();
        ended.extend(service.couriers.take_ended());
        for ended in ended {
            self.note(service, &ended);
        }
    }

    fn note(&mut self, service: &Service, ended: &Ended) {
        let Some(flight) = self.in_flight.remove(&ended.flight) else {
            return;
        };
        let ok = ended.problem.is_none();
        self.attempts.push(Attempt {
            delivery: flight.delivery,
            ok,
        });
        let outcome = if ok { "delivered" } else { "failed" };
        service.metrics.webhook_attempts.count(outcome);
        match &ended.problem {
            None => {
                self.failing.remove(&flight.webhook_id);
            }
            Some(problem) => {
                if self.failing.insert(flight.webhook_id.clone()) {
                    service.emit(&Event::WebhookFailing {
                        webhook_id: Escaped::new(&flight.webhook_id),
                        problem: Escaped::new(problem),
                    });
                }
            }
        }
    }

    fn send(&mut self, service: &Service, delivery: DueDelivery) -> Result<(), Error> {
        let number = service.couriers.next_flight();
        let request = request(service, number, &delivery);
        self.in_flight.insert(
            number,
            Flight {
                delivery: delivery.id,
                webhook_id: delivery.webhook_id,
                since: Instant::now(),
            },
        );
        let Some(request) = request else {
            service.couriers.end(Ended {
                flight: number,
                problem: Some(
                    "its secret cannot be read with the secrets of this environment".to_owned(),
                ),
            });
            return Ok(());
        };
        if service.couriers.send(&request) {
            return Ok(());
        }
        self.in_flight.remove(&number);
        Err(Error::unavailable(
            "No thread is left that could send to webhooks",
        ))
    }
}

fn report(service: &Service, taken: &TakenDeliveries) {
    for _ in 0..taken.given_up {
        service.metrics.webhook_attempts.count("given_up");
    }
    if let Some((count, sqlstate)) = &taken.lost {
        service.emit(&Event::NoticesLost {
            count: *count,
            // Whoever writes the table can write anything.
            sqlstate: Escaped::new(sqlstate),
        });
    }
}

/// The request for JavaScript. `None` if no seal of this process opens the secret.
fn request(service: &Service, number: u64, delivery: &DueDelivery) -> Option<String> {
    let current = service
        .seals
        .open_text(&delivery.secret, &delivery.webhook_id)?;
    let previous = delivery.previous_secret.as_deref();
    let previous =
        previous.and_then(|stored| service.seals.open_text(stored, &delivery.webhook_id));
    let mut secrets: Vec<&[u8]> = vec![&current];
    secrets.extend(previous.as_deref().map(Vec::as_slice));
    let timestamp = service.now().millis() / 1_000;
    let body = &delivery.body;
    let request = json!({
        "id": number.to_string(),
        "url": delivery.url,
        "timeoutMs": u64::try_from(service.config.webhook_timeout.as_millis()).unwrap_or(u64::MAX),
        "headers": {
            "content-type": "application/json",
            "user-agent": concat!("sophra-api-keys/", env!("CARGO_PKG_VERSION")),
            "webhook-id": delivery.notice_id,
            "webhook-timestamp": timestamp.to_string(),
            "webhook-signature": signatures(&secrets, &delivery.notice_id, timestamp, body),
        },
        "body": body,
    });
    Some(request.to_string())
}
