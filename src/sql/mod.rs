//! The only part that knows the SQL parser: text to tokens and trees, edits on tokens back to text.
