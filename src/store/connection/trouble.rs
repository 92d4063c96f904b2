//! Why no connection could be made: for callers, for operators, and for `doctor`. What the server says may quote values,
//! so it is recognised and never repeated.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as RustlsError};
use sqlx::postgres::PgConnectOptions;

use crate::config::place;

/// A failed attempt to connect to one server.
#[derive(Debug)]
pub(in crate::store) struct Trouble {
    /// Host and port.
    pub(in crate::store) place: String,
    pub(in crate::store) reason: NoConnection,
    source: Option<sqlx::Error>,
}

impl Trouble {
    pub(in crate::store) fn new(server: &PgConnectOptions, error: sqlx::Error) -> Self {
        let is_socket = server.get_socket().is_some() || server.get_host().starts_with('/');
        Self {
            place: place(server),
            reason: NoConnection::of(&error, is_socket),
            source: Some(error),
        }
    }

    pub(in crate::store) fn without_error(server: &PgConnectOptions, reason: NoConnection) -> Self {
        Self {
            place: place(server),
            reason,
            source: None,
        }
    }

    pub(in crate::store) fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }

    pub(in crate::store) fn sql(&self) -> Option<&sqlx::Error> {
        self.source.as_ref()
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

/// The reason why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum NoConnection {
    HostNotFound,
    Refused,
    Unreachable,
    NoSocket,
    Closed,
    Silent,
    NotPostgres,
    NoTls,
    UntrustedCertificate,
    OtherName,
    OutdatedCertificate,
    ClientCertificate,
    CertificateFile,
    Tls,
    /// The user or the password contains characters that no server accepts.
    Unprintable,
    ReadOnly,
    Password,
    NotAdmitted,
    NoDatabase,
    NoConnectPrivilege,
    NoneLeft,
    Starting,
    PoolerSettings,
    /// Any other SQLSTATE.
    Sqlstate(String),
}

impl NoConnection {
    fn of(error: &sqlx::Error, is_socket: bool) -> Self {
        match error {
            sqlx::Error::Io(error) => Self::of_io(error, is_socket),
            sqlx::Error::Tls(error) if error.to_string().contains("does not support TLS") => {
                Self::NoTls
            }
            sqlx::Error::Tls(error) => match error.downcast_ref::<RustlsError>() {
                Some(error) => Self::of_tls(error),
                None if error.to_string().contains("ertificate") => Self::CertificateFile,
                None => Self::Tls,
            },
            sqlx::Error::Database(error) => {
                Self::of_server(&error.code().unwrap_or_default(), error.message())
            }
            sqlx::Error::Configuration(error) if error.to_string().contains("saslprep") => {
                Self::Unprintable
            }
            sqlx::Error::Configuration(_) => Self::CertificateFile,
            // The end of the stream, read as the response to the first message.
            sqlx::Error::Protocol(text) if text.contains("0x00") => Self::Closed,
            _ => Self::NotPostgres,
        }
    }

    fn of_io(error: &io::Error, is_socket: bool) -> Self {
        if let Some(error) = error.get_ref().and_then(|error| error.downcast_ref()) {
            return Self::of_tls(error);
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied if is_socket => {
                Self::NoSocket
            }
            // Nothing else of a connection is a file.
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Self::CertificateFile,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Closed,
            _ if is_lookup(error) => Self::HostNotFound,
            _ => Self::Unreachable,
        }
    }

    fn of_tls(error: &RustlsError) -> Self {
        match error {
            RustlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Self::OtherName,
            RustlsError::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => Self::OutdatedCertificate,
            RustlsError::InvalidCertificate(CertificateError::BadEncoding) => Self::Tls,
            RustlsError::InvalidCertificate(_) => Self::UntrustedCertificate,
            RustlsError::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::BadCertificate
                | AlertDescription::UnknownCA
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateExpired
                | AlertDescription::AccessDenied,
            ) => Self::ClientCertificate,
            _ => Self::Tls,
        }
    }

    /// `PgBouncer` reports everything with the same SQLSTATE, so its texts tell what it means.
    fn of_server(code: &str, message: &str) -> Self {
        let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
        match code {
            "28P01" => Self::Password,
            "28000" => Self::NotAdmitted,
            "3D000" => Self::NoDatabase,
            "42501" => Self::NoConnectPrivilege,
            "53300" => Self::NoneLeft,
            "57P03" => Self::Starting,
            "08P01" if says(&["startup parameter"]) => Self::PoolerSettings,
            "08P01" if says(&["no such database", "does not exist"]) => Self::NoDatabase,
            "08P01" if says(&["no such user", "auth", "password", "login rejected"]) => {
                Self::Password
            }
            "08P01" if says(&["no more connections", "too many", "full"]) => Self::NoneLeft,
            "08P01" if says(&["SSL required", "TLS required"]) => Self::NotAdmitted,
            code => Self::Sqlstate(code.to_owned()),
        }
    }

    /// Whether waiting may help. Everything else needs a change of the settings or of the server.
    pub(in crate::store) fn may_heal(&self) -> bool {
        match self {
            Self::HostNotFound
            | Self::Refused
            | Self::Unreachable
            | Self::NoSocket
            | Self::Closed
            | Self::Silent
            | Self::NotPostgres
            | Self::ReadOnly
            | Self::NoneLeft
            | Self::Starting => true,
            Self::Sqlstate(code) => ["08", "53", "57"]
                .iter()
                .any(|class| code.starts_with(class)),
            _ => false,
        }
    }

    /// Whether no Postgres and no pooler has answered.
    pub(in crate::store) fn is_no_answer(&self) -> bool {
        !matches!(self, Self::NoneLeft) && self.may_heal()
    }
}

/// The texts say what has happened; a title of the documentation is made of each.
impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostNotFound => "the host is unknown",
            Self::Refused => "the connection was refused",
            Self::Unreachable => "the host cannot be reached",
            Self::NoSocket => "the socket does not exist",
            Self::Closed => "the connection was closed by the other side",
            Self::Silent => "the server did not answer in time",
            Self::NotPostgres => "the response does not follow the Postgres protocol",
            Self::NoTls => "the server offers no TLS encryption, which sslmode demands",
            Self::UntrustedCertificate => "the server's certificate is from an unknown authority",
            Self::OtherName => "the server's certificate is for another host name",
            Self::OutdatedCertificate => "the server's certificate is not valid at this time",
            Self::ClientCertificate => {
                "the server does not accept the client certificate, or asks for one"
            }
            Self::CertificateFile => {
                "a file with a certificate or its key is missing or cannot be used"
            }
            Self::Tls => "the TLS connection failed",
            Self::Unprintable => {
                "the user or the password contains characters that no server accepts"
            }
            Self::ReadOnly => "the server accepts no writes",
            Self::Password => "the server rejected the user or the password",
            Self::NotAdmitted => {
                "the server does not admit this user from this address, or not without encryption"
            }
            Self::NoDatabase => "the database does not exist",
            Self::NoConnectPrivilege => "the user is not allowed to connect",
            Self::NoneLeft => "the server has no connection left",
            Self::Starting => "the server is starting up or shutting down",
            Self::PoolerSettings => "a pooler rejected the session settings",
            Self::Sqlstate(code) => {
                return write!(f, "the server refused the connection (SQLSTATE {code})");
            }
        })
    }
}

/// Whether a name could not be resolved. The standard library has no kind for it.
fn is_lookup(error: &io::Error) -> bool {
    const WINDOWS: [i32; 4] = [11_001, 11_002, 11_003, 11_004];
    error
        .raw_os_error()
        .is_some_and(|code| WINDOWS.contains(&code))
        || error.to_string().contains("lookup address")
}
