//! The SASL exchange of one login: who does not exist fails exactly where and how a wrong password does.

use bytes::BytesMut;

use crate::auth::ScramVerifier;
use crate::auth::scram::{self, Binding, ExpectProof, ScramError};
use crate::session::startup_parameters::{Accepted, Refused};
use crate::tenant::{Identity, LoginName};
use crate::wire::frame::{self, FrameError};
use crate::wire::report::Report;
use crate::wire::{encode, frontend};

/// PostgreSQL's `PG_MAX_SASL_MESSAGE_LENGTH` before version 18.
const SASL_MESSAGE_BYTES_MAX: u32 = 1024;

/// Who wants in, before it is proved.
pub(crate) struct Login {
    accepted: Accepted,
    verifier: ScramVerifier,
    /// `None`: no such login, and no proof will do.
    identity: Option<Identity>,
    stage: Stage,
}

/// Named after what is awaited.
enum Stage {
    ExpectInitial,
    ExpectProof(Box<ExpectProof>, &'static str),
}

pub(crate) enum Step {
    Expect(Box<Login>),
    Refused(Box<Refused>),
    Proved(Box<Proved>),
}

pub(crate) struct Proved {
    pub(crate) identity: Identity,
    pub(crate) accepted: Accepted,
    /// As in `handshake::Authenticated`.
    pub(crate) method: &'static str,
}

impl Login {
    pub(crate) fn new(accepted: Accepted, verifier: ScramVerifier, identity: Option<Identity>) -> Self {
        Self { accepted, verifier, identity, stage: Stage::ExpectInitial }
    }

    pub(crate) fn name(&self) -> Option<LoginName> {
        LoginName::parse(&self.accepted.user).ok()
    }

    /// Takes the client's next message, if it is whole: how many bytes that was, and what follows.
    pub(crate) fn handle(
        self: Box<Self>,
        input: &[u8],
        binding: Binding<'_>,
        nonce: &[u8; 18],
        output: &mut BytesMut,
    ) -> (usize, Step) {
        let (body, consumed) = match sasl_message(input) {
            Ok(Some(message)) => message,
            Ok(None) => return (0, Step::Expect(self)),
            Err(error) => return (input.len(), self.refuse_frame(error)),
        };
        let step = match self.stage {
            Stage::ExpectInitial => self.begin(body, binding, nonce, output),
            Stage::ExpectProof(..) => self.finish(body, output),
        };
        (consumed, step)
    }

    fn begin(mut self: Box<Self>, body: &[u8], binding: Binding<'_>, nonce: &[u8; 18], output: &mut BytesMut) -> Step {
        let begun = match frontend::sasl_initial(body) {
            Ok((mechanism, Some(first))) => scram::begin(mechanism, first, binding, self.verifier.clone(), nonce)
                .map(|begun| (begun, method(mechanism))),
            // A client may leave its first message out (RFC 4422); SCRAM clients never do.
            Ok((_, None)) | Err(_) => Err(ScramError::Malformed),
        };
        match begun {
            Ok(((proof, server_first), method)) => {
                encode::authentication_sasl_continue(&server_first, output);
                self.stage = Stage::ExpectProof(Box::new(proof), method);
                Step::Expect(self)
            }
            Err(error) => self.refuse(error),
        }
    }

    fn finish(mut self: Box<Self>, body: &[u8], output: &mut BytesMut) -> Step {
        let stage = std::mem::replace(&mut self.stage, Stage::ExpectInitial);
        let Stage::ExpectProof(proof, method) = stage else { return self.refuse(ScramError::Malformed) };
        let proved = match proof.finish(body) {
            Ok(proved) => proved,
            Err(error) => return self.refuse(error),
        };
        let Some(identity) = self.identity.take() else { return self.refuse(ScramError::WrongProof) };
        encode::authentication_sasl_final(&proved.server_final, output);
        Step::Proved(Box::new(Proved { identity, accepted: self.accepted, method }))
    }

    fn refuse_frame(&self, error: FrameError) -> Step {
        let message = match error {
            FrameError::UnknownType(kind) => format!("expected SASL response, got message type {kind}"),
            FrameError::InvalidLength => error.to_string(),
        };
        self.refused("protocol", Report::new("08P01", message))
    }

    fn refuse(&self, error: ScramError) -> Step {
        let (reason, report) = match error {
            ScramError::WrongProof => {
                let message = format!("password authentication failed for user \"{}\"", self.accepted.user);
                ("auth_failed", Report::new("28P01", message))
            }
            ScramError::Malformed | ScramError::Mechanism => ("protocol", Report::new("08P01", error.to_string())),
            ScramError::ChannelBinding => ("auth_failed", Report::new("28000", error.to_string())),
            ScramError::Downgrade => (
                "auth_failed",
                Report::new("28000", error.to_string()).detail(
                    "The client supports SCRAM channel binding but thinks the server does not. However, this server \
                     does support channel binding.",
                ),
            ),
        };
        self.refused(reason, report)
    }

    fn refused(&self, reason: &'static str, report: Report) -> Step {
        Step::Refused(Box::new(Refused { reason, login: self.name(), report }))
    }
}

fn method(mechanism: &[u8]) -> &'static str {
    if mechanism == scram::SCRAM_SHA_256_PLUS.as_bytes() { "scram-sha-256-plus" } else { "scram-sha-256" }
}

/// The body of the `p` message at the start of `input`, and the message's length.
fn sasl_message(input: &[u8]) -> Result<Option<(&[u8], usize)>, FrameError> {
    let Some(header) = frame::expected(input, b'p', SASL_MESSAGE_BYTES_MAX)? else { return Ok(None) };
    let body = input.get(frame::HEADER_BYTES..header.frame_bytes);
    Ok(body.map(|body| (body, header.frame_bytes)))
}
