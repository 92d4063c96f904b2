//! Whether scopes are in the catalogue.

use super::Service;
use crate::error::{Error, Issue};
use crate::model::Catalogue;

impl Service {
    /// Fails for a list of scopes with one that the catalogue does not have, and for one that implies too many.
    pub fn require_known(&self, scopes: &[String]) -> Result<(), Error> {
        let Some(catalogue) = &self.config.catalogue else {
            return Ok(());
        };
        let issue = |path: String, message: String| Issue { path, message };
        let unknown = scopes.iter().enumerate();
        let mut issues: Vec<Issue> = unknown
            .filter(|(_, scope)| !catalogue.admits(scope))
            .map(|(index, _)| {
                let message = "must be in the catalogue of scopes, or cover a scope in it";
                issue(format!("scopes[{index}]"), message.to_owned())
            })
            .collect();
        if issues.is_empty()
            && catalogue.held(scopes.to_vec()).iter().count() >= Catalogue::HELD_MAX
        {
            let most = Catalogue::HELD_MAX - 1;
            let message = format!("must be at most {most} with all that they imply");
            issues.push(issue("scopes".to_owned(), message));
        }
        Error::of_issues(issues)
    }
}
