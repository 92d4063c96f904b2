//! The permissions of legacy admin tokens: their rows store none, but their names may imply them.

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
    if !is_number || !["prod", "staging", "dev", "test"].contains(&environment) {
        return Vec::new();
    }
    let permissions: &[&str] = match purpose {
        "api" => &["*"],
        "monitoring" => &["metrics:read", "monitoring"],
        "deployment" => &["deployment"],
        "backup" => &["backup"],
        "maintenance" => &["maintenance"],
        _ => &[],
    };
    permissions.iter().map(ToString::to_string).collect()
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
}
