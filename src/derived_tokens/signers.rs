//! The keys that sign derived tokens: made when they are first needed, replaced when they are rotated or cannot be opened.

use std::sync::Arc;
use std::time::Instant;

use ring::aead::NONCE_LEN;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::events::Event;
use crate::jwt::{SEED_BYTES, TokenSigner};
use crate::model::Actor;
use crate::random;
use crate::service::Service;
use crate::store::NewTokenKey;
use crate::token_keys::open_signer;

/// How often the key is looked at: another process may replace it at the same time.
const TRIES: usize = 3;

/// Which key is replaced.
enum Replaced<'a> {
    /// Whichever signs.
    Any,
    /// The one of this name, or none. If another one signs by now, nothing is replaced.
    Only(Option<&'a str>),
}

/// # Errors
/// [`Error::Configuration`] without a secret: nothing would seal the keys.
pub(super) fn require_secret(service: &Service) -> Result<(), Error> {
    if service.seals.is_empty() {
        return Err(Error::configuration(
            "Tokens cannot be derived without a secret of the environment: set JWT_SECRET (at least 32 bytes), or API_KEYS_SIGNING_KEYS",
        ));
    }
    Ok(())
}

/// The key that signs now. It is made if there is none that this process can open.
pub(super) async fn signer(service: &Service) -> Result<Arc<TokenSigner>, Error> {
    if let Some(signer) = service.token_keys.signer() {
        return Ok(signer);
    }
    for _ in 0..TRIES {
        let stored = service.token_keys.stored_signer(&service.store).await?;
        let opened = stored
            .as_ref()
            .and_then(|(kid, private)| open_signer(&service.seals, kid, private));
        if let Some(signer) = opened {
            let signer = Arc::new(signer);
            service.token_keys.set_signer(Some(Arc::clone(&signer)));
            return Ok(signer);
        }
        let kid = stored.as_ref().map(|(kid, _)| kid.as_str());
        replace(service, &Replaced::Only(kid), None).await?;
    }
    Err(Error::OVERLOADED)
}

/// Has a new key sign from now on. The old one stays known until its tokens have ended.
pub async fn rotate(service: &Service, actor: Option<Actor>) -> Result<Value, Error> {
    require_secret(service)?;
    let kid = replace(service, &Replaced::Any, actor).await?;
    Ok(json!({ "kid": kid }))
}

/// Stores a new key, and returns its name.
async fn replace(
    service: &Service,
    replaced: &Replaced<'_>,
    actor: Option<Actor>,
) -> Result<String, Error> {
    let mut rng = random::generator()?;
    let (kid, seed) = (
        random::id(&mut rng),
        Zeroizing::new(random::bytes::<SEED_BYTES>(&mut rng)),
    );
    let unusable = || Error::internal("A token key cannot be made");
    let signer = TokenSigner::new(&kid, &*seed).ok_or_else(unusable)?;
    let nonce = random::bytes::<NONCE_LEN>(&mut rng);
    let private = service.seals.seal(&*seed, &kid, nonce);
    let new = NewTokenKey {
        kid: &kid,
        public: signer.public(),
        private: &private.ok_or_else(unusable)?,
    };
    let (known, reason) = match replaced {
        Replaced::Any => (None, "rotated"),
        Replaced::Only(None) => (None, "first"),
        Replaced::Only(known) => (*known, "unreadable"),
    };
    let is_any = matches!(replaced, Replaced::Any);
    let began = Instant::now();
    let stored = service.store.replace_token_key(&new, known, is_any).await?;
    let stored = stored.ok_or_else(|| {
        Error::configuration(
            "There are 100 token keys whose tokens live: processes with different secrets replace those of each other, or they are \
             rotated too often",
        )
    })?;
    let is_stored = stored
        .iter()
        .any(|key| key.kid == kid && key.private.is_some());
    service.token_keys.take(began, stored);
    service.token_keys.set_signer(None);
    if is_stored {
        service.token_keys.set_signer(Some(Arc::new(signer)));
        let event = Event::TokenKeyRotated {
            kid: kid.clone(),
            reason,
            actor: actor.as_ref().map(Actor::escaped),
        };
        service.record(event, service.now());
    }
    Ok(kid)
}
