//! Cleans up after us, however we end: a shell at the other end of a pipe that closes with our process.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::demo::DemoError;

/// Runs its script when it is dropped, and also when our process ends in any other way.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// `script` finds `arguments` as `$1`, `$2`, …
    pub(crate) fn start<A: AsRef<OsStr>>(script: &str, arguments: &[A]) -> Result<Self, DemoError> {
        let shell = Command::new("/bin/sh")
            .args(["-c", &format!("read -r _; {script}"), "partywall-watchdog"])
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A Ctrl-C at the terminal must not end it before its work is done.
            .process_group(0)
            .spawn()
            .map_err(DemoError::because("cannot start /bin/sh"))?;
        Ok(Self { shell })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        self.shell.wait().ok();
    }
}
