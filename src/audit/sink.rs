//! Where delivered records go, and what each takes for an acknowledgement.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::audit::store;

/// Records in their order, of one log.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The log's name.
    pub(super) log: String,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(super) records: u64,
    /// Each ended by a newline.
    pub(super) lines: Vec<u8>,
}

impl Batch {
    pub(super) fn push(&mut self, seq: u64, line: &[u8]) {
        if self.records == 0 {
            self.first_seq = seq;
        }
        self.last_seq = seq;
        self.records += 1;
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
    }
}

/// Takes records at least once; each has an `id` by which a second time can be told.
pub(super) trait Sink: Send {
    /// `Ok`: they are kept there, as far as the sink can say.
    fn deliver(&mut self, batch: &Batch) -> io::Result<()>;
}

/// Standard output, for whoever ships it. It acknowledges nothing: what is written is taken to be kept.
pub(super) struct StdoutSink;

impl Sink for StdoutSink {
    fn deliver(&mut self, batch: &Batch) -> io::Result<()> {
        let mut output = io::stdout().lock();
        output.write_all(&batch.lines)?;
        output.flush()
    }
}

/// A file of lines. Acknowledged when it is synced; what a crash brings again is left out.
pub(super) struct FileSink {
    path: PathBuf,
    file: File,
    /// The last record in the file: its log and number.
    last: Option<(String, u64)>,
}

/// No line is longer.
const LINE_BYTES_MAX: u64 = 1 << 20;

impl FileSink {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = store::append_to(path)?;
        let last = last_record(&mut file)?;
        Ok(Self { path: path.to_owned(), file, last })
    }

    /// The file was moved away or removed: the name is given anew.
    fn follow_name(&mut self) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt as _;
        let ours = self.file.metadata()?;
        let named = std::fs::metadata(&self.path);
        if !named.is_ok_and(|named| (named.dev(), named.ino()) == (ours.dev(), ours.ino())) {
            self.file = store::append_to(&self.path)?;
        }
        Ok(())
    }
}

/// The log and number that the file's last line says. A line that a crash left torn is taken away: the spool has it.
fn last_record(file: &mut File) -> io::Result<Option<(String, u64)>> {
    let end = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(end.saturating_sub(LINE_BYTES_MAX)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let torn = tail.len() - whole;
    if torn > 0 {
        file.set_len(end - torn as u64)?;
        tail.truncate(whole);
    }
    let last = tail.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
    Ok(last.and_then(identity))
}

/// Which record a line is.
pub(super) fn identity(line: &[u8]) -> Option<(String, u64)> {
    let record: serde_json::Value = serde_json::from_slice(line).ok()?;
    let (log, seq) = record.get("id")?.as_str()?.rsplit_once('/')?;
    Some((log.to_owned(), seq.parse().ok()?))
}

impl Sink for FileSink {
    fn deliver(&mut self, batch: &Batch) -> io::Result<()> {
        self.follow_name()?;
        let known = self.last.as_ref().filter(|(log, _)| *log == batch.log).map_or(0, |(_, last)| *last);
        if known >= batch.last_seq {
            return Ok(());
        }
        let skipped = usize::try_from((known + 1).saturating_sub(batch.first_seq)).unwrap_or(usize::MAX);
        let lines = batch.lines.split_inclusive(|byte| *byte == b'\n').skip(skipped);
        let rest: usize = lines.map(<[u8]>::len).sum();
        let begin = self.file.seek(SeekFrom::End(0))?;
        let new = batch.lines.get(batch.lines.len() - rest..).unwrap_or_default();
        if let Err(error) = self.file.write_all(new).and_then(|()| self.file.sync_data()) {
            // A line must not be there by half, nor twice.
            self.file.set_len(begin)?;
            return Err(error);
        }
        self.last = Some((batch.log.clone(), batch.last_seq));
        Ok(())
    }
}
