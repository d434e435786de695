//! When the writer says how long the log is, signed; and where it leaves that beside the log.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::audit::checkpoint::{Checkpoint, SigningKey};
use crate::audit::clock;
use crate::audit::tree::Frontier;
use crate::config;

/// As often, where something has happened.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// As often where nothing has: silence is not the same as an end.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(60);

pub(super) struct Signer {
    key: SigningKey,
    /// Where the last checkpoint is left, too.
    witness: Option<PathBuf>,
    signed_at: Instant,
    /// Records behind the last checkpoint.
    unsigned: u64,
    beaten_at: Instant,
}

impl Signer {
    pub(super) fn open(settings: &config::Checkpoints) -> io::Result<Self> {
        let text = fs::read_to_string(&settings.key_file)?;
        let key =
            SigningKey::parse(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        let now = clock::instant();
        Ok(Self { key, witness: settings.file.clone(), signed_at: now, unsigned: 0, beaten_at: now })
    }

    /// So many records were taken.
    pub(super) fn count(&mut self, records: u64) {
        self.unsigned += records;
        if records > 0 {
            self.beaten_at = clock::instant();
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.unsigned > 0 && self.signed_at.elapsed() >= CHECKPOINT_INTERVAL
    }

    /// Something is behind the last checkpoint.
    pub(super) fn is_behind(&self) -> bool {
        self.unsigned > 0
    }

    pub(super) fn beats(&self) -> bool {
        self.beaten_at.elapsed() >= HEARTBEAT_INTERVAL
    }

    /// How long nothing has to be done.
    pub(super) fn patience(&self) -> Duration {
        let beat = self.beaten_at + HEARTBEAT_INTERVAL;
        let due = if self.unsigned > 0 { beat.min(self.signed_at + CHECKPOINT_INTERVAL) } else { beat };
        due.saturating_duration_since(clock::instant())
    }

    /// The log as it is now, signed.
    pub(super) fn sign(&mut self, log: &str, tree: &Frontier) -> String {
        self.signed_at = clock::instant();
        self.unsigned = 0;
        let origin = format!("{}/{log}", self.key.name());
        self.key.sign(&Checkpoint { origin, size: tree.size(), root: tree.root() })
    }

    /// Leaves a checkpoint beside the log, in the place of the one before. Only of what is durable.
    pub(super) fn leave(&self, note: &str) {
        let Some(path) = &self.witness else { return };
        if let Err(error) = replace(path, note) {
            tracing::warn!(%error, path = %path.display(), "a checkpoint could not be left beside the log");
        }
    }
}

fn replace(path: &Path, note: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)
}
