//! The packets without a type byte that open a connection.

use crate::wire::Malformed;
use crate::wire::reader::Reader;

const CANCEL_REQUEST: u32 = 80_877_102;
const SSL_REQUEST: u32 = 80_877_103;
const GSSENC_REQUEST: u32 = 80_877_104;
/// PostgreSQL 18's `MAX_STARTUP_PACKET_LENGTH`.
pub const PACKET_BYTES_MAX: usize = 10_000;
const CANCEL_KEY_BYTES_MAX: usize = 256;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    SslRequest,
    GssEncRequest,
    Cancel { process_id: u32, secret: &'a [u8] },
    Startup(Startup<'a>),
}

/// A StartupMessage: the version asked for, and the parameters in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startup<'a> {
    pub major: u16,
    pub minor: u16,
    pub parameters: Vec<(&'a [u8], &'a [u8])>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketError {
    /// The length field cannot be a start-up packet's.
    InvalidLength,
    /// The fields do not fill the packet.
    Malformed,
    /// A version of another family than 3.
    UnsupportedVersion { major: u16, minor: u16 },
}

impl From<Malformed> for PacketError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// The packet at the start of `input` and its length; `None` where it is not whole yet.
pub fn read(input: &[u8], bytes_max: usize) -> Result<Option<(Packet<'_>, usize)>, PacketError> {
    let Some(length) = input.first_chunk() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| PacketError::InvalidLength)?;
    if !(8..=bytes_max.min(PACKET_BYTES_MAX)).contains(&length) {
        return Err(PacketError::InvalidLength);
    }
    let Some(packet) = input.get(4..length) else { return Ok(None) };
    Ok(Some((parse(packet)?, length)))
}

fn parse(packet: &[u8]) -> Result<Packet<'_>, PacketError> {
    let mut reader = Reader::new(packet);
    let code = reader.u32()?;
    match code {
        SSL_REQUEST => {
            reader.end()?;
            Ok(Packet::SslRequest)
        }
        GSSENC_REQUEST => {
            reader.end()?;
            Ok(Packet::GssEncRequest)
        }
        CANCEL_REQUEST => {
            let process_id = reader.u32()?;
            let secret = reader.rest();
            if !(4..=CANCEL_KEY_BYTES_MAX).contains(&secret.len()) {
                return Err(PacketError::Malformed);
            }
            Ok(Packet::Cancel { process_id, secret })
        }
        version => startup(version, &mut reader),
    }
}

fn startup<'a>(version: u32, reader: &mut Reader<'a>) -> Result<Packet<'a>, PacketError> {
    let [a, b, c, d] = version.to_be_bytes();
    let (major, minor) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    if major != 3 {
        return Err(PacketError::UnsupportedVersion { major, minor });
    }
    let mut parameters = Vec::new();
    loop {
        let name = reader.string()?;
        if name.is_empty() {
            break;
        }
        parameters.push((name, reader.string()?));
    }
    reader.end()?;
    Ok(Packet::Startup(Startup { major, minor, parameters }))
}
