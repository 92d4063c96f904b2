//! A service that never connects to a database. Keys are put into its cache as a cold verify would.

#![allow(dead_code, unreachable_pub)] // Each bench uses only some of it.

use std::sync::Arc;

use sophra_api_keys::cached_key::{CachedKey, KeyRow};
use sophra_api_keys::config::{Config, Options};
use sophra_api_keys::model::{
    AllowList, EffectiveScopes, HeldScopes, KeyClass, KeyPolicy, Origins, Plaintext, StoredHash,
};
use sophra_api_keys::process;
use sophra_api_keys::random;
use sophra_api_keys::seal::Seals;
use sophra_api_keys::service::{Secrets, Service, Shared};
use sophra_api_keys::store::Store;
use sophra_api_keys::token::{Keyring, SigningKey};
use sophra_api_keys::verify::roles_of_rows;

/// A stored hash with the default parameters.
const HASH: &str = "$argon2id$v=19$m=7168,t=5,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g";

/// Creates the service. Must be called inside a runtime.
pub fn service(cache_capacity: usize) -> Service {
    let environ = |variable: &str| match variable {
        "DATABASE_URL" => Some("postgres://nobody@127.0.0.1:1/nothing".to_owned()),
        "API_KEYS_CACHE_CAPACITY" => Some(cache_capacity.to_string()),
        _ => None,
    };
    let config = Config::load(&Options::default(), &environ).expect("a configuration");
    let store = Store::open(&config, Arc::default());
    let keyring = Keyring::new(vec![SigningKey::new([7_u8; 32]).expect("a signing key")]);
    Service::assemble(
        config,
        store,
        Secrets {
            keyring: keyring.expect("a keyring"),
            peppers: None,
            seals: Seals::default(),
        },
        Shared {
            events: Arc::default(),
            metrics: Arc::default(),
            couriers: Arc::default(),
        },
        process::now,
    )
    .expect("a service")
}

/// A policy with one scope, one network and no metadata.
pub fn policy(key_id: Arc<str>, rate_limit: Option<i32>) -> KeyPolicy {
    KeyPolicy {
        key_id,
        class: KeyClass::default(),
        kind: "secret".into(),
        name: "Search backend".into(),
        client_id: "acme-corporation".into(),
        is_revoked: false,
        is_compromised: false,
        is_active: true,
        expires_at: None,
        suspended_until: None,
        grace_ends_at: None,
        origins: Origins::Any,
        allow_list: AllowList::parse(&["10.0.0.0/8".to_owned()]),
        scopes: EffectiveScopes::of_key(HeldScopes::new(vec!["docs:*".to_owned()])),
        metadata: None,
        rate_limit,
        rate_limit_window_seconds: None,
        limits: Vec::new(),
        quotas: Vec::new(),
        reset_generation: 0,
    }
}

/// Creates a key and puts it into the cache.
pub fn warm_key(service: &Service, rate_limit: Option<i32>) -> Plaintext {
    let mut rng = random::generator().expect("random bytes");
    let key = service
        .tokens
        .generate(KeyClass::default(), &mut rng)
        .plaintext;
    let id = random::id(&mut rng);
    let read_at = service.cache.sequence();
    let row = service.cache.row(&id, read_at).expect("a row");
    let hash = StoredHash::new(HASH.to_owned());
    let policy = policy(Arc::clone(&row.id), rate_limit);
    let read_client_at = service.clients.sequence();
    let client = service
        .clients
        .read(&policy.client_id, Vec::new(), read_client_at);
    let read_roles_at = service.roles.sequence();
    let roles = roles_of_rows(service, Vec::new(), read_roles_at);
    let stored = KeyRow {
        key_number: 0,
        idle: None,
        token: None,
    };
    let cached = CachedKey::new(
        policy,
        &stored,
        client,
        roles,
        Some(&hash),
        None,
        service.config.rate_limit_window,
    );
    let bytes = cached.bytes();
    service
        .cache
        .insert(service.cache.key(key.expose()), cached, bytes, row, read_at);
    key
}
