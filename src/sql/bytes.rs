//! What a byte can be in a token: PostgreSQL's classes of characters.

/// A set of classes.
#[derive(Clone, Copy)]
pub(crate) struct Classes(u8);

impl Classes {
    pub(crate) const SPACE: Self = Self(1);
    pub(crate) const DIGIT: Self = Self(2);
    pub(crate) const IDENTIFIER_START: Self = Self(4);
    pub(crate) const IDENTIFIER_PART: Self = Self(8);
    /// Of operators that the standard does not have.
    pub(crate) const OTHER_OPERATOR: Self = Self(16);
    pub(crate) const OPERATOR: Self = Self(16 | 32);

    const fn of(byte: u8) -> Self {
        Self(match byte {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0c => Self::SPACE.0,
            b'0'..=b'9' => Self::DIGIT.0 | Self::IDENTIFIER_PART.0,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => Self::IDENTIFIER_START.0 | Self::IDENTIFIER_PART.0,
            b'$' => Self::IDENTIFIER_PART.0,
            b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=' => Self::OPERATOR.0 & !Self::OTHER_OPERATOR.0,
            b'~' | b'!' | b'@' | b'#' | b'%' | b'^' | b'&' | b'|' | b'`' | b'?' => Self::OTHER_OPERATOR.0,
            _ => 0,
        })
    }
}

static CLASSES: [Classes; 256] = classes();

#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and nobody else")]
const fn classes() -> [Classes; 256] {
    let mut classes = [Classes(0); 256];
    let mut byte = 0;
    while byte < classes.len() {
        classes[byte] = Classes::of(byte as u8);
        byte += 1;
    }
    classes
}

/// Whether a byte is of one of the classes.
pub(crate) fn is(byte: u8, classes: Classes) -> bool {
    CLASSES.get(usize::from(byte)).is_some_and(|found| found.0 & classes.0 != 0)
}

/// How many bytes at the beginning are of one of the classes.
pub(crate) fn run(bytes: &[u8], classes: Classes) -> usize {
    bytes.iter().position(|byte| !is(*byte, classes)).unwrap_or(bytes.len())
}
