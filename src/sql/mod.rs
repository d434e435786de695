//! The only part that knows the SQL parser: text to tokens and trees, edits on tokens back to text.
//!
//! A text is cut into tokens by PostgreSQL's own rules, and these tokens are what is sent in the end. The parser gets a
//! copy of them, changed where its grammar differs; its tree says what the tokens mean, and its spans are their numbers.

pub(crate) mod clauses;
mod copy;
mod cursor;
mod edit;
mod error;
mod keyword;
mod literal;
mod normalize;
mod parse;
mod refuse;
mod scan;
mod script;
mod session;
mod setting;
mod shadow;
mod shape;
mod token;
mod vocabulary;

pub use copy::CopyCondition;
pub use copy::CopyDirection;
pub use copy::CopySource;
pub use copy::CopyStatement;
pub use edit::Edits;
pub use edit::EmitError;
pub use edit::Emitted;
pub use edit::Kept;
pub use edit::emit;
pub use error::ReadError;
pub use error::ReadErrorKind;
pub use error::TextLimits;
pub use keyword::KeywordCategory;
pub use literal::quote_identifier;
pub use literal::quote_literal;
pub use normalize::normalize;
pub use parse::ident_value;
pub use parse::token_range;
pub use script::Body;
pub use script::Script;
pub use script::Statement;
pub use script::with_script;
pub use session::Chain;
pub use session::ConstraintTiming;
pub use session::Constraints;
pub use session::DiscardKind;
pub use session::IsolationLevel;
pub use session::SessionStatement;
pub use session::SettingScope;
pub use session::SettingValue;
pub use session::TransactionMode;
pub use session::TransactionScope;
pub use shape::Shape;
pub(crate) use token::Answer;
pub(crate) use token::Question;
pub use token::Token;
pub use token::TokenKind;
pub use token::Tokens;
pub use token::lex;
