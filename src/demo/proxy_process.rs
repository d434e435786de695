//! Partywall itself as a process of its own, started as a user would: `partywall run --config partywall.toml`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::demo::DemoError;
use crate::demo::watchdog::Watchdog;

/// A running proxy. Stopped with SIGTERM when dropped, and also when our process ends in any other way.
#[derive(Debug)]
pub struct ProxyProcess {
    process: Child,
    admin: SocketAddr,
    log_file: PathBuf,
    watchdog: Option<Watchdog>,
}

impl ProxyProcess {
    /// Starts `program` with a configuration file, and waits until its `/ready` says yes. The proxy's own words go to
    /// `log_file`.
    ///
    /// Blocks: call it from a thread that may.
    pub fn start(program: &Path, config: &Path, admin: SocketAddr, log_file: PathBuf) -> Result<Self, DemoError> {
        let failed = "cannot start partywall run";
        let log = fs::File::create(&log_file).map_err(DemoError::because(failed))?;
        let copy = log.try_clone().map_err(DemoError::because(failed))?;
        let process = Command::new(program)
            .arg("run")
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(copy)
            .spawn()
            .map_err(DemoError::because(failed))?;
        let watchdog = Some(Watchdog::start(r#"kill -TERM "$1""#, &[process.id().to_string()])?);
        let mut proxy = Self { process, admin, log_file, watchdog };
        proxy.wait_until_ready()?;
        Ok(proxy)
    }

    /// What the proxy has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log_file).unwrap_or_default()
    }

    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The status and body of a page of the admin port: `/metrics`, `/ready`.
    pub fn admin_page(&self, path: &str) -> Result<(u16, String), DemoError> {
        http_get(self.admin, path).map_err(DemoError::because(&format!("cannot read {path} of the admin port")))
    }

    /// Sends a signal by name: `TERM`, `HUP`, `KILL`.
    pub fn signal(&self, name: &str) -> Result<(), DemoError> {
        let status = Command::new("/bin/sh")
            .args(["-c", r#"kill -"$1" "$2""#, "sh", name])
            .arg(self.process.id().to_string())
            .status()
            .map_err(DemoError::because("cannot send a signal"))?;
        if status.success() { Ok(()) } else { Err(DemoError::new("the proxy's process is gone")) }
    }

    /// Waits for the proxy to end by itself.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus, DemoError> {
        let deadline = deadline_in(patience);
        loop {
            if let Some(status) = self.process.try_wait().map_err(DemoError::because("cannot wait for the proxy"))? {
                return Ok(status);
            }
            if is_past(deadline) {
                return Err(DemoError::new(format!("the proxy did not end within {patience:?}:\n{}", self.log())));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait_until_ready(&mut self) -> Result<(), DemoError> {
        let deadline = deadline_in(Duration::from_secs(30));
        loop {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(DemoError::new(format!("partywall run ended at once ({status}):\n{}", self.log())));
            }
            if matches!(self.admin_page("/ready"), Ok((200, _))) {
                return Ok(());
            }
            if is_past(deadline) {
                return Err(DemoError::new(format!("partywall run was not ready within 30 seconds:\n{}", self.log())));
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for ProxyProcess {
    fn drop(&mut self) {
        // While the process has not been waited for, its number cannot belong to another one.
        drop(self.watchdog.take());
        if self.wait(Duration::from_secs(10)).is_err() {
            self.process.kill().ok();
            self.process.wait().ok();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long to wait for a process is wall-clock time at the edge")]
fn deadline_in(patience: Duration) -> Instant {
    Instant::now() + patience
}

fn is_past(deadline: Instant) -> bool {
    deadline_in(Duration::ZERO) > deadline
}

fn http_get(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    let (Some(status), Some((_, body))) = (status, answer.split_once("\r\n\r\n")) else {
        return Err(std::io::Error::other("not an HTTP answer"));
    };
    Ok((status, body.to_owned()))
}
