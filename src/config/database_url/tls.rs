//! What the URL demands of TLS. A demand is met or refused, and never weakened.

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::parameters::Parameters;

const SSLMODES: [&str; 7] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "no-verify",
    "verify-ca",
    "verify-full",
];

/// The mode that meets all demands. `verify-ca` alone would accept any name that a public authority has certified, so a
/// certificate that is checked is always checked with its host name.
pub(super) fn mode(parameters: &mut Parameters<'_>) -> PgSslMode {
    let sslmode = parameters.choice("sslmode", &SSLMODES);
    let ssl = parameters.choice("ssl", &["true", "1", "false", "0", "no-verify"]);
    let sslaccept = parameters.choice("sslaccept", &["strict", "accept_invalid_certs"]);
    let names_authority = parameters.is_in_url("sslrootcert");
    let has_authority = names_authority || parameters.text("sslrootcert").is_some();
    if parameters.text("sslcert").is_some() != parameters.text("sslkey").is_some() {
        parameters.problems.push(HALF_OF_A_PAIR.to_owned());
    }
    let off = sslmode == Some("disable") || matches!(ssl, Some("false" | "0"));
    // Encrypted only perhaps, or not checked, as the URL says itself.
    let optional = off || matches!(sslmode, Some("allow" | "prefer"));
    let unchecked = optional
        || sslmode == Some("no-verify")
        || ssl == Some("no-verify")
        || sslaccept == Some("accept_invalid_certs");
    let mut strict = Vec::new();
    if matches!(sslmode, Some("verify-ca" | "verify-full")) {
        strict.push("sslmode");
    }
    if sslaccept == Some("strict") {
        strict.push("sslaccept");
    }
    if names_authority {
        strict.push("sslrootcert");
    }
    // What node-postgres understands by it; `sslmode=require` says more exactly what is meant.
    let checks = matches!(ssl, Some("true" | "1")) && sslmode.is_none();
    if checks {
        strict.push("ssl");
    }
    let encrypted = matches!(ssl, Some("true" | "1" | "no-verify"));
    if unchecked && !strict.is_empty() {
        parameters.contradiction(&strict, "does not check the certificate");
    } else if optional && encrypted {
        parameters.contradiction(&["ssl"], "does not demand encryption");
    } else if off && matches!(sslmode, Some("require" | "no-verify")) {
        parameters.contradiction(&["sslmode"], "turns encryption off");
    }
    let demands = sslmode == Some("require") && !unchecked && has_authority;
    match sslmode {
        _ if !strict.is_empty() || demands => PgSslMode::VerifyFull,
        Some("require" | "no-verify") => PgSslMode::Require,
        _ if encrypted => PgSslMode::Require,
        _ if off => PgSslMode::Disable,
        Some("allow") => PgSslMode::Allow,
        _ => PgSslMode::Prefer,
    }
}

const HALF_OF_A_PAIR: &str = "must name sslcert and sslkey together, a client certificate and its key: the server's authority, which Prisma \
     calls sslcert, is sslrootcert";

/// The public authorities, which are always accepted.
const SYSTEM: &str = "system";

pub(super) fn apply(
    connect: PgConnectOptions,
    mode: PgSslMode,
    parameters: &Parameters<'_>,
) -> PgConnectOptions {
    let connect = connect.ssl_mode(mode);
    if parameters.text("sslrootcert") == Some(SYSTEM) {
        return connect.ssl_root_cert_from_pem(Vec::new());
    }
    connect
}
