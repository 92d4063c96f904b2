//! The permissions of legacy admin tokens: their rows store none, but their names may imply them.

use super::admin_token::ALL_PERMISSIONS;

const ENVIRONMENTS: [&str; 4] = ["prod", "staging", "dev", "test"];

/// What a purpose implies. Only "api" opens the routes for admins, all of them: each other purpose has what its scripts did, and
/// gains nothing when there are new routes.
const PURPOSES: [(&str, &[&str]); 5] = [
    ("api", &[ALL_PERMISSIONS]),
    ("monitoring", &["metrics:read", "monitoring"]),
    ("deployment", &["deployment"]),
    ("backup", &["backup"]),
    ("maintenance", &["maintenance"]),
];

/// The permissions of a row whose name is `<environment>-<purpose>-<number>`, as the old scripts named them; none for
/// any other name. Call it with the name in the database, never with one that a token claims.
#[must_use]
pub fn legacy_permissions(name: &str) -> Vec<String> {
    let mut parts = name.split('-');
    let (Some(environment), Some(purpose), Some(number), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Vec::new();
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || !ENVIRONMENTS.contains(&environment) {
        return Vec::new();
    }
    let known = PURPOSES.iter().find(|(known, _)| *known == purpose);
    let permissions = known.map_or(&[] as &[&str], |(_, permissions)| permissions);
    permissions.iter().map(ToString::to_string).collect()
}

/// A regular expression for the names that imply this permission, or all.
#[must_use]
pub fn legacy_names_that_permit(permission: &str) -> String {
    let purposes = PURPOSES.iter().filter(|(_, permissions)| {
        let held = |held: &&str| *held == ALL_PERMISSIONS || *held == permission;
        permissions.iter().any(held)
    });
    let purposes: Vec<&str> = purposes.map(|(purpose, _)| *purpose).collect();
    let (environments, purposes) = (ENVIRONMENTS.join("|"), purposes.join("|"));
    format!("^({environments})-({purposes})-[0-9]+$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_old_scripts_imply_permissions() {
        for (name, expected) in [
            ("prod-api-1", vec!["*"]),
            ("test-api-0042", vec!["*"]),
            ("staging-monitoring-7", vec!["metrics:read", "monitoring"]),
            ("dev-deployment-1", vec!["deployment"]),
            ("prod-backup-12", vec!["backup"]),
            ("prod-maintenance-3", vec!["maintenance"]),
            ("", vec![]),
            ("prod-api-", vec![]),
            ("prod-api", vec![]),
            ("prod-api-1 ", vec![]),
            ("prod-api-1\n", vec![]),
            (" prod-api-1", vec![]),
            ("prod-api-1-2", vec![]),
            ("prod-api--1", vec![]),
            ("prod-api-1a", vec![]),
            ("prod-api-١", vec![]),
            ("Prod-api-1", vec![]),
            ("prod-API-1", vec![]),
            ("production-api-1", vec![]),
            ("xprod-api-1", vec![]),
            ("prod-root-1", vec![]),
            ("prod_api_1", vec![]),
        ] {
            assert_eq!(legacy_permissions(name), expected, "{name:?}");
        }
    }

    #[test]
    fn names_are_found_by_what_they_imply() {
        for (permission, purposes) in [
            ("*", "api"),
            ("keys:read", "api"),
            ("metrics:read", "api|monitoring"),
            ("backup", "api|backup"),
        ] {
            let expected = format!("^(prod|staging|dev|test)-({purposes})-[0-9]+$");
            assert_eq!(legacy_names_that_permit(permission), expected);
        }
    }
}
