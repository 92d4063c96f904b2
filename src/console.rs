//! The console: who is signed in to it, and what it shows beside what the routes answer.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};

use crate::admin::{self, AdminContext, AdminVerification};
use crate::error::Error;
use crate::events::{AdminEvent, Event};
use crate::input::{Fields, Value, rules};
use crate::jwt;
use crate::model::{Actor, CredentialDigest, Environment, Escaped, Kind, legacy_permissions};
use crate::random;
use crate::service::Service;

/// How long a session lasts at most. The database knows this too, by its own clock.
const SESSION_SECONDS: i64 = 12 * 3_600;
/// Bytes of randomness in a session or a code.
const RANDOM_BYTES: usize = 32;
/// Clients without settings, and quotas, in one answer.
const PAGE: i32 = 100;
const QUOTAS_MAX: i32 = 20;

/// What the console asks for. Answers `null` where there is no such thing.
pub async fn ask(
    service: &Arc<Service>,
    wanted: &str,
    text: &str,
    options: Value,
) -> Result<Json, Error> {
    match wanted {
        "signIn" => sign_in(service, text, &AdminContext::read(options)?).await,
        "redeem" => redeem(service, text).await,
        "session" => session(service, text).await,
        "signOut" => sign_out(service, text).await,
        "link" => link(service, options).await,
        "clients" => clients(service, options).await,
        "quotas" => {
            let input = json!({ "most": QUOTAS_MAX });
            service
                .store
                .ask_of_console("list_full_quotas", &input)
                .await
        }
        _ => Ok(settings(service)),
    }
}

/// Opens a session for an admin token. A token that is not signed by the secret is told apart: anybody can make those.
async fn sign_in(
    service: &Arc<Service>,
    token: &str,
    context: &AdminContext,
) -> Result<Json, Error> {
    let claims = jwt::verify(service.config.jwt_secret()?, token);
    let row = match admin::verify(service, token, context).await? {
        AdminVerification::Valid(row) => row,
        AdminVerification::Refused(_) => return Ok(json!({ "isForged": claims.is_none() })),
    };
    let input = json!({
        "tokenId": row.id, "lookup": digest(token), "until": claims.map(|claims| claims.ends_at_ms()),
    });
    open(service, "open_console_session", input).await
}

/// Opens a session, and answers it with what the browser is to hold.
async fn open(service: &Service, statement: &'static str, mut input: Json) -> Result<Json, Error> {
    let now = service.now();
    let session = signed_random(service)?;
    input["digest"] = digest(&session).into();
    let end = now.plus_seconds(SESSION_SECONDS).millis();
    input["until"] = input["until"]
        .as_i64()
        .map_or(end, |until| until.min(end))
        .into();
    let mut opened = service.store.ask_of_console(statement, &input).await?;
    if let Some(id) = opened["tokenId"].as_str() {
        let event = event(id, opened["name"].as_str(), Some(Escaped::new(id)));
        service.record(Event::AdminSignedIn(event), now);
        opened["session"] = session.into();
    }
    Ok(opened)
}

/// Opens a session by a code.
async fn redeem(service: &Service, code: &str) -> Result<Json, Error> {
    if code.contains('.') && !is_ours(service, code) {
        return Ok(Json::Null);
    }
    let input = json!({ "code": digest(code) });
    open(service, "redeem_console_code", input).await
}

fn random_text() -> Result<String, Error> {
    let bytes: [u8; RANDOM_BYTES] = random::bytes(&mut random::generator()?);
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// A random text that the secret has signed, so that made-up ones are known without I/O.
fn signed_random(service: &Service) -> Result<String, Error> {
    let random = random_text()?;
    let mac = jwt::console_mac(service.config.jwt_secret()?, &random);
    let mac = mac.ok_or_else(|| Error::internal("The session could not be signed"))?;
    Ok(format!("{random}.{mac}"))
}

/// Whether this secret has signed a session or a code. Without a secret there are none.
fn is_ours(service: &Service, text: &str) -> bool {
    let secret = service.config.jwt_secret().ok();
    let parts = secret.zip(text.split_once('.'));
    parts.is_some_and(|(secret, (random, mac))| jwt::is_console_mac(secret, random, mac))
}

/// Whom a session stands for.
async fn session(service: &Service, session: &str) -> Result<Json, Error> {
    let mut found = ask_of_session(service, "find_console_session", session).await?;
    if let Some(id) = found["tokenId"].as_str() {
        service.usage.record_admin_token(id, service.now());
        if found["permissions"].is_null() {
            found["permissions"] = legacy_permissions(found["name"].as_str().unwrap_or("")).into();
        }
    }
    Ok(found)
}

async fn sign_out(service: &Service, session: &str) -> Result<Json, Error> {
    let ended = ask_of_session(service, "end_console_session", session).await?;
    if let Some(id) = ended.as_str() {
        let event = event(id, None, Some(Escaped::new(id)));
        service.record(Event::AdminSignedOut(event), service.now());
    }
    Ok(ended)
}

/// What is no session of ours ends here, without I/O.
async fn ask_of_session(
    service: &Service,
    statement: &'static str,
    session: &str,
) -> Result<Json, Error> {
    if !is_ours(service, session) {
        return Ok(Json::Null);
    }
    let input = json!({ "digest": digest(session) });
    service.store.ask_of_console(statement, &input).await
}

/// Makes a code that signs in once, for the admin token that the options name, or for the one that may do most.
async fn link(service: &Service, options: Value) -> Result<Json, Error> {
    let mut fields = Fields::of_optional(options);
    let token_id = fields.optional("tokenId", rules::id);
    let actor = fields.optional("actor", rules::label(rules::NAME_MAX));
    fields.finish(Some(()))?;
    // The command line may not have the secret.
    let code = match service.config.jwt_secret() {
        Ok(_) => signed_random(service)?,
        Err(_) => random_text()?,
    };
    let input = json!({ "digest": digest(&code), "tokenId": token_id });
    let made = service.store.ask_of_console("make_console_code", &input);
    let mut made = made.await?;
    let Some(id) = made["tokenId"].as_str() else {
        return Err(Error::NotFound("Admin token"));
    };
    let actor = actor.map(Actor::new);
    let event = event(
        id,
        made["name"].as_str(),
        actor.as_ref().map(Actor::escaped),
    );
    service.record(Event::AdminLinkIssued(event), service.now());
    made["code"] = code.into();
    Ok(made)
}

/// Clients that have keys but no settings.
async fn clients(service: &Service, options: Value) -> Result<Json, Error> {
    let mut fields = Fields::of_optional(options);
    let search = fields.optional("search", rules::label(rules::NAME_MAX));
    let after = fields.optional("cursor", rules::label(rules::NAME_MAX));
    fields.finish(Some(()))?;
    let input = json!({ "search": search, "after": after, "most": PAGE });
    service
        .store
        .ask_of_console("list_bare_clients", &input)
        .await
}

/// The settings that forms need. The prefix of a key is public.
fn settings(service: &Service) -> Json {
    let config = &service.config;
    let kind = |kind: &Kind| {
        let scopes = kind.allowed_scopes.as_ref();
        let settings = json!({
            "prefix": kind.prefix,
            "allowedScopes": scopes.map(|scopes| scopes.own().collect::<Vec<_>>()),
            "defaultScopes": kind.default_scopes,
            "defaultRateLimit": kind.default_rate_limit,
            "maxRateLimit": kind.max_rate_limit,
            "defaultTtlDays": kind.ttl.default_days,
            "maxTtlDays": kind.ttl.max_days,
        });
        (kind.name.to_string(), settings)
    };
    json!({
        "kinds": config.kinds.iter().map(kind).collect::<serde_json::Map<_, _>>(),
        "environments": Environment::ALL.into_iter().filter(|one| config.environments.contain(*one)).collect::<Vec<_>>(),
        "defaultTtlDays": config.ttl.default_days,
        "maxTtlDays": config.ttl.max_days,
        "expiryNoticeDays": config.expiry_notice_days,
        "suspendAfter": config.suspend_after,
    })
}

fn digest(text: &str) -> String {
    CredentialDigest::of(text).lookup()
}

fn event(id: &str, name: Option<&str>, actor: Option<Escaped>) -> AdminEvent {
    AdminEvent {
        token_id: Escaped::new(id),
        name: name.map(Escaped::new),
        actor,
    }
}
