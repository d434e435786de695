//! Reads kept records back: files of lines, and the folder of a spool.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::audit::disk::{segment_numbers, segment_path};
use crate::audit::identifier;
use crate::audit::segment::{self, HEADER_BYTES_MAX, Header, Tail};
use crate::audit::tree::Frontier;

/// No line is longer.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What is read, in order.
#[derive(Debug)]
pub enum Item<'a> {
    /// A segment: the log goes on from this tree.
    Segment { log: &'a str, tree: &'a Frontier },
    /// A record, without its newline.
    Line(&'a [u8]),
    /// The file ends within a record.
    Torn,
    /// Something that cannot be read stands between records.
    Spoilt,
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Continue,
    Stop,
}

/// Reads a file of lines, or the segments in a folder.
pub fn read(path: &Path, visit: &mut dyn FnMut(Item<'_>) -> Then) -> io::Result<()> {
    if path.is_dir() { read_folder(path, visit) } else { read_lines(path, visit) }
}

fn read_lines(path: &Path, visit: &mut dyn FnMut(Item<'_>) -> Then) -> io::Result<()> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(());
        }
        let item = match line.strip_suffix(b"\n") {
            Some([]) => continue,
            Some(line) => Item::Line(line),
            None if read as u64 == LINE_BYTES_MAX => Item::Spoilt,
            None => Item::Torn,
        };
        if visit(item) == Then::Stop {
            return Ok(());
        }
    }
}

fn read_folder(folder: &Path, visit: &mut dyn FnMut(Item<'_>) -> Then) -> io::Result<()> {
    let numbers = segment_numbers(folder)?;
    if numbers.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "there is no segment of a spool in this folder"));
    }
    let mut headers = Vec::new();
    for number in numbers {
        let mut head = Vec::new();
        File::open(segment_path(folder, number))?.take(HEADER_BYTES_MAX as u64).read_to_end(&mut head)?;
        headers.push((number, Header::decode(&head)));
    }
    let mut rest = headers.iter().peekable();
    while let Some((number, header)) = rest.next() {
        let next = rest.peek().and_then(|(_, header)| header.as_ref());
        let then = match header {
            Some((header, begin)) => {
                let follows = next.filter(|(next, _)| next.log == header.log).map(|(next, _)| next.first_seq);
                read_segment(&segment_path(folder, *number), header, *begin, follows, rest.peek().is_none(), visit)?
            }
            None if rest.peek().is_none() => Then::Continue,
            None => visit(Item::Spoilt),
        };
        if then == Then::Stop {
            break;
        }
    }
    Ok(())
}

fn read_segment(
    path: &Path,
    header: &Header,
    begin: usize,
    follows: Option<u64>,
    last: bool,
    visit: &mut dyn FnMut(Item<'_>) -> Then,
) -> io::Result<Then> {
    let bytes = fs::read(path)?;
    let log = identifier::text(&header.log);
    let mut then = visit(Item::Segment { log: &log, tree: &header.tree });
    let frames = bytes.get(begin..).unwrap_or_default();
    let (mut at, mut seq) = (0, header.first_seq);
    while then == Then::Continue {
        let rest = frames.get(at..).unwrap_or_default();
        let scan = segment::scan(rest, seq, |seq, line| {
            if then == Then::Continue && follows.is_none_or(|next| seq < next) {
                then = visit(Item::Line(line));
            }
        });
        let behind = rest.get(scan.bytes..).unwrap_or_default();
        // What a process is writing just now is not whole yet.
        match scan.tail {
            Tail::Whole => break,
            Tail::Torn if last || follows.is_some_and(|next| scan.next_seq >= next) => break,
            Tail::Torn => return Ok(visit(Item::Torn)),
            Tail::Corrupt => then = visit(Item::Spoilt),
        }
        // Behind what is spoilt, or where a number is left out, the next whole record.
        let (skipped, found) = match segment::frame(behind) {
            segment::Found::Frame { seq, .. } => (0, seq),
            _ => {
                let skipped = segment::next_frame(behind, scan.next_seq).unwrap_or(behind.len());
                match segment::frame(behind.get(skipped..).unwrap_or_default()) {
                    segment::Found::Frame { seq, .. } => (skipped, seq),
                    _ => break,
                }
            }
        };
        at += scan.bytes + skipped;
        seq = found;
    }
    Ok(then)
}
