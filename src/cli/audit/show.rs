//! `partywall audit cat` and `tail`: records, all or some, as they stand.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;

use crate::audit::archive::{self, Item, Then};
use crate::cli::audit::unreadable;
use crate::cli::failure::Failure;

/// Print records
///
/// Each as it stands, one a line. All conditions that are given must hold.
#[derive(clap::Args)]
pub(super) struct CatArguments {
    /// Files of records, in their order, or the folder of a spool
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    filter: Filter,
}

/// Print the last records
#[derive(clap::Args)]
pub(super) struct TailArguments {
    /// Files of records, in their order, or the folder of a spool
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How many
    #[arg(short = 'n', long, default_value_t = 10, value_parser = clap::value_parser!(u16))]
    lines: u16,
    #[command(flatten)]
    filter: Filter,
}

#[derive(clap::Args)]
struct Filter {
    /// Of this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Of this type: statement, deny, auth.ok, auth.fail, session.open, loss, …
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Not before this time, as records write it: 2026-11-22T19:10:05Z, or its beginning
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

impl Filter {
    fn takes(&self, line: &[u8]) -> bool {
        if self.tenant.is_none() && self.kind.is_none() && self.from.is_none() && self.to.is_none() {
            return true;
        }
        let Ok(record) = serde_json::from_slice::<Value>(line) else { return false };
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        let is = |key: &str, wanted: &Option<String>| wanted.as_deref().is_none_or(|wanted| text(key) == Some(wanted));
        // All times are written with the same width, in UTC.
        let time = text("time").unwrap_or_default();
        is("tenant", &self.tenant)
            && is("type", &self.kind)
            && self.from.as_deref().is_none_or(|from| time >= from.trim_end_matches('Z'))
            && self.to.as_deref().is_none_or(|to| time < to.trim_end_matches('Z'))
    }
}

fn each(paths: &[PathBuf], filter: &Filter, visit: &mut dyn FnMut(&[u8]) -> Then) -> Result<(), Failure> {
    for path in paths {
        let of_item = &mut |item: Item<'_>| match item {
            Item::Line(line) if filter.takes(line) => visit(line),
            Item::Line(_) | Item::Segment { .. } | Item::Torn | Item::Spoilt => Then::Continue,
        };
        archive::read(path, of_item).map_err(|error| unreadable(path, &error))?;
    }
    Ok(())
}

pub(super) fn cat(arguments: &CatArguments) -> Result<ExitCode, Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let print = &mut |line: &[u8]| match out.write_all(line).and_then(|()| out.write_all(b"\n")) {
        Ok(()) => Then::Continue,
        // Who reads has had enough.
        Err(_) => Then::Stop,
    };
    each(&arguments.paths, &arguments.filter, print)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn tail(arguments: &TailArguments) -> Result<ExitCode, Failure> {
    let wanted = usize::from(arguments.lines);
    let mut last: VecDeque<Vec<u8>> = VecDeque::new();
    each(&arguments.paths, &arguments.filter, &mut |line| {
        if last.len() >= wanted {
            last.pop_front();
        }
        if wanted > 0 {
            last.push_back(line.to_vec());
        }
        Then::Continue
    })?;
    let mut out = io::stdout().lock();
    for line in last {
        if out.write_all(&line).and_then(|()| out.write_all(b"\n")).is_err() {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}
