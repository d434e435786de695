//! The other side: reach an upstream, log in, cancel its requests, read its schema.

mod cancel;
mod dial;
mod error;
mod introspect;
mod login;
mod messages;
mod query;
mod role;
mod schemas;
mod scram;

pub use cancel::cancel;
pub use error::ConnectError;
pub use error::ConnectErrorKind;
pub use introspect::load_catalog;
pub use introspect::schema_fingerprint;
pub use query::QueryError;
pub use role::Role;
pub use role::load_role;
pub use schemas::Schemas;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::BytesMut;

use crate::config::Upstream;
use crate::config::UpstreamTls;
use crate::net::stream::Stream;
use crate::net::tls::ClientTls;
use crate::net::tls::TlsFileError;
use crate::upstream::scram::ScramKeys;

/// A PostgreSQL server and database, with all that is needed to log in. Immutable: a reload makes another.
pub struct Target {
    name: String,
    host: String,
    port: u16,
    database: String,
    user: String,
    password: Option<String>,
    /// `None`: plain text, on loopback and Unix sockets.
    tls: Option<ClientTls>,
    connect_timeout: Duration,
    /// `search_path`, in the server's own writing. The guard resolves names by the same list.
    search_path: String,
    /// What the password came to at the last log-in.
    scram_keys: Arc<Mutex<Option<Arc<ScramKeys>>>>,
    /// What of the database's schema is read.
    schemas: Schemas,
}

impl Target {
    /// Reads the authorities' file; `password` is resolved already.
    pub fn new(settings: &Upstream, password: Option<String>, search_path: &[String]) -> Result<Self, TlsFileError> {
        let tls = match &settings.tls {
            UpstreamTls::VerifyFull { ca_file } => Some(ClientTls::load(ca_file.as_deref())?),
            UpstreamTls::Disable => None,
        };
        Ok(Self {
            name: settings.name.clone(),
            host: settings.host.clone(),
            port: settings.port,
            database: settings.database.clone(),
            user: settings.user.clone(),
            password,
            tls,
            connect_timeout: settings.connect_timeout,
            search_path: written_path(search_path),
            scram_keys: Arc::default(),
            schemas: Schemas::All,
        })
    }

    /// The same database, where only these schemas are read and sessions have this search path.
    #[must_use]
    pub fn narrowed(&self, schemas: Schemas, search_path: &[String]) -> Self {
        Self {
            name: self.name.clone(),
            host: self.host.clone(),
            port: self.port,
            database: self.database.clone(),
            user: self.user.clone(),
            password: self.password.clone(),
            tls: self.tls.clone(),
            connect_timeout: self.connect_timeout,
            search_path: written_path(search_path),
            scram_keys: Arc::clone(&self.scram_keys),
            schemas,
        }
    }

    /// The upstream's name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn database(&self) -> &str {
        &self.database
    }

    /// The role that we log in as.
    pub fn user(&self) -> &str {
        &self.user
    }
}

/// Without the password.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("name", &self.name)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("database", &self.database)
            .field("user", &self.user)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// Where a connection in truth went: a cancel request must go to the same server, whatever the name resolves to by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    Tcp(SocketAddr),
    /// In the folder that the target names.
    Unix,
}

/// What the server wants to see in a cancel request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelKey {
    pub address: Address,
    pub process_id: i32,
    pub secret: i32,
}

/// A connection that has logged in and is idle.
#[derive(Debug)]
pub struct Connected {
    pub stream: Stream,
    /// What the server has said in ParameterStatus, in its order.
    pub parameters: Vec<(String, String)>,
    /// `None`: the server gave none, and requests cannot be cancelled.
    pub key: Option<CancelKey>,
    /// Bytes that came behind the first ReadyForQuery; mostly none.
    pub unread: BytesMut,
}

impl Connected {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Connects and logs in. `parameters` are start-up parameters of the client that have been checked against a list of
/// allowed ones (`application_name`, `TimeZone`, …); those that Partywall fixes itself are not taken from it.
pub async fn connect(target: &Target, parameters: &[(String, String)]) -> Result<Connected, ConnectError> {
    let attempt = async {
        let dialled = dial::dial(target).await?;
        login::login(target, dialled, parameters).await
    };
    let result = match tokio::time::timeout(target.connect_timeout, attempt).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::new(
            ConnectErrorKind::Timeout,
            format!("no answer within {} ms", target.connect_timeout.as_millis()),
        )),
    };
    result.map_err(|error| error.at(target))
}

fn written_path(schemas: &[String]) -> String {
    schemas.iter().map(|schema| written(schema)).collect::<Vec<_>>().join(", ")
}

fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// In quotes only where it needs them: SHOW gives the client what is written here.
fn written(schema: &str) -> String {
    let is_plain = |at: usize, byte: u8| byte.is_ascii_lowercase() || byte == b'_' || (at > 0 && byte.is_ascii_digit());
    let needs_none = !schema.is_empty() && schema.bytes().enumerate().all(|(at, byte)| is_plain(at, byte));
    if needs_none { schema.to_owned() } else { quote_identifier(schema) }
}
