//! What a client permits its keys, and the keys of the clients below it.

use super::ip::AllowList;
use super::limit::Limit;
use super::metadata::Metadata;
use super::quota::Quota;

/// The part of a client that a verify needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientPolicy {
    pub client_id: Box<str>,
    pub is_active: bool,
    /// The client above. It may have no row where triggers did not fire.
    pub parent_id: Option<Box<str>>,
    pub metadata: Option<Box<Metadata>>,
    pub allow_list: AllowList,
    pub limits: Vec<Limit>,
    pub quotas: Vec<Quota>,
}

impl ClientPolicy {
    /// The memory of its texts and lists, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let metadata = self.metadata.as_ref();
        size_of::<Self>()
            + self.client_id.len()
            + self.allow_list.bytes()
            + self.limits.iter().map(Limit::bytes).sum::<usize>()
            + self.quotas.iter().map(Quota::bytes).sum::<usize>()
            + metadata.map_or(0, |metadata| metadata.as_str().len())
    }
}
