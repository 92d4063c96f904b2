//! The keys that sign derived tokens, and which tokens live. All of it is one statement, since each costs the addon some kilobytes: the
//! SQL function `token_call` tells what is asked for.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::connection::Share;
use super::connection::error::Statement;
use super::handle::Store;
use super::webhooks::{RawJson, parsed};
use crate::error::Error;
use crate::model::{CredentialDigest, Timestamp};

/// A key that signs derived tokens, or whose tokens live.
#[derive(Debug)]
pub struct StoredTokenKey {
    pub kid: String,
    pub public: Vec<u8>,
    /// What is stored of the private part, in base64; `None` if it signs no more.
    pub private: Option<String>,
}

/// A key that is to sign from now on.
pub struct NewTokenKey<'a> {
    pub kid: &'a str,
    pub public: &'a [u8],
    /// What to store of the private part.
    pub private: &'a [u8],
}

/// What finds the row of a key that is known by its id.
pub enum ParentLookup {
    Lookup(String),
    /// The row holds plaintext.
    Plaintext(CredentialDigest),
}

impl Store {
    /// The key that signs, and those whose tokens live.
    pub async fn token_keys(&self) -> Result<Vec<StoredTokenKey>, Error> {
        let listed = self.ask_of_tokens("list_token_keys", Share::Verify, &Value::Null);
        Ok(token_keys(&listed.await?))
    }

    /// Has a new key sign in place of `replaced`, or of any, unless another one does by now. Returns all keys; `None` if there are too
    /// many whose tokens live.
    pub async fn replace_token_key(
        &self,
        new: &NewTokenKey<'_>,
        replaced: Option<&str>,
        is_any: bool,
    ) -> Result<Option<Vec<StoredTokenKey>>, Error> {
        let input = json!({
            "kid": new.kid, "public": BASE64_STANDARD.encode(new.public), "private": BASE64_STANDARD.encode(new.private),
            "replaced": replaced, "isAny": is_any,
        });
        let replaced = self.ask_of_tokens("replace_token_key", Share::Manage, &input);
        let listed = replaced.await?;
        Ok(listed.is_array().then(|| token_keys(&listed)))
    }

    /// Notes until when a token lives that was signed just now. Returns whether its signer still signs.
    pub async fn note_token(
        &self,
        key_id: &str,
        kid: &str,
        expires_at: Timestamp,
    ) -> Result<bool, Error> {
        let seconds = expires_at.millis().div_euclid(1_000);
        let input = json!({ "keyId": key_id, "kid": kid, "expiresAt": seconds });
        let noted = self.ask_of_tokens("note_token", Share::Manage, &input);
        Ok(noted.await? == true)
    }

    /// What finds the row of this key, and what the key begins with; `None` if there is none.
    pub async fn lookup_of_key(
        &self,
        id: &str,
    ) -> Result<Option<(ParentLookup, Option<String>)>, Error> {
        let input = json!({ "id": id });
        let found = self.ask_of_tokens("lookup_of_key", Share::Verify, &input);
        let found = found.await?;
        let start = found["start"].as_str().map(str::to_owned);
        if let Some(lookup) = found["lookup"].as_str() {
            return Ok(Some((ParentLookup::Lookup(lookup.to_owned()), start)));
        }
        let digest = bytes(&found["digest"]).try_into().ok();
        let plaintext = |digest| ParentLookup::Plaintext(CredentialDigest::from_bytes(digest));
        Ok(digest.map(|digest| (plaintext(digest), start)))
    }

    /// The ids of the keys with living tokens that may not be used any more.
    pub async fn revoked_parents(&self) -> Result<Value, Error> {
        self.ask_of_tokens("revoked_parents", Share::Verify, &Value::Null)
            .await
    }

    /// What the SQL function of this name answers. A repeat has the same effect, so all of them may be repeated.
    #[track_caller]
    fn ask_of_tokens(
        &self,
        name: &'static str,
        share: Share,
        input: &Value,
    ) -> impl Future<Output = Result<Value, Error>> + Send {
        let statement = Statement::named(name);
        let answer = self.repeated(statement, Some(share), move || async move {
            let mut db = self.db().await?;
            let answer = sqlx::query_scalar!(
                r#"SELECT sophra_api_keys.token_call($1, $2) AS "answer: RawJson""#,
                name,
                input,
            )
            .fetch_one(&mut db)
            .await;
            db.settle(answer).await
        });
        async move { Ok(parsed(answer.await?)) }
    }
}

fn token_keys(listed: &Value) -> Vec<StoredTokenKey> {
    let rows = listed.as_array().into_iter().flatten();
    rows.map(|row| StoredTokenKey {
        kid: row["kid"].as_str().unwrap_or_default().to_owned(),
        public: bytes(&row["public"]),
        private: row["private"].as_str().map(str::to_owned),
    })
    .collect()
}

fn bytes(base64: &Value) -> Vec<u8> {
    let text = base64.as_str().unwrap_or_default();
    BASE64_STANDARD.decode(text).unwrap_or_default()
}
