//! Connection URLs as psql takes them: `postgres://user:password@host:port/database?sslmode=verify-full`.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::failure::Failure;
use crate::config::Upstream;
use crate::config::UpstreamTls;
use crate::config::is_loopback;
use crate::policy::Environment;
use crate::policy::Secret;
use crate::upstream::Target;

const PORT: u16 = 5432;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The server that a URL names. The password stands in it or, better, in PGPASSWORD.
pub(crate) fn target(url: &str, environment: &dyn Environment) -> Result<Target, Failure> {
    let (upstream, password) =
        parse(url).map_err(|why| Failure::new(format_args!("invalid connection URL: {why}")).status(2).hint(HINT))?;
    let password = password.map(|secret| secret.expose().to_owned());
    let password = password.or_else(|| environment.variable("PGPASSWORD").ok().filter(|text| !text.is_empty()));
    Target::new(&upstream, password, &["pg_catalog".to_owned()]).map_err(Failure::new)
}

const HINT: &str = "Write it as in postgres://app@db.example.com:5432/app?sslmode=verify-full&sslrootcert=ca.pem, \
                    with the password in PGPASSWORD.";

/// Never repeats the URL in an error: it may hold a password.
fn parse(url: &str) -> Result<(Upstream, Option<Secret>), String> {
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
    let rest = rest.ok_or("it does not begin with postgres://")?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (decode(user)?, Some(Secret::new(decode(password)?))),
        None => (decode(login)?, None),
    };
    let (host, port) = split_port(place)?;
    let mut upstream = Upstream {
        name: "url".to_owned(),
        host: decode(host)?,
        port,
        database: decode(database)?,
        user,
        password: None,
        tls: UpstreamTls::Disable,
        connect_timeout: CONNECT_TIMEOUT,
    };
    let mut tls = TlsParameters::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or("a parameter has no value")?;
        parameter(&mut upstream, &mut tls, &decode(key)?, decode(value)?)?;
    }
    if upstream.host.is_empty() {
        return Err("it names no host".to_owned());
    }
    if upstream.user.is_empty() {
        return Err("it names no user".to_owned());
    }
    if upstream.database.is_empty() {
        upstream.database.clone_from(&upstream.user);
    }
    upstream.tls = tls.choose(&upstream.host)?;
    Ok((upstream, password))
}

fn parameter(upstream: &mut Upstream, tls: &mut TlsParameters, key: &str, value: String) -> Result<(), String> {
    match key {
        "host" => upstream.host = value,
        "port" => upstream.port = value.parse().map_err(|_| "its port is not a number")?,
        "user" => upstream.user = value,
        "dbname" => upstream.database = value,
        "sslmode" => tls.mode = Some(value),
        "sslrootcert" => tls.ca_file = Some(value),
        "application_name" | "connect_timeout" => {}
        "password" => return Err("its password stands among the parameters: put it into PGPASSWORD".to_owned()),
        other => return Err(format!("it has a parameter {other:?} that is not known")),
    }
    Ok(())
}

#[derive(Default)]
struct TlsParameters {
    mode: Option<String>,
    ca_file: Option<String>,
}

impl TlsParameters {
    fn choose(self, host: &str) -> Result<UpstreamTls, String> {
        let unix_socket = host.starts_with('/');
        let near = unix_socket || is_loopback(host);
        let ca_file = self.ca_file.filter(|file| file != "system").map(PathBuf::from);
        match self.mode.as_deref() {
            // PostgreSQL has no TLS over Unix sockets; libpq ignores the mode there as well.
            _ if unix_socket => Ok(UpstreamTls::Disable),
            Some("verify-full") => Ok(UpstreamTls::VerifyFull { ca_file }),
            None if near && ca_file.is_none() => Ok(UpstreamTls::Disable),
            None => Ok(UpstreamTls::VerifyFull { ca_file }),
            Some("disable" | "allow" | "prefer") if near => Ok(UpstreamTls::Disable),
            Some("disable" | "allow" | "prefer") => {
                Err("without TLS only loopback addresses and Unix sockets are reached: use sslmode=verify-full"
                    .to_owned())
            }
            Some("require" | "verify-ca") => {
                Err("only sslmode=verify-full makes sure that it is the right server: use that".to_owned())
            }
            Some(other) => Err(format!("it has sslmode {other:?}, which is not known")),
        }
    }
}

/// Host and port; an IPv6 address stands in brackets.
fn split_port(place: &str) -> Result<(&str, u16), String> {
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or(rest)),
        None => place.split_once(':').unwrap_or((place, "")),
    };
    if host.contains(',') {
        return Err("it names several hosts: name one".to_owned());
    }
    let port = if port.is_empty() { PORT } else { port.parse().map_err(|_| "its port is not a number")? };
    Ok((host, port))
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Result<String, String> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).ok_or("a percent sign is not followed by two digits")?;
        let byte = u8::from_str_radix(digits, 16).map_err(|_| "a percent sign is not followed by two digits")?;
        bytes.push(byte);
        bytes.extend_from_slice(rest.as_bytes());
    }
    if bytes.contains(&0) {
        return Err("it holds a zero byte".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "it is not valid UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: &str) {
        let shown = match parse(url) {
            Ok((upstream, password)) => format!(
                "{} {} {} {} {:?} {:?}",
                upstream.host,
                upstream.port,
                upstream.user,
                upstream.database,
                password.as_ref().map(Secret::expose),
                upstream.tls
            ),
            Err(why) => why,
        };
        assert_eq!(shown, expected, "{url}");
    }

    #[test]
    fn urls_are_read_as_psql_reads_them() {
        check("postgres://app@localhost", "localhost 5432 app app None Disable");
        check("postgresql://a:p%40ss@[::1]:6/db", "::1 6 a db Some(\"p@ss\") Disable");
        check("postgres://a@%2Frun%2Fpostgresql/db?sslmode=require", "/run/postgresql 5432 a db None Disable");
        check("postgres:///db?host=/tmp&user=a&port=7", "/tmp 7 a db None Disable");
        check("postgres://a@db/x?sslrootcert=ca.pem", "db 5432 a x None VerifyFull { ca_file: Some(\"ca.pem\") }");
        check("postgres://a@127.0.0.1/x?sslmode=verify-full", "127.0.0.1 5432 a x None VerifyFull { ca_file: None }");
    }

    #[test]
    fn what_is_not_safe_or_not_understood_is_refused() {
        check("mysql://a@b", "it does not begin with postgres://");
        check("postgres://localhost/db", "it names no user");
        check("postgres://a@/db", "it names no host");
        check("postgres://a@h:x/db", "its port is not a number");
        check("postgres://a@h1,h2/db", "it names several hosts: name one");
        check("postgres://a%4@h", "a percent sign is not followed by two digits");
        check(
            "postgres://a@h?sslmode=require",
            "only sslmode=verify-full makes sure that it is the right server: use that",
        );
        check(
            "postgres://a@h?sslmode=prefer",
            "without TLS only loopback addresses and Unix sockets are reached: use sslmode=verify-full",
        );
        check("postgres://a@h?options=-cx", "it has a parameter \"options\" that is not known");
    }
}
