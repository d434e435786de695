//! Start-up packet, authentication and the first ReadyForQuery of an upstream connection.

use std::sync::Arc;
use std::sync::PoisonError;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::message::backend::AuthenticationSaslBody;
use postgres_protocol::message::backend::ErrorResponseBody;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use crate::auth::scram::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
use crate::net::stream::Stream;
use crate::upstream::Address;
use crate::upstream::CancelKey;
use crate::upstream::ConnectError;
use crate::upstream::ConnectErrorKind;
use crate::upstream::Connected;
use crate::upstream::Target;
use crate::upstream::dial::Dialled;
use crate::upstream::messages::LOGIN_MESSAGE_BYTES_MAX;
use crate::upstream::messages::Messages;
use crate::upstream::scram::{Binding, Challenge, Exchange, ScramFault, ScramKeys};

/// ParameterStatus messages that a log-in may bring. PostgreSQL 18 sends 15.
const PARAMETERS_MAX: usize = 100;

/// Settings that Partywall fixes: what it understands of a text depends on them.
const FIXED: [&str; 6] =
    ["user", "database", "client_encoding", "search_path", "standard_conforming_strings", "replication"];

pub(crate) async fn login(
    target: &Target,
    dialled: Dialled,
    parameters: &[(String, String)],
) -> Result<Connected, ConnectError> {
    let Dialled { stream, address, end_point } = dialled;
    let mut messages = Messages::new(stream, BytesMut::new(), LOGIN_MESSAGE_BYTES_MAX);
    messages.send(&startup(target, parameters)?).await?;
    authenticate(target, &mut messages, address, end_point).await?;
    await_ready(messages, address).await
}

fn startup(target: &Target, parameters: &[(String, String)]) -> Result<BytesMut, ConnectError> {
    let fixed = [
        ("user", target.user.as_str()),
        ("database", target.database.as_str()),
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
        ("search_path", target.search_path.as_str()),
    ];
    let allowed = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !FIXED.iter().any(|fixed| fixed.eq_ignore_ascii_case(name)));
    let mut packet = BytesMut::new();
    frontend::startup_message(fixed.into_iter().chain(allowed), &mut packet)?;
    Ok(packet)
}

async fn authenticate(
    target: &Target,
    messages: &mut Messages,
    address: Address,
    end_point: Option<Vec<u8>>,
) -> Result<(), ConnectError> {
    let answer = match messages.receive().await? {
        Message::AuthenticationOk => return Ok(()),
        Message::AuthenticationSasl(offer) => {
            scram(target, messages, &offer, end_point).await?;
            return expect_ok(messages).await;
        }
        Message::AuthenticationMd5Password(request) => {
            md5_hash(target.user.as_bytes(), password(target)?.as_bytes(), request.salt()).into_bytes()
        }
        Message::AuthenticationCleartextPassword if messages.is_tls() || address == Address::Unix => {
            password(target)?.as_bytes().to_vec()
        }
        Message::AuthenticationCleartextPassword => {
            return Err(ConnectError::new(
                ConnectErrorKind::Authentication,
                "the server asks for the password in clear text",
            )
            .hint("it is sent over TLS only; use scram-sha-256 in pg_hba.conf"));
        }
        Message::ErrorResponse(error) => return Err(refusal(&error)),
        _ => {
            return Err(ConnectError::new(
                ConnectErrorKind::Authentication,
                "the server asks for an unknown way to authenticate",
            ));
        }
    };
    let mut packet = BytesMut::new();
    frontend::password_message(&answer, &mut packet)?;
    messages.send(&packet).await?;
    expect_ok(messages).await
}

async fn expect_ok(messages: &mut Messages) -> Result<(), ConnectError> {
    match messages.receive().await? {
        Message::AuthenticationOk => Ok(()),
        Message::ErrorResponse(error) => Err(refusal(&error)),
        _ => Err(unexpected()),
    }
}

async fn scram(
    target: &Target,
    messages: &mut Messages,
    offer: &AuthenticationSaslBody,
    end_point: Option<Vec<u8>>,
) -> Result<(), ConnectError> {
    let binding = binding(offer, end_point)?;
    let nonce = random_nonce()?;
    let exchange = Exchange::new(binding.clone(), &nonce);
    let mut packet = BytesMut::new();
    frontend::sasl_initial_response(binding.mechanism(), exchange.first().as_bytes(), &mut packet)?;
    messages.send(&packet).await?;

    let challenge = match messages.receive().await? {
        Message::AuthenticationSaslContinue(body) => exchange.challenge(body.data())?,
        Message::ErrorResponse(error) => return Err(refusal(&error)),
        _ => return Err(unexpected()),
    };
    let keys = keys(target, &challenge).await?;
    let (last, signature) = exchange.answer(&challenge, &keys);
    let mut packet = BytesMut::new();
    frontend::sasl_response(last.as_bytes(), &mut packet)?;
    messages.send(&packet).await?;

    match messages.receive().await? {
        Message::AuthenticationSaslFinal(body) => Ok(signature.finish(body.data())?),
        Message::ErrorResponse(error) => Err(refusal(&error)),
        _ => Err(unexpected()),
    }
}

/// The better mechanism of those that are offered.
fn binding(offer: &AuthenticationSaslBody, end_point: Option<Vec<u8>>) -> Result<Binding, ConnectError> {
    let mut plain_offered = false;
    let mut plus_offered = false;
    let mut mechanisms = offer.mechanisms();
    while let Some(mechanism) = mechanisms.next()? {
        plain_offered |= mechanism == SCRAM_SHA_256;
        plus_offered |= mechanism == SCRAM_SHA_256_PLUS;
    }
    match end_point {
        Some(hash) if plus_offered => Ok(Binding::EndPoint(hash)),
        Some(_) if plain_offered => Ok(Binding::NotOffered),
        None if plain_offered => Ok(Binding::Unsupported),
        _ => {
            Err(ConnectError::new(ConnectErrorKind::Authentication, "the server offers no SASL mechanism that we know"))
        }
    }
}

/// From the last log-in if the server's salt is still the same, which it is until the password is set anew.
async fn keys(target: &Target, challenge: &Challenge) -> Result<Arc<ScramKeys>, ConnectError> {
    let kept = target.scram_keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(keys) = kept.filter(|keys| keys.fit(challenge)) {
        return Ok(keys);
    }
    let password = password(target)?.to_owned();
    let (salt, iterations) = (challenge.salt.clone(), challenge.iterations);
    // Not on the thread that serves everybody.
    let derived = tokio::task::spawn_blocking(move || ScramKeys::derive(&password, &salt, iterations)).await;
    let keys =
        derived.map(Arc::new).map_err(|error| ConnectError::new(ConnectErrorKind::Protocol, error.to_string()))?;
    *target.scram_keys.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&keys));
    Ok(keys)
}

fn random_nonce() -> Result<[u8; 18], ConnectError> {
    let mut nonce = [0; 18];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| ConnectError::new(ConnectErrorKind::Protocol, "no random bytes"))?;
    Ok(nonce)
}

impl From<ScramFault> for ConnectError {
    fn from(fault: ScramFault) -> Self {
        Self::new(ConnectErrorKind::Authentication, format!("SCRAM: {}", fault.0))
    }
}

async fn await_ready(mut messages: Messages, address: Address) -> Result<Connected, ConnectError> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    let mut key = None;
    loop {
        match messages.receive().await? {
            Message::ParameterStatus(status) => {
                let (name, value) = (status.name()?, status.value()?);
                parameters.retain(|(known, _)| known != name);
                parameters.push((name.to_owned(), value.to_owned()));
                if parameters.len() > PARAMETERS_MAX {
                    return Err(ConnectError::new(
                        ConnectErrorKind::Protocol,
                        "the server reports too many parameters",
                    ));
                }
            }
            Message::BackendKeyData(data) => {
                key = Some(CancelKey { address, process_id: data.process_id(), secret: data.secret_key() });
            }
            Message::NoticeResponse(_) => {}
            Message::ReadyForQuery(_) => break,
            Message::ErrorResponse(error) => return Err(refusal(&error)),
            _ => return Err(unexpected()),
        }
    }
    let (stream, unread): (Stream, BytesMut) = messages.into_parts();
    let connected = Connected { stream, parameters, key, unread };
    check_suitable(&connected)?;
    Ok(connected)
}

/// What Partywall's reading of SQL depends on, as the server itself reports it.
fn check_suitable(connected: &Connected) -> Result<(), ConnectError> {
    let unsuitable = |detail: &str, hint| Err(ConnectError::new(ConnectErrorKind::Unsuitable, detail).hint(hint));
    if connected.parameter("standard_conforming_strings") != Some("on") {
        return unsuitable("standard_conforming_strings is not on", "turn it on for the role and the database");
    }
    if connected.parameter("server_encoding") != Some("UTF8") {
        return unsuitable("the database's encoding is not UTF8", "use a database with ENCODING 'UTF8'");
    }
    if connected.parameter("client_encoding") != Some("UTF8") {
        return unsuitable("client_encoding is not UTF8", "remove the setting that overrides it");
    }
    if connected.parameter("is_superuser") == Some("on") {
        return unsuitable(
            "the role is a superuser",
            "use a role that owns nothing and has no more rights than the application needs",
        );
    }
    Ok(())
}

fn password(target: &Target) -> Result<&str, ConnectError> {
    target.password.as_deref().ok_or_else(|| {
        ConnectError::new(ConnectErrorKind::Authentication, "the server asks for a password, and none is configured")
            .hint("set password for the upstream")
    })
}

fn unexpected() -> ConnectError {
    ConnectError::new(ConnectErrorKind::Protocol, "unexpected message while logging in")
}

/// By SQLSTATE, since the words are in the server's language.
fn refusal(error: &ErrorResponseBody) -> ConnectError {
    let (sqlstate, message) = describe_error(error);
    let kind = match sqlstate.as_str() {
        "28P01" | "28000" => ConnectErrorKind::Authentication,
        "53300" => ConnectErrorKind::TooManyConnections,
        "57P03" | "57P01" | "57P02" => ConnectErrorKind::Down,
        _ => ConnectErrorKind::Refused,
    };
    ConnectError::new(kind, format!("{message} (SQLSTATE {sqlstate})"))
}

/// SQLSTATE and primary message.
pub(crate) fn describe_error(error: &ErrorResponseBody) -> (String, String) {
    let (mut sqlstate, mut message) = (String::new(), String::new());
    let mut fields = error.fields();
    while let Ok(Some(field)) = fields.next() {
        let text = || String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => sqlstate = text(),
            b'M' => message = text(),
            _ => {}
        }
    }
    (sqlstate, message)
}
