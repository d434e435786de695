//! Which parameters of a start-up packet are taken: a list, and nothing that is not on it.

use crate::tenant::LoginName;
use crate::wire::report::Report;

/// Settings that are passed on, under the names that PostgreSQL shows. None of them changes what a statement may reach.
const SETTINGS: &[&str] = &[
    "bytea_output",
    "DateStyle",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "IntervalStyle",
    "lock_timeout",
    "statement_timeout",
    "TimeZone",
];
const VALUE_BYTES_MAX: usize = 256;
/// PostgreSQL's limit of an identifier, to which it cuts `application_name`.
const NAME_BYTES_MAX: usize = 63;

/// A start-up packet's parameters, read and found harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) user: String,
    pub(crate) database: Option<String>,
    pub(crate) application_name: String,
    pub(crate) parameters: Vec<(String, String)>,
}

pub(crate) struct Refused {
    /// As in `handshake::Refusal`.
    pub(crate) reason: &'static str,
    pub(crate) login: Option<LoginName>,
    pub(crate) report: Report,
}

pub(crate) fn read(pairs: &[(&[u8], &[u8])]) -> Result<Accepted, Box<Refused>> {
    let mut accepted =
        Accepted { user: String::new(), database: None, application_name: String::new(), parameters: Vec::new() };
    let taken = pairs.iter().try_for_each(|(name, value)| {
        let name = text(name, "name of a startup parameter")?;
        let value = text(value, name)?;
        accepted.take(name, value)
    });
    let login = LoginName::parse(&accepted.user).ok();
    if let Err(report) = taken {
        let reason = if report.sqlstate == "0A000" { "unsupported" } else { "parameter" };
        return Err(Box::new(Refused { reason, login, report }));
    }
    if accepted.user.is_empty() {
        let report = Report::new("28000", "no PostgreSQL user name specified in startup packet");
        return Err(Box::new(Refused { reason: "protocol", login, report }));
    }
    Ok(accepted)
}

impl Accepted {
    fn take(&mut self, name: &str, value: &str) -> Result<(), Report> {
        // These are matched to the letter, as PostgreSQL does; settings are not.
        match name {
            "user" => value.clone_into(&mut self.user),
            "database" => self.database = (!value.is_empty()).then(|| value.to_owned()),
            "options" => return self.take_options(value),
            "replication" if is_false(value) => {}
            "replication" => {
                return Err(Report::new("0A000", "replication connections are not supported")
                    .hint("Connect without the \"replication\" parameter."));
            }
            // Listed in NegotiateProtocolVersion instead.
            _ if name.starts_with("_pq_.") => {}
            _ => return self.take_setting(name, value),
        }
        Ok(())
    }

    fn take_setting(&mut self, name: &str, value: &str) -> Result<(), Report> {
        if name.eq_ignore_ascii_case("application_name") {
            self.application_name = printable(value);
            return Ok(());
        }
        if name.eq_ignore_ascii_case("client_encoding") {
            return check_encoding(value);
        }
        let Some(known) = SETTINGS.iter().find(|setting| setting.eq_ignore_ascii_case(name)) else {
            return Err(Report::new("42704", format!("startup parameter \"{}\" is not allowed", shown(name)))
                .detail("Only parameters that cannot change what a statement reaches are taken at startup.")
                .hint(format!(
                    "Leave it out. These are taken: user, database, application_name, client_encoding, {}.",
                    SETTINGS.join(", ")
                )));
        };
        if value.len() > VALUE_BYTES_MAX || value.chars().any(char::is_control) {
            return Err(Report::new("22023", format!("invalid value for parameter \"{known}\"")));
        }
        self.parameters.retain(|(earlier, _)| earlier != known);
        self.parameters.push(((*known).to_owned(), value.to_owned()));
        Ok(())
    }

    /// `-c name=value` and `--name=value`, the forms that drivers and `PGOPTIONS` use, for settings that are taken anyway.
    fn take_options(&mut self, value: &str) -> Result<(), Report> {
        let refused = |report: Report| {
            report
                .hint("Leave \"options\" out, or use it only for settings that are taken at startup, as -c name=value.")
        };
        if value.contains(['\\', '\'', '"']) {
            return Err(refused(Report::new("0A000", "quoting in startup parameter \"options\" is not supported")));
        }
        let mut words = value.split_ascii_whitespace();
        while let Some(word) = words.next() {
            let assignment = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
                Some("") if word == "-c" => words.next(),
                assignment => assignment,
            };
            let Some((name, setting)) = assignment.and_then(|text| text.split_once('=')) else {
                let message = format!("startup option \"{}\" is not allowed", shown(word));
                return Err(refused(Report::new("0A000", message)));
            };
            self.take_setting(&name.replace('-', "_"), setting).map_err(refused)?;
        }
        Ok(())
    }
}

fn text<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Report> {
    std::str::from_utf8(bytes)
        .map_err(|_| Report::new("22021", format!("invalid byte sequence for encoding \"UTF8\" in {}", shown(what))))
}

/// Every spelling of UTF-8 that PostgreSQL takes (`clean_encoding_name` drops all but letters and digits), with the
/// quotes that some drivers put around it.
fn check_encoding(value: &str) -> Result<(), Report> {
    let spelling: String =
        value.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    if matches!(spelling.as_str(), "utf8" | "unicode") {
        return Ok(());
    }
    Err(Report::new("22023", format!("client_encoding \"{}\" is not supported", shown(value)))
        .detail("Statements are read as UTF-8, so that they mean the same to everybody who reads them.")
        .hint("Set client_encoding to UTF8."))
}

fn is_false(value: &str) -> bool {
    ["false", "off", "no", "0"].iter().any(|word| word.eq_ignore_ascii_case(value))
}

/// As PostgreSQL's `check_application_name`: printable ASCII, cut to the length of an identifier.
fn printable(value: &str) -> String {
    value
        .bytes()
        .take(NAME_BYTES_MAX)
        .map(|byte| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '?' })
        .collect()
}

/// A client's text in an error: short, and without control characters.
fn shown(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(NAME_BYTES_MAX).collect()
}
