//! The durable queue: records are staged, written and synced in order, in segments that are whole or known not to be.

use std::io;
use std::sync::Arc;

use crate::audit::disk::{Disk, Segment};
use crate::audit::feed::{Extent, Feed};
use crate::audit::segment::{self, HEADER_BYTES_MAX, Header, Tail};
use crate::audit::tree::{self, Frontier};
use crate::tenant::Timestamp;

/// How large the spool may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpoolLimits {
    /// A segment that has as many is followed by the next.
    pub(super) segment_bytes: u64,
    pub(super) bytes_max: u64,
}

/// What was found wrong when the spool was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// The last write of the process before had not got through: cut off. It had been promised to nobody.
    Torn { bytes: u64 },
    /// The last segment was changed: it is left as it is, and another log begins.
    Corrupt { segment: u64 },
}

pub(super) struct Spool {
    disk: Box<dyn Disk>,
    limits: SpoolLimits,
    log: [u8; 16],
    feed: Arc<Feed>,
    /// `None`: the next write begins a segment.
    current: Option<Current>,
    /// Of the last segment that was begun.
    number: u64,
    /// Frames that are not durable yet; kept, since a sync that failed says nothing of what became of them.
    staged: Vec<u8>,
    staged_first: u64,
    /// How much of `staged` the current segment has.
    written: usize,
    next_seq: u64,
    tree: Frontier,
    /// Without what is staged.
    tree_synced: Frontier,
}

struct Current {
    file: Box<dyn Segment>,
    extent: Extent,
}

impl Spool {
    /// Continues the log that the disk has, or begins one with this name.
    pub(super) fn open(
        mut disk: Box<dyn Disk>,
        limits: SpoolLimits,
        new_log: [u8; 16],
        feed: Arc<Feed>,
    ) -> io::Result<(Self, Option<Damage>)> {
        let numbers = disk.numbers()?;
        let mut found: Vec<(Header, Extent)> = Vec::new();
        let mut damage = None;
        let last_number = numbers.last().copied().unwrap_or_default();
        for number in numbers {
            let (head, end) = disk.head(number)?;
            let Some((header, begin)) = Header::decode(&head) else {
                // The header is synced before anything follows it: where nothing does, the process ended meanwhile.
                if end <= HEADER_BYTES_MAX as u64 && segment::next_frame(&head, 0).is_none() {
                    disk.remove(number)?;
                } else if number == last_number {
                    damage = Some(Damage::Corrupt { segment: number });
                }
                continue;
            };
            let extent = Extent { log: header.log, first_seq: header.first_seq, begin: begin as u64, end };
            found.push((header, extent));
        }
        let mut spool = Self {
            disk,
            limits,
            log: new_log,
            feed,
            current: None,
            number: last_number,
            staged: Vec::new(),
            staged_first: 1,
            written: 0,
            next_seq: 1,
            tree: Frontier::default(),
            tree_synced: Frontier::default(),
        };
        if damage.is_none()
            && let Some((header, extent)) = found.last_mut()
        {
            damage = spool.take_up(header, extent)?;
        }
        for (header, extent) in found {
            let last = spool.next_seq.saturating_sub(1);
            spool.feed.publish(header.number, extent, last);
        }
        Ok((spool, damage))
    }

    /// Goes on behind the last segment.
    fn take_up(&mut self, header: &Header, extent: &mut Extent) -> io::Result<Option<Damage>> {
        let bytes = self.disk.read(header.number)?;
        let frames = usize::try_from(extent.begin).ok().and_then(|begin| bytes.get(begin..)).unwrap_or_default();
        let mut tree = header.tree.clone();
        let scan = segment::scan(frames, header.first_seq, |_, payload| tree.append(tree::leaf(payload)));
        let end = extent.begin + scan.bytes as u64;
        if scan.tail == Tail::Corrupt {
            return Ok(Some(Damage::Corrupt { segment: header.number }));
        }
        let cut = extent.end - end;
        if cut > 0 {
            self.disk.truncate(header.number, end)?;
            extent.end = end;
        }
        self.log = header.log;
        self.next_seq = scan.next_seq;
        self.staged_first = scan.next_seq;
        self.tree_synced.clone_from(&tree);
        self.tree = tree;
        Ok((scan.tail == Tail::Torn).then_some(Damage::Torn { bytes: cut }))
    }

    pub(super) fn log(&self) -> [u8; 16] {
        self.log
    }

    pub(super) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The log with everything that was staged.
    pub(super) fn tree(&self) -> &Frontier {
        &self.tree
    }

    pub(super) fn staged_bytes(&self) -> usize {
        self.staged.len()
    }

    /// The last record that is durable.
    pub(super) fn durable_seq(&self) -> u64 {
        self.staged_first.saturating_sub(1)
    }

    /// Takes the next record, without its newline.
    pub(super) fn stage(&mut self, line: &[u8]) {
        segment::put_frame(&mut self.staged, self.next_seq, line);
        self.tree.append(tree::leaf(line));
        self.next_seq += 1;
    }

    /// The process ends: what is staged is given up.
    pub(super) fn forget_staged(&mut self) {
        self.staged.clear();
        self.written = 0;
        self.staged_first = self.next_seq;
    }

    /// Hands what is staged to the system. After an error, the next call tries again.
    pub(super) fn write(&mut self, now: Timestamp) -> io::Result<()> {
        if self.staged.len() == self.written {
            return Ok(());
        }
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.begin(now)?,
        };
        let rest = self.staged.get(self.written..).unwrap_or_default();
        let result = current.file.write_at(current.extent.end + self.written as u64, rest);
        self.current = Some(current);
        result?;
        self.written = self.staged.len();
        Ok(())
    }

    /// Makes what is staged durable. After a failure the file is not trusted any more: the next call writes all of it
    /// again, into a new segment.
    pub(super) fn sync(&mut self, now: Timestamp) -> io::Result<()> {
        self.write(now)?;
        let Some(mut current) = self.current.take().filter(|_| !self.staged.is_empty()) else { return Ok(()) };
        if let Err(error) = current.file.sync() {
            self.written = 0;
            return Err(error);
        }
        current.extent.end += self.staged.len() as u64;
        self.staged.clear();
        self.staged.shrink_to(1 << 20);
        self.written = 0;
        self.staged_first = self.next_seq;
        self.tree_synced.clone_from(&self.tree);
        self.feed.publish(self.number, current.extent, self.durable_seq());
        if current.extent.end < self.limits.segment_bytes {
            self.current = Some(current);
        }
        Ok(())
    }

    fn begin(&mut self, now: Timestamp) -> io::Result<Current> {
        self.remove_done();
        if self.feed.bytes() + self.staged.len() as u64 > self.limits.bytes_max {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the audit spool is full"));
        }
        let number = self.number + 1;
        let (log, first_seq, tree) = (self.log, self.staged_first, self.tree_synced.clone());
        let header = Header { log, number, first_seq, created: now, tree }.encode();
        let mut file = self.disk.create(number)?;
        file.write_at(0, &header)?;
        file.sync()?;
        self.number = number;
        self.written = 0;
        let begin = header.len() as u64;
        Ok(Current { file, extent: Extent { log, first_seq, begin, end: begin } })
    }

    /// Removes the segments that all sinks are past.
    pub(super) fn remove_done(&mut self) {
        for number in self.feed.take_done() {
            if let Err(error) = self.disk.remove(number) {
                tracing::warn!(%error, number, "a delivered audit segment could not be removed");
            }
        }
    }
}

#[cfg(test)]
mod tests;
