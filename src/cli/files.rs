//! The files that several commands read: config, policy, catalog.

use std::path::Path;
use std::path::PathBuf;

use crate::catalog::Catalog;
use crate::cli::failure::Failure;
use crate::config::Config;
use crate::policy::Policy;

pub(crate) fn config(path: &Path) -> Result<Config, Failure> {
    let text = text(path)?;
    Config::parse(&text, &folder(path)?).map_err(|errors| Failure::faults(&shown(path), &errors))
}

pub(crate) fn policy(path: &Path) -> Result<Policy, Failure> {
    Policy::parse(&text(path)?).map_err(|errors| Failure::faults(&shown(path), &errors))
}

pub(crate) fn catalog(path: &Path) -> Result<Catalog, Failure> {
    Catalog::parse_json(&text(path)?)
        .map_err(|error| Failure::new(format_args!("{}:{error}", shown(path))))
        .map_err(|failure| failure.hint("\"partywall catalog --url postgres://…\" writes one."))
}

/// The folder of a file, absolute: where the relative paths in it begin.
pub(crate) fn folder(path: &Path) -> Result<PathBuf, Failure> {
    let path = std::path::absolute(path).map_err(|error| unreadable(path, &error))?;
    Ok(path.parent().map(Path::to_path_buf).unwrap_or_default())
}

/// A path as a person at this folder would write it.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format_args!("could not read file \"{}\": {error}", shown(path)))
}
