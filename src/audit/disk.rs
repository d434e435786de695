//! Where segments are kept: a folder of files, behind a trait so that tests can make it fail.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::audit::segment::HEADER_BYTES_MAX;

const SUFFIX: &str = ".seg";

/// Segments by number.
pub(super) trait Disk: Send {
    /// Ascending.
    fn numbers(&mut self) -> io::Result<Vec<u64>>;
    /// Its beginning, enough for a header, and how long it is.
    fn head(&mut self, number: u64) -> io::Result<(Vec<u8>, u64)>;
    fn read(&mut self, number: u64) -> io::Result<Vec<u8>>;
    /// A new and empty segment. What is synced in it survives, its name too.
    fn create(&mut self, number: u64) -> io::Result<Box<dyn Segment>>;
    fn truncate(&mut self, number: u64, bytes: u64) -> io::Result<()>;
    fn remove(&mut self, number: u64) -> io::Result<()>;
}

/// A segment that is being written.
pub(super) trait Segment: Send {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
}

/// A folder for one process alone.
pub(super) struct Folder {
    path: PathBuf,
    /// Held for as long as the folder is ours.
    _lock: File,
}

impl Folder {
    /// Makes the folder if there is none. Fails while another process has it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path.join("lock"))?;
        lock.try_lock().map_err(|_| io::Error::new(io::ErrorKind::ResourceBusy, "another process uses this spool"))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// The file of a segment.
pub(super) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}{SUFFIX}"))
}

/// The numbers of the segments in a folder, ascending.
pub(super) fn segment_numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number: Option<u64> =
            name.to_str().and_then(|name| name.strip_suffix(SUFFIX)).and_then(|digits| digits.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

impl Disk for Folder {
    fn numbers(&mut self) -> io::Result<Vec<u64>> {
        segment_numbers(&self.path)
    }

    fn head(&mut self, number: u64) -> io::Result<(Vec<u8>, u64)> {
        let file = File::open(segment_path(&self.path, number))?;
        let bytes = file.metadata()?.len();
        let mut head = Vec::new();
        file.take(HEADER_BYTES_MAX as u64).read_to_end(&mut head)?;
        Ok((head, bytes))
    }

    fn read(&mut self, number: u64) -> io::Result<Vec<u8>> {
        fs::read(segment_path(&self.path, number))
    }

    fn create(&mut self, number: u64) -> io::Result<Box<dyn Segment>> {
        let path = segment_path(&self.path, number);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        self.sync()?;
        Ok(Box::new(file))
    }

    fn truncate(&mut self, number: u64, bytes: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(segment_path(&self.path, number))?;
        file.set_len(bytes)?;
        file.sync_all()
    }

    fn remove(&mut self, number: u64) -> io::Result<()> {
        fs::remove_file(segment_path(&self.path, number))
    }
}

impl Segment for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
