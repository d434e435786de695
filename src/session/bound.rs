//! Whether a bound value is the tenant's identifier: the spellings that PostgreSQL reads as that value, or fewer.

use crate::guard::{Argument, ParameterCheck, TenantValue};
use crate::wire::frontend::{Bind, Format};

// OIDs of pg_type that never change.
const UNSPECIFIED: [u32; 2] = [0, UNKNOWN];
const UNKNOWN: u32 = 705;
const INT8: u32 = 20;
const INT2: u32 = 21;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const BPCHAR: u32 = 1042;
const VARCHAR: u32 = 1043;
const UUID: u32 = 2950;

/// Why a bound value or a declared type will not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) parameter: u16,
    pub(crate) column: String,
}

/// Whether the client's declared types leave the checked parameters their meaning. A type with an equality of its own
/// could make another value equal to the tenant's.
pub(crate) fn check_types(checks: &[ParameterCheck], declared: &[u32]) -> Result<(), Mismatch> {
    checks.iter().try_for_each(|check| {
        let oid = usize::from(check.parameter).checked_sub(1).and_then(|index| declared.get(index)).copied();
        let oid = oid.unwrap_or_default();
        let fits = UNSPECIFIED.contains(&oid)
            || match &check.value {
                TenantValue::Integer(_) => [INT2, INT4, INT8].contains(&oid),
                TenantValue::Uuid(_) => oid == UUID,
                // Cast from `character`, a text loses the blanks at its end.
                TenantValue::Text(text) => [TEXT, VARCHAR].contains(&oid) || (oid == BPCHAR && !text.ends_with(' ')),
            };
        if fits { Ok(()) } else { Err(mismatch(check)) }
    })
}

/// Whether every checked parameter carries the tenant's identifier. Too few parameters are the server's to refuse.
pub(crate) fn check_values(checks: &[ParameterCheck], bind: &Bind<'_>) -> Result<(), Mismatch> {
    if checks.is_empty() {
        return Ok(());
    }
    // Read once: a statement of many rows has many checks, and the values stand behind one another.
    let values: Vec<_> = bind.values().collect();
    checks.iter().try_for_each(|check| {
        let index = usize::from(check.parameter).checked_sub(1);
        let Some(value) = index.and_then(|index| values.get(index)) else { return Ok(()) };
        let fits = value.is_some_and(|value| match bind.format(check.parameter) {
            Some(Format::Text) => text_is(value, &check.value),
            Some(Format::Binary) => binary_is(value, &check.value),
            None => false,
        });
        if fits { Ok(()) } else { Err(mismatch(check)) }
    })
}

/// Whether every checked parameter gets the tenant's identifier from EXECUTE. Too few arguments are the server's to
/// refuse.
pub(crate) fn check_arguments(checks: &[ParameterCheck], arguments: &[Argument]) -> Result<(), Mismatch> {
    checks.iter().try_for_each(|check| {
        let argument = usize::from(check.parameter).checked_sub(1).and_then(|index| arguments.get(index));
        match argument {
            None => Ok(()),
            Some(Argument::Literal(text)) if text_is(text.as_bytes(), &check.value) => Ok(()),
            Some(Argument::Literal(_) | Argument::Other) => Err(mismatch(check)),
        }
    })
}

fn mismatch(check: &ParameterCheck) -> Mismatch {
    Mismatch { parameter: check.parameter, column: check.column.clone() }
}

fn text_is(value: &[u8], tenant: &TenantValue) -> bool {
    match tenant {
        TenantValue::Text(text) => value == text.as_bytes(),
        TenantValue::Integer(number) => value == number.to_string().as_bytes(),
        TenantValue::Uuid(uuid) => read_uuid(value).as_ref() == Some(uuid),
    }
}

fn binary_is(value: &[u8], tenant: &TenantValue) -> bool {
    match tenant {
        TenantValue::Text(text) => value == text.as_bytes(),
        // The server takes only the width of the type that it has inferred, which is one of these.
        TenantValue::Integer(number) => {
            let read = match value.len() {
                2 => value.try_into().map(|bytes| i64::from(i16::from_be_bytes(bytes))).ok(),
                4 => value.try_into().map(|bytes| i64::from(i32::from_be_bytes(bytes))).ok(),
                _ => value.try_into().map(i64::from_be_bytes).ok(),
            };
            read == Some(*number)
        }
        TenantValue::Uuid(uuid) => value == uuid,
    }
}

/// PostgreSQL's `uuid_in`, and a little more than it takes: hyphens anywhere, one pair of braces.
fn read_uuid(value: &[u8]) -> Option<[u8; 16]> {
    let inner = match value {
        [b'{', inner @ .., b'}'] => inner,
        plain => plain,
    };
    let mut digits = inner.iter().filter(|byte| **byte != b'-').map(|byte| char::from(*byte).to_digit(16));
    let mut uuid = [0; 16];
    for byte in &mut uuid {
        let pair = (digits.next()??, digits.next()??);
        *byte = u8::try_from(pair.0 * 16 + pair.1).ok()?;
    }
    digits.next().is_none().then_some(uuid)
}
