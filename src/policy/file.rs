//! The policy file's format, TOML, parsed into rules once.
