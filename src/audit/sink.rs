//! Where written records go: today a file to which lines are appended.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Takes whole lines in order. The durable spool is to stand behind the same calls, with [`Sink::sync`] as the
/// point at which an answer may leave.
pub(super) trait Sink: Send {
    /// Writes some of `bytes` from their beginning; how many.
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Begins anew under the same name: the old file was moved away.
    fn reopen(&mut self) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
}

pub(super) struct FileSink {
    path: PathBuf,
    file: File,
}

impl FileSink {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: open(path)? })
    }
}

/// For the owner alone, and only ever longer. A line that a crash left torn is ended first.
fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
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

impl Sink for FileSink {
    fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file = open(&self.path)?;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }
}
