//! The only part that knows the SQL parser: text to tokens and trees, edits on tokens back to text.

mod edit;
mod error;
mod keyword;
mod literal;
mod normalize;
mod scan;
mod token;

pub use edit::Edits;
pub use edit::EmitError;
pub use edit::Emitted;
pub use edit::emit;
pub use error::ReadError;
pub use error::ReadErrorKind;
pub use error::TextLimits;
pub use keyword::KeywordCategory;
pub use literal::quote_identifier;
pub use literal::quote_literal;
pub use normalize::normalize;
pub use token::Token;
pub use token::TokenKind;
pub use token::Tokens;
pub use token::lex;
