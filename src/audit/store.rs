//! What the writer's thread writes to: the spool, or one file of lines where there is no spool.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::audit::spool::Spool;
use crate::audit::tree::{self, Frontier};
use crate::tenant::Timestamp;

/// Takes whole lines in order. What fails is tried again by calling again.
pub(super) trait Store: Send {
    fn stage(&mut self, lines: &[u8]);
    /// Hands what is staged to the system.
    fn write(&mut self, now: Timestamp) -> io::Result<()>;
    /// Makes it durable, too.
    fn sync(&mut self, now: Timestamp) -> io::Result<()>;
    /// Begins anew under the same name: the old file was moved away.
    fn reopen(&mut self) -> io::Result<()>;
    /// The log with everything that was staged.
    fn tree(&self) -> &Frontier;
    /// What is staged and not durable yet; where durability is not asked for, not written yet.
    fn staged(&self) -> Staged;
    /// The last record that is durable, where that is known.
    fn durable_seq(&self) -> u64;
    /// What is staged will never be written. How many records that were.
    fn abandon(&mut self) -> u64;
    /// What can be done when nothing else is to do.
    fn tidy(&mut self);
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Staged {
    pub(super) bytes: usize,
    pub(super) records: u64,
}

impl Store for Spool {
    fn stage(&mut self, lines: &[u8]) {
        lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).for_each(|line| Self::stage(self, line));
    }

    fn write(&mut self, now: Timestamp) -> io::Result<()> {
        Self::write(self, now)
    }

    fn sync(&mut self, now: Timestamp) -> io::Result<()> {
        Self::sync(self, now)
    }

    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn tree(&self) -> &Frontier {
        Self::tree(self)
    }

    fn staged(&self) -> Staged {
        Staged {
            bytes: self.staged_bytes(),
            records: self.next_seq().saturating_sub(1).saturating_sub(Self::durable_seq(self)),
        }
    }

    fn durable_seq(&self) -> u64 {
        Self::durable_seq(self)
    }

    fn abandon(&mut self) -> u64 {
        let lost = Store::staged(self).records;
        self.forget_staged();
        lost
    }

    fn tidy(&mut self) {
        self.remove_done();
    }
}

/// A file to which lines are appended, and nothing more is promised.
pub(super) struct Lines {
    path: PathBuf,
    file: File,
    staged: Vec<u8>,
    /// Bytes of `staged` that the file has.
    written: usize,
    tree: Frontier,
}

impl Lines {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: open(path)?, staged: Vec::new(), written: 0, tree: Frontier::default() })
    }

    fn rest(&self) -> &[u8] {
        self.staged.get(self.written..).unwrap_or_default()
    }
}

/// For the owner alone, and only ever longer.
pub(super) fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// Likewise. A line that a crash left torn is ended first.
fn open(path: &Path) -> io::Result<File> {
    let mut file = append_to(path)?;
    if file.metadata()?.is_file() && file.seek(SeekFrom::End(0))? > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

impl Store for Lines {
    fn stage(&mut self, lines: &[u8]) {
        let each = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        each.for_each(|line| self.tree.append(tree::leaf(line)));
        self.staged.extend_from_slice(lines);
    }

    fn write(&mut self, _now: Timestamp) -> io::Result<()> {
        while let Some(rest) = self.staged.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.staged.clear();
        self.written = 0;
        Ok(())
    }

    fn sync(&mut self, now: Timestamp) -> io::Result<()> {
        self.write(now)?;
        self.file.sync_data()
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = open(&self.path)?;
        // A line that the old file has half of goes whole into the new one.
        let done = self.staged.get(..self.written).unwrap_or_default();
        self.written = done.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        Ok(())
    }

    fn tree(&self) -> &Frontier {
        &self.tree
    }

    fn staged(&self) -> Staged {
        let records = self.rest().iter().filter(|byte| **byte == b'\n').count();
        Staged { bytes: self.rest().len(), records: records as u64 }
    }

    fn durable_seq(&self) -> u64 {
        0
    }

    fn abandon(&mut self) -> u64 {
        let lost = self.staged().records;
        self.staged.clear();
        self.written = 0;
        lost
    }

    fn tidy(&mut self) {}
}
