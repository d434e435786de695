//! The section `[audit]`: what is kept of the audit trail, and what an answer waits for.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::Audit;
use crate::config::AuditFile;
use crate::config::AuditHttp;
use crate::config::AuditTenant;
use crate::config::Checkpoints;
use crate::config::Durability;
use crate::config::Spool;
use crate::config::Volume;
use crate::config::file::Reader;
use crate::config::is_loopback;
use crate::config::raw::RawAudit;
use crate::config::raw::RawAuditHttp;
use crate::config::raw::RawAuditTenant;
use crate::config::raw::RawDurability;
use crate::config::raw::RawSpool;
use crate::tenant::TenantId;

pub(super) const QUEUE_BYTES_MAX: usize = 8 << 20;
pub(super) const WAIT_MAX: Duration = Duration::from_secs(5);
const HTTP_TIMEOUT: Duration = Duration::from_secs(10);
const SPOOL_BYTES_MAX: usize = 1 << 30;
const SEGMENT_BYTES: usize = 16 << 20;

const REGIMES: &[&str] = &["hipaa", "gdpr", "soc2", "pci"];

impl From<RawDurability> for Durability {
    fn from(raw: RawDurability) -> Self {
        match raw {
            RawDurability::Async => Self::Async,
            RawDurability::Local => Self::Local,
            RawDurability::Remote => Self::Remote,
        }
    }
}

/// The authority, and the path from its slash on.
fn split_path(rest: &str) -> (&str, String) {
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(at).unwrap_or((rest, ""));
    (authority, if path.is_empty() { "/".to_owned() } else { path.to_owned() })
}

impl Reader<'_> {
    pub(super) fn audit(&mut self, raw: RawAudit) -> Audit {
        let queue = ["audit", "queue_bytes_max"];
        let queue_bytes_max = self.size(&queue, raw.queue_bytes_max.as_ref(), QUEUE_BYTES_MAX, 64 << 10..=1 << 32);
        let file = raw.file.map(|raw| AuditFile { path: self.path(&["audit", "file", "path"], &raw.path) });
        let spool = raw.spool.map(|raw| self.spool(&raw));
        let http = raw.http.as_ref().and_then(|raw| self.audit_http(raw));
        if spool.is_some() && file.is_none() && raw.http.is_none() && !raw.stdout {
            let message = "the spool keeps records until a sink has them, and there is none: give [audit.file], \
                           [audit.http] or stdout = true";
            self.document.note(&["audit", "spool"], message);
        }
        for (key, set) in [("stdout", raw.stdout), ("http", raw.http.is_some())] {
            if set && spool.is_none() {
                self.document.note(&["audit", key], format!("{key:?} is fed by a spool: give [audit.spool]"));
            }
        }
        let durability = raw.durability.map(Durability::from).unwrap_or_default();
        self.check_durability(&["audit", "durability"], durability, spool.as_ref());
        let wait_max = self.duration(&["audit", "wait_max"], raw.wait_max.as_ref(), WAIT_MAX);
        let mut tenants = BTreeMap::new();
        for (name, raw) in raw.tenant {
            let section = ["audit", "tenant", name.as_str()];
            match TenantId::parse(&name) {
                Ok(tenant) => {
                    tenants.insert(tenant, self.audit_tenant(&section, &raw, durability, spool.as_ref()));
                }
                Err(error) => self.document.note(&section, error.to_string()),
            }
        }
        let acknowledges = file.is_some() || http.is_some();
        let remote = tenants.values().filter_map(|tenant: &AuditTenant| tenant.durability).chain([durability]);
        if raw.stdout && !acknowledges && remote.max() == Some(Durability::Remote) {
            let message = "durability = \"remote\" needs a sink that acknowledges: standard output does not";
            self.document.note(&["audit", "stdout"], message);
        }
        let checkpoints = raw.checkpoint.map(|raw| Checkpoints {
            key_file: self.path(&["audit", "checkpoint", "key_file"], &raw.key_file),
            file: raw.file.map(|file| self.path(&["audit", "checkpoint", "file"], &file)),
        });
        Audit { file, queue_bytes_max, spool, durability, wait_max, tenants, checkpoints, stdout: raw.stdout, http }
    }

    /// Without TLS, and so on this host only.
    fn audit_http(&mut self, raw: &RawAuditHttp) -> Option<AuditHttp> {
        let key = ["audit", "http", "url"];
        let timeout = self.duration(&["audit", "http", "timeout"], raw.timeout.as_ref(), HTTP_TIMEOUT);
        let Some((authority, path)) = raw.url.strip_prefix("http://").map(split_path) else {
            return self
                .document
                .refuse(&key, "must be a URL of http on this host, as in \"http://127.0.0.1:8080/audit\"");
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()),
            _ => (authority, Some(80)),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let printable = path.bytes().all(|byte| byte.is_ascii_graphic());
        match port {
            Some(port) if printable && !host.is_empty() && is_loopback(host) => {
                Some(AuditHttp { host: host.to_owned(), port, path, timeout })
            }
            Some(_) if printable => {
                let message = format!(
                    "{host:?} is not on this host, and records would cross the network in the clear: send \
                                       them to an agent on loopback"
                );
                self.document.refuse(&key, message)
            }
            _ => self.document.refuse(&key, "is no URL"),
        }
    }

    fn spool(&mut self, raw: &RawSpool) -> Spool {
        let section = |key| ["audit", "spool", key];
        let bytes = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let range = 1 << 20..=1 << 44;
        let bytes_max = self.size(&section("bytes_max"), raw.bytes_max.as_ref(), SPOOL_BYTES_MAX, range);
        let range = 64 << 10..=1 << 30;
        let segment_bytes = self.size(&section("segment_bytes"), raw.segment_bytes.as_ref(), SEGMENT_BYTES, range);
        Spool {
            folder: self.path(&section("folder"), &raw.folder),
            bytes_max: bytes(bytes_max),
            segment_bytes: bytes(segment_bytes),
            volume: if raw.persistent { Volume::Persistent } else { Volume::Ephemeral },
        }
    }

    fn audit_tenant(
        &mut self,
        section: &[&str],
        raw: &RawAuditTenant,
        default: Durability,
        spool: Option<&Spool>,
    ) -> AuditTenant {
        let key = |key| [section, &[key]].concat();
        let durability = raw.durability.map(Durability::from);
        if let Some(durability) = durability {
            self.check_durability(&key("durability"), durability, spool);
        }
        for regime in raw.regimes.iter().filter(|regime| !REGIMES.contains(&regime.as_str())) {
            let known = REGIMES.join(", ");
            self.document.note(&key("regimes"), format!("unknown regime {regime:?}: known are {known}"));
        }
        let in_force = durability.unwrap_or(default);
        let is_ephemeral = spool.is_none_or(|spool| spool.volume == Volume::Ephemeral);
        let loses = match in_force {
            Durability::Async => {
                Some("a crash would lose records: set durability = \"remote\", or \"local\" on a persistent volume")
            }
            Durability::Local if is_ephemeral && !raw.accept_pod_loss => Some(
                "records would end with the pod: set persistent = true in [audit.spool] if its volume outlives the \
                      pod, or durability = \"remote\", or accept_pod_loss = true here",
            ),
            Durability::Local | Durability::Remote => None,
        };
        if let Some(why) = loses.filter(|_| raw.regimes.iter().any(|regime| regime == "hipaa")) {
            self.document.note(&key("regimes"), format!("\"hipaa\": {why}"));
        }
        AuditTenant { durability, regimes: raw.regimes.clone() }
    }

    fn check_durability(&mut self, path: &[&str], durability: Durability, spool: Option<&Spool>) {
        if durability != Durability::Async && spool.is_none() {
            let word = durability.as_str();
            self.document.note(path, format!("durability = {word:?} needs a spool: give [audit.spool]"));
        }
    }
}
