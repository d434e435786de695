//! Where a message begins and ends: its type byte and length, within PostgreSQL's own limits.

use std::fmt;

/// Type byte and length field.
pub const HEADER_BYTES: usize = 5;
/// PostgreSQL's `PQ_SMALL_MESSAGE_LIMIT`.
const SMALL_BYTES_MAX: u32 = 10_000;
/// PostgreSQL's `PQ_LARGE_MESSAGE_LIMIT`: one less than the largest allocation.
const LARGE_BYTES_MAX: u32 = 0x3fff_fffe;
/// libpq takes a longer message of a small type for lost synchronization.
const BACKEND_SMALL_BYTES_MAX: u32 = 30_000;

/// The messages of a client that has logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frontend {
    Query,
    Parse,
    Bind,
    Describe,
    Close,
    Execute,
    Sync,
    Flush,
    FunctionCall,
    CopyData,
    CopyDone,
    CopyFail,
    Terminate,
}

impl Frontend {
    fn of(kind: u8) -> Option<Self> {
        Some(match kind {
            b'Q' => Self::Query,
            b'P' => Self::Parse,
            b'B' => Self::Bind,
            b'D' => Self::Describe,
            b'C' => Self::Close,
            b'E' => Self::Execute,
            b'S' => Self::Sync,
            b'H' => Self::Flush,
            b'F' => Self::FunctionCall,
            b'd' => Self::CopyData,
            b'c' => Self::CopyDone,
            b'f' => Self::CopyFail,
            b'X' => Self::Terminate,
            _ => return None,
        })
    }

    /// As in `SocketBackend` of PostgreSQL's postgres.c.
    fn bytes_max(self) -> u32 {
        match self {
            Self::Query | Self::Parse | Self::Bind | Self::FunctionCall | Self::CopyData => LARGE_BYTES_MAX,
            Self::Describe
            | Self::Close
            | Self::Execute
            | Self::Sync
            | Self::Flush
            | Self::CopyDone
            | Self::CopyFail
            | Self::Terminate => SMALL_BYTES_MAX,
        }
    }
}

/// The messages of a server, after login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Authentication,
    BackendKeyData,
    BindComplete,
    CloseComplete,
    CommandComplete,
    CopyBothResponse,
    CopyData,
    CopyDone,
    CopyInResponse,
    CopyOutResponse,
    DataRow,
    EmptyQueryResponse,
    ErrorResponse,
    FunctionCallResponse,
    NegotiateProtocolVersion,
    NoData,
    NoticeResponse,
    NotificationResponse,
    ParameterDescription,
    ParameterStatus,
    ParseComplete,
    PortalSuspended,
    ReadyForQuery,
    RowDescription,
}

impl Backend {
    fn of(kind: u8) -> Option<Self> {
        Some(match kind {
            b'D' => Self::DataRow,
            b'd' => Self::CopyData,
            b'C' => Self::CommandComplete,
            b'Z' => Self::ReadyForQuery,
            b'T' => Self::RowDescription,
            b'1' => Self::ParseComplete,
            b'2' => Self::BindComplete,
            b'3' => Self::CloseComplete,
            b't' => Self::ParameterDescription,
            b'n' => Self::NoData,
            b's' => Self::PortalSuspended,
            b'I' => Self::EmptyQueryResponse,
            b'E' => Self::ErrorResponse,
            b'N' => Self::NoticeResponse,
            b'S' => Self::ParameterStatus,
            b'A' => Self::NotificationResponse,
            b'G' => Self::CopyInResponse,
            b'H' => Self::CopyOutResponse,
            b'W' => Self::CopyBothResponse,
            b'c' => Self::CopyDone,
            b'R' => Self::Authentication,
            b'K' => Self::BackendKeyData,
            b'v' => Self::NegotiateProtocolVersion,
            b'V' => Self::FunctionCallResponse,
            _ => return None,
        })
    }

    /// As in libpq's `VALID_LONG_MESSAGE_TYPE`; ParameterDescription goes up to 65,535 parameters.
    fn bytes_max(self) -> u32 {
        match self {
            Self::DataRow
            | Self::CopyData
            | Self::RowDescription
            | Self::ErrorResponse
            | Self::NoticeResponse
            | Self::NotificationResponse
            | Self::FunctionCallResponse
            | Self::ParameterDescription => i32::MAX.unsigned_abs(),
            _ => BACKEND_SMALL_BYTES_MAX,
        }
    }
}

/// The first five bytes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<K> {
    pub kind: K,
    /// All of the message, its type byte and its length field too.
    pub frame_bytes: usize,
}

/// Bytes after which nothing can be read any more: synchronization is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    UnknownType(u8),
    InvalidLength,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(kind) => write!(f, "invalid frontend message type {kind}"),
            Self::InvalidLength => f.write_str("invalid message length"),
        }
    }
}

impl std::error::Error for FrameError {}

/// The header at the start of `input`; `None` where it is not whole yet. An unknown type byte is refused at once: what
/// follows it need not be a length.
pub fn frontend(input: &[u8]) -> Result<Option<Header<Frontend>>, FrameError> {
    let Some(first) = input.first() else { return Ok(None) };
    let kind = Frontend::of(*first).ok_or(FrameError::UnknownType(*first))?;
    header(input, kind, kind.bytes_max())
}

/// Likewise for what a server sends.
pub fn backend(input: &[u8]) -> Result<Option<Header<Backend>>, FrameError> {
    let Some(first) = input.first() else { return Ok(None) };
    let kind = Backend::of(*first).ok_or(FrameError::UnknownType(*first))?;
    header(input, kind, kind.bytes_max())
}

/// The length of a message of one type that is the only one expected (`p` during authentication).
pub fn expected(input: &[u8], kind: u8, bytes_max: u32) -> Result<Option<Header<()>>, FrameError> {
    let Some(first) = input.first() else { return Ok(None) };
    if *first != kind {
        return Err(FrameError::UnknownType(*first));
    }
    header(input, (), bytes_max)
}

fn header<K>(input: &[u8], kind: K, bytes_max: u32) -> Result<Option<Header<K>>, FrameError> {
    let Some(length) = input.get(1..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
    let length = u32::from_be_bytes(*length);
    if !(4..=bytes_max).contains(&length) {
        return Err(FrameError::InvalidLength);
    }
    let length = usize::try_from(length).map_err(|_| FrameError::InvalidLength)?;
    Ok(Some(Header { kind, frame_bytes: length.saturating_add(1) }))
}
