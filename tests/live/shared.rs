//! One stand for all tests of this program: PostgreSQL, the agency's data, Partywall. It ends with the process.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use partywall::demo::agency::TenantProfile;
use partywall::demo::stand::Stand;

/// The partywall program that cargo built beside this test.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_partywall"))
}

/// Tests run side by side on it: each writes rows that no other looks at.
pub(crate) fn stand() -> &'static Stand {
    static STAND: OnceLock<Stand> = OnceLock::new();
    STAND.get_or_init(own_stand)
}

/// For a test that kills something.
pub(crate) fn own_stand() -> Stand {
    Stand::start(program(), |_| {}).unwrap_or_else(|error| panic!("{error}"))
}

/// What psql printed and how it ended.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) success: bool,
}

impl From<Output> for Printed {
    fn from(output: Output) -> Self {
        Self {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            success: output.status.success(),
        }
    }
}

/// psql as one tenant, with `more` behind the connection's parameters (`sslmode=disable`); rows unaligned.
pub(crate) fn psql_with(profile: &TenantProfile, more: &str, script: &str) -> Printed {
    let conninfo = format!("{} {more}", stand().psql_arguments(profile));
    run(Command::new("psql").args(["-X", "-q", "-A", "-t", "-v", "VERBOSITY=verbose", "-d", &conninfo]), script)
}

pub(crate) fn psql(profile: &TenantProfile, script: &str) -> Printed {
    psql_with(profile, "", script)
}

/// Runs a command with `input` on its standard input.
pub(crate) fn run(command: &mut Command, input: &str) -> Printed {
    use std::io::Write as _;
    use std::process::Stdio;
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}; see `make test`"));
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // A client that ends early closes its input: no fault of the test.
        scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(input.as_bytes())));
        child.wait_with_output()
    });
    output.unwrap().into()
}
