//! What to do if no connection can be made.

use super::trouble::NoConnection;

impl NoConnection {
    pub(in crate::store) fn remedy(&self) -> &'static str {
        match self {
            Self::HostNotFound
            | Self::Refused
            | Self::Unreachable
            | Self::NoSocket
            | Self::Closed
            | Self::NotPostgres => {
                "Check the host and port in the URL, that the server is running, and any firewall in between"
            }
            Self::Silent => "Check the load of the server, or raise API_KEYS_STATEMENT_TIMEOUT_MS",
            Self::NoTls => {
                "Turn TLS on at the server (ssl = on), or use sslmode=disable if the network in between is trusted"
            }
            Self::UntrustedCertificate => {
                "Name the PEM file of the server's authority as sslrootcert in the URL; for no check at all, use \
                 sslmode=no-verify"
            }
            Self::OtherName => {
                "Use a host name that the certificate contains; for no check at all, use sslmode=no-verify"
            }
            Self::OutdatedCertificate => {
                "Renew the server's certificate, and check this machine's clock"
            }
            Self::ClientCertificate => {
                "Name a client certificate that the server accepts, and its key, as sslcert and sslkey in the URL"
            }
            Self::CertificateFile => "Check the files that sslrootcert, sslcert and sslkey name",
            Self::Tls => "Check sslmode in the URL, and which versions of TLS the server offers",
            Self::Unprintable => {
                "Check the user and the password in the URL, including for control characters"
            }
            Self::ReadOnly => {
                "Point the URL at the primary, or name all servers in it: host1:5432,host2:5432"
            }
            Self::Password | Self::NotAdmitted => {
                "Check the user and the password in the URL, and the server's pg_hba.conf"
            }
            Self::NoDatabase => "Create the database, or check its name in the URL",
            Self::NoConnectPrivilege => "Run GRANT CONNECT ON DATABASE for the user in the URL",
            Self::NoneLeft => {
                "Lower connection_limit or API_KEYS_POOL_MAX in your processes, or raise max_connections on the server"
            }
            Self::Starting => "Wait, then run doctor again",
            Self::PoolerSettings => {
                "Add pgbouncer=true to the query string of DATABASE_URL, and set DIRECT_DATABASE_URL to the address \
                 of the server itself"
            }
            Self::Sqlstate(_) => "Check the user, the password, schema and options in the URL",
        }
    }
}
