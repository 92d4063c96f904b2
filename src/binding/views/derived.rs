//! The view of a derived token.

use serde::Serialize;
use zeroize::Zeroizing;

use super::verification::VerificationView;
use crate::derived_tokens::Derived;
use crate::model::Timestamp;
use crate::verify::Verification;

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(in crate::binding) enum DerivedView {
    Token {
        token: Zeroizing<String>,
        expires_at: Timestamp,
    },
    Refused(Box<VerificationView>),
}

impl From<Derived> for DerivedView {
    fn from(derived: Derived) -> Self {
        match derived {
            Derived::Token { token, expires_at } => Self::Token { token, expires_at },
            Derived::Refused(refused) => {
                Self::Refused(Box::new(Verification::Refused(refused).into()))
            }
        }
    }
}
