//! What is total of extensions, beside comparisons: their operators, on their types or on PostgreSQL's.
//!
//! Not here: `~` and `@` of ltree (a pattern can nest), what takes an array apart (NULLs and dimensions are errors), and
//! `<->` of btree_gist (overflows).

use crate::guard::entries::{Entry, Form, Gives as G, Takes as T, entry};
use crate::guard::extensions::OwnType::{Citext, Hstore, Ltree};

/// The extension that has defined the operator, and the entry.
#[rustfmt::skip]
pub(in crate::guard) const OF_EXTENSIONS: &[(&str, Entry)] = &[
    ("citext", entry(Form::Operator, "~~ !~~ ~~* !~~*", &[T::Own(Citext), T::Pattern], G::Boolean, "as of texts")),
    ("hstore", entry(Form::Operator, "->", &[T::Own(Hstore), T::Text], G::Text, "looks up")),
    ("hstore", entry(Form::Operator, "?", &[T::Own(Hstore), T::Text], G::Boolean, "looks up")),
    ("hstore", entry(Form::Operator, "@> <@", &[T::Own(Hstore), T::Same], G::Boolean, "compares pairs")),
    ("ltree", entry(Form::Operator, "@> <@", &[T::Own(Ltree), T::Same], G::Boolean, "compares labels")),
    ("pg_trgm", entry(Form::Operator, "% <% %> <<% %>>", &[T::Text, T::Text], G::Boolean,
        "counts what two texts share; fails for want of memory alone")),
    ("pg_trgm", entry(Form::Operator, "<-> <<-> <->> <<<-> <->>>", &[T::Text, T::Text], G::Float,
        "counts what two texts share; fails for want of memory alone")),
];

/// What PostgreSQL's own functions make of types of extensions, which are texts to them.
pub(in crate::guard) const ON_EXTENSIONS: &[Entry] = &[
    entry(Form::Function, "lower upper", &[T::Own(Citext)], G::Text, "maps characters"),
    entry(Form::Function, "length char_length character_length octet_length", &[T::Own(Citext)], G::Integer, "counts"),
    entry(Form::Cast, "text", &[T::Own(Citext)], G::Text, "the same value"),
];
