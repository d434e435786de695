//! The config file's format, TOML, parsed into settings once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::Admin;
use crate::config::Config;
use crate::config::Limits;
use crate::config::Listen;
use crate::config::ListenTls;
use crate::config::Log;
use crate::config::LogFormat;
use crate::config::Plain;
use crate::config::Upstream;
use crate::config::UpstreamTls;
use crate::config::is_loopback;
use crate::config::raw::RawConfig;
use crate::config::raw::RawDuration;
use crate::config::raw::RawLimits;
use crate::config::raw::RawListen;
use crate::config::raw::RawLog;
use crate::config::raw::RawLogFormat;
use crate::config::raw::RawPlain;
use crate::config::raw::RawSize;
use crate::config::raw::RawUpstream;
use crate::config::raw::RawUpstreamTls;
use crate::config::unit::parse_bytes;
use crate::config::unit::parse_duration;
use crate::policy::Document;
use crate::policy::FileError;
use crate::policy::SecretSource;
use crate::policy::schema_of;
use crate::policy::schema_text;
use crate::policy::secret_source;

/// PostgreSQL's own limit for one message (`PQ_LARGE_MESSAGE_LIMIT`).
const MESSAGE_BYTES_MAX: usize = 0x3fff_ffff;
/// Memory while parsing is a large multiple of the text's size.
const STATEMENT_BYTES_MAX: usize = 64 << 20;
/// PostgreSQL's own limit for a start-up packet (`MAX_STARTUP_PACKET_LENGTH`).
const STARTUP_BYTES_MAX: usize = 10_000;
const PORT: u16 = 5432;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

impl Config {
    /// Reads a config file's text. `folder` is the file's: relative paths in it begin there.
    ///
    /// Fails with every fault that was found, each with its line and column.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Vec<FileError>> {
        let (document, raw) = Document::read::<RawConfig>(text)?;
        let mut reader = Reader { document, folder };
        let listen = reader.listen(&raw.listen);
        let admin = raw.admin.and_then(|raw| reader.address(&["admin", "address"], &raw.address));
        let config = Self {
            listen,
            admin: admin.map(|address| Admin { address }),
            upstreams: reader.upstreams(raw.upstream),
            policy_file: reader.path(&["policy", "file"], &raw.policy.file),
            audit: reader.audit(raw.audit),
            limits: reader.limits(&raw.limits),
            log: reader.log(raw.log),
        };
        reader.document.finish(config)
    }

    /// The file's JSON Schema, for editors.
    pub fn schema() -> String {
        schema_text(&schema_of::<RawConfig>())
    }
}

pub(super) struct Reader<'t> {
    pub(super) document: Document<'t>,
    folder: &'t Path,
}

impl Reader<'_> {
    fn listen(&mut self, raw: &RawListen) -> Listen {
        let address = raw.address.as_ref().and_then(|text| self.address(&["listen", "address"], text));
        if raw.address.is_none() && raw.unix_socket.is_none() {
            self.document
                .note(&["listen"], "nothing to listen on: [listen] needs \"address\", \"unix_socket\" or both");
        }
        let tls = match (&raw.tls_certificate_file, &raw.tls_key_file) {
            (Some(certificate), Some(key)) => Some(ListenTls {
                certificate: self.path(&["listen", "tls_certificate_file"], certificate),
                key: self.path(&["listen", "tls_key_file"], key),
            }),
            (None, None) => None,
            (Some(_), None) => self.document.refuse(
                &["listen", "tls_certificate_file"],
                "TLS needs a key beside the certificate: \"tls_key_file\" is missing in [listen]",
            ),
            (None, Some(_)) => self.document.refuse(
                &["listen", "tls_key_file"],
                "TLS needs a certificate beside the key: \"tls_certificate_file\" is missing in [listen]",
            ),
        };
        let plain = match raw.plain {
            Some(RawPlain::Loopback) | None => Plain::LoopbackOnly,
            Some(RawPlain::Allow) => Plain::Allow,
            Some(RawPlain::Refuse) => Plain::Refuse,
        };
        let unreachable = plain != Plain::Allow && address.is_some_and(|address| !accepts_plain(address, plain));
        if tls.is_none() && raw.tls_certificate_file.is_none() && raw.tls_key_file.is_none() && unreachable {
            let message = "nobody could connect to this address: without TLS only loopback is served; \
                           give \"tls_certificate_file\" and \"tls_key_file\", or set plain = \"allow\"";
            self.document.note(&["listen", "address"], message);
        }
        Listen {
            address,
            unix_socket: raw.unix_socket.as_ref().map(|path| self.path(&["listen", "unix_socket"], path)),
            tls,
            plain,
            threads: raw.threads,
        }
    }

    fn upstreams(&mut self, raw: BTreeMap<String, RawUpstream>) -> BTreeMap<String, Upstream> {
        if raw.is_empty() {
            self.document.note(&["upstream"], "no upstream: name at least one, as in [upstream.main]");
        }
        raw.into_iter().map(|(name, raw)| (name.clone(), self.upstream(name, raw))).collect()
    }

    fn upstream(&mut self, name: String, raw: RawUpstream) -> Upstream {
        let section = ["upstream", name.as_str()];
        for (key, value) in [("host", &raw.host), ("database", &raw.database), ("user", &raw.user)] {
            if value.is_empty() || value.contains('\0') {
                self.document.note(&[&section[..], &[key]].concat(), format!("{key:?} is empty"));
            }
        }
        let path = [&section[..], &["password"]].concat();
        let password = raw.password.as_ref().and_then(|raw| secret_source(&mut self.document, &path, raw));
        let password = password.map(|source| match source {
            SecretSource::File(file) => SecretSource::File(self.folder.join(file).to_string_lossy().into_owned()),
            other => other,
        });
        let tls = self.upstream_tls(&section, &raw);
        let path = [&section[..], &["connect_timeout"]].concat();
        let connect_timeout = self.duration(&path, raw.connect_timeout.as_ref(), CONNECT_TIMEOUT);
        Upstream {
            host: raw.host,
            port: raw.port.unwrap_or(PORT),
            database: raw.database,
            user: raw.user,
            password,
            tls,
            connect_timeout,
            name,
        }
    }

    fn upstream_tls(&mut self, section: &[&str], raw: &RawUpstream) -> UpstreamTls {
        let path = [section, &["tls"]].concat();
        let ca_path = [section, &["tls_ca_file"]].concat();
        let unix_socket = raw.host.starts_with('/');
        match raw.tls {
            Some(RawUpstreamTls::VerifyFull) if unix_socket => {
                self.document.note(&path, "PostgreSQL has no TLS over a Unix socket: drop \"tls\"");
            }
            Some(RawUpstreamTls::Disable) if !unix_socket && !is_loopback(&raw.host) => {
                let message = format!(
                    "tls = \"disable\" is for loopback and Unix sockets only, and {:?} is neither: \
                     anybody between could read and change all tenants' data; use \"verify-full\"",
                    raw.host
                );
                self.document.note(&path, message);
            }
            _ => {}
        }
        if unix_socket || raw.tls == Some(RawUpstreamTls::Disable) {
            if raw.tls_ca_file.is_some() {
                self.document.note(&ca_path, "\"tls_ca_file\" has no meaning without TLS: drop it");
            }
            return UpstreamTls::Disable;
        }
        UpstreamTls::VerifyFull { ca_file: raw.tls_ca_file.as_ref().map(|file| self.path(&ca_path, file)) }
    }

    fn limits(&mut self, raw: &RawLimits) -> Limits {
        let default = Limits::default();
        let count = |value: Option<u32>, default: usize| {
            value.map_or(default, |value| usize::try_from(value).unwrap_or(usize::MAX))
        };
        let mut size =
            |key, value: &Option<RawSize>, default, max| self.size(&["limits", key], value.as_ref(), default, 64..=max);
        let startup_bytes_max =
            size("startup_bytes_max", &raw.startup_bytes_max, default.startup_bytes_max, STARTUP_BYTES_MAX);
        let statement_bytes_max =
            size("statement_bytes_max", &raw.statement_bytes_max, default.statement_bytes_max, STATEMENT_BYTES_MAX);
        let bind_bytes_max = size("bind_bytes_max", &raw.bind_bytes_max, default.bind_bytes_max, MESSAGE_BYTES_MAX);
        let decision_cache_bytes_max = size(
            "decision_cache_bytes_max",
            &raw.decision_cache_bytes_max,
            default.decision_cache_bytes_max,
            MESSAGE_BYTES_MAX,
        );
        let mut duration =
            |key, value: &Option<RawDuration>, default| self.duration(&["limits", key], value.as_ref(), default);
        Limits {
            clients_max: count(raw.clients_max, default.clients_max),
            startup_bytes_max,
            statement_bytes_max,
            bind_bytes_max,
            statement_tokens_max: count(raw.statement_tokens_max, default.statement_tokens_max),
            nesting_max: count(raw.nesting_max, default.nesting_max),
            statements_per_session_max: count(raw.statements_per_session_max, default.statements_per_session_max),
            portals_per_session_max: count(raw.portals_per_session_max, default.portals_per_session_max),
            temporary_tables_per_session_max: count(
                raw.temporary_tables_per_session_max,
                default.temporary_tables_per_session_max,
            ),
            pipeline_max: count(raw.pipeline_max, default.pipeline_max),
            authentication_timeout: duration(
                "authentication_timeout",
                &raw.authentication_timeout,
                default.authentication_timeout,
            ),
            drain_timeout: duration("drain_timeout", &raw.drain_timeout, default.drain_timeout),
            decision_cache_entries_max: count(raw.decision_cache_entries_max, default.decision_cache_entries_max),
            decision_cache_bytes_max,
        }
    }

    fn log(&mut self, raw: RawLog) -> Log {
        Log {
            format: match raw.format {
                Some(RawLogFormat::Json) => LogFormat::Json,
                Some(RawLogFormat::Text) | None => LogFormat::Text,
            },
            filter: raw.filter.unwrap_or_else(|| "info".to_owned()),
        }
    }

    fn address(&mut self, path: &[&str], text: &str) -> Option<SocketAddr> {
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => {
                let message =
                    format!("invalid address {text:?}: must be an IP address and a port, as in \"127.0.0.1:6432\"");
                self.document.refuse(path, message)
            }
        }
    }

    pub(super) fn path(&mut self, path: &[&str], text: &str) -> PathBuf {
        if text.is_empty() || text.contains('\0') {
            self.document.note(path, "path is empty");
        }
        self.folder.join(text)
    }

    pub(super) fn duration(&mut self, path: &[&str], raw: Option<&RawDuration>, default: Duration) -> Duration {
        let Some(RawDuration(text)) = raw else { return default };
        match parse_duration(text) {
            Some(duration) if !duration.is_zero() => duration,
            _ => {
                let message = format!(
                    "invalid duration {text:?}: must be a number above 0 with a unit (ms, s, min, h), as in \"30s\""
                );
                self.document.note(path, message);
                default
            }
        }
    }

    pub(super) fn size(
        &mut self,
        path: &[&str],
        raw: Option<&RawSize>,
        default: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> usize {
        let bytes = match raw {
            None => return default,
            Some(RawSize::Bytes(bytes)) => Some(*bytes),
            Some(RawSize::Text(text)) => parse_bytes(text),
        };
        let Some(bytes) = bytes else {
            let message =
                "invalid size: must be a number of bytes, or a number with a unit (B, KiB, MiB, GiB), as in \"16MiB\"";
            self.document.note(path, message);
            return default;
        };
        match usize::try_from(bytes) {
            Ok(bytes) if range.contains(&bytes) => bytes,
            _ => {
                let message = format!("invalid size: must be from {} to {} bytes", range.start(), range.end());
                self.document.note(path, message);
                default
            }
        }
    }
}

/// Somebody could connect to the address without TLS.
fn accepts_plain(address: SocketAddr, plain: Plain) -> bool {
    match plain {
        Plain::Allow => true,
        Plain::LoopbackOnly => address.ip().is_loopback() || address.ip().is_unspecified(),
        Plain::Refuse => false,
    }
}
