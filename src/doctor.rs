//! What is wrong with a configuration and its database, and how to mend it. It works where nothing else does, so it
//! starts nothing, migrates nothing and writes nothing.

mod access;
mod rows;
mod schema;

use serde::Serialize;

use crate::config::Config;
use crate::error::Error;
use crate::model::Timestamp;
use crate::store::Store;

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about, e.g. `triggers`: stable, for programs.
    pub check: &'static str,
    pub status: Status,
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Statements that belong to the remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    /// It works, but not as well or as safely as it could.
    Warning,
    /// Something does not work, or will not.
    Problem,
}

const MIGRATE: &str = "npx sophra-api-keys migrate";

/// The system clock, as a parameter.
pub type Clock = fn() -> Timestamp;

/// Everything that can be examined; where one thing hides the others, they are left out.
pub async fn examine(config: Result<Config, Error>, clock: Clock) -> Vec<Finding> {
    let mut findings = Findings::default();
    match config {
        Err(error) => findings.problem(
            "configuration",
            error.to_string(),
            "Correct these settings. Nothing else was examined.",
        ),
        Ok(config) => {
            configuration(&mut findings, &config);
            if access::examine(&mut findings, &config).await {
                database(&mut findings, &config, clock).await;
            }
        }
    }
    findings.0
}

fn configuration(findings: &mut Findings, config: &Config) {
    findings.ok("configuration", "All options are valid");
    match &config.jwt_secret {
        Ok(_) => findings.ok("jwt-secret", "JWT_SECRET is long enough"),
        Err(why) => findings.warning(
            "jwt-secret",
            why.clone(),
            "Set JWT_SECRET to the secret that signed your admin tokens, or to a new one: openssl rand -base64 48",
        ),
    }
}

async fn database(findings: &mut Findings, config: &Config, clock: Clock) {
    let store = Store::reading(config);
    access::server(findings, &store, clock).await;
    let stands = schema::examine(findings, &store, config).await;
    access::notifications(findings, &store).await;
    if stands {
        rows::examine(findings, &store, config, clock()).await;
    }
    store.close().await;
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, Status::Ok, message.into(), None);
    }

    fn warning(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(check, Status::Warning, message.into(), Some(remedy.into()));
    }

    fn problem(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(check, Status::Problem, message.into(), Some(remedy.into()));
    }

    /// The answer, or a finding that there was none.
    fn answer<T>(&mut self, check: &'static str, answer: Result<T, Error>) -> Option<T> {
        answer
            .map_err(|error| {
                self.problem(
                    check,
                    format!("This could not be examined: {error}"),
                    "Fix the other findings, then run doctor again",
                );
            })
            .ok()
    }

    fn add(
        &mut self,
        check: &'static str,
        status: Status,
        message: String,
        remedy: Option<String>,
    ) {
        self.0.push(Finding {
            check,
            status,
            message,
            remedy,
            sql: None,
        });
    }

    /// Adds statements to the remedy of the last finding.
    fn with_sql(&mut self, sql: &[String]) {
        if let Some(finding) = self.0.last_mut()
            && !sql.is_empty()
        {
            finding.sql = Some(sql.join("\n"));
        }
    }
}

/// `1 key`, `2 keys`.
fn counted(count: i64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
