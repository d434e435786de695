//! The tenant in every row of COPY's data, while it streams by: rows as PostgreSQL cuts them, or none at all.
//!
//! What PostgreSQL could read as another row, another field, or another end of the data, than is read here is refused:
//! such bytes would carry a row past us without the tenant, or with one of the client's choice.

mod binary;
mod csv;
mod line;
mod text;

use bytes::BytesMut;

use crate::guard::{CopyForm, CopyTenant};
use crate::session::copy::binary::BinaryRows;
use crate::session::copy::csv::CsvRows;
use crate::session::copy::line::Line;
use crate::session::copy::text::TextRows;
use crate::wire::backend::CopyFormat;
use crate::wire::report::Report;

/// The data of one COPY: bytes in any pieces in, bytes out.
#[derive(Debug)]
pub(crate) enum TenantRows {
    Text(TextRows),
    Csv(CsvRows),
    Binary(BinaryRows),
}

impl TenantRows {
    pub(crate) fn new(tenant: &CopyTenant) -> Self {
        match &tenant.form {
            CopyForm::Text { delimiter, null, header } => {
                Self::Text(TextRows::new(Line::new(tenant, *delimiter, null, header)))
            }
            CopyForm::Csv { delimiter, quote, escape, null, header, end_mark } => {
                let line = Line::new(tenant, *delimiter, null, header);
                Self::Csv(CsvRows::new(line, *quote, *escape, *end_mark))
            }
            CopyForm::Binary => Self::Binary(BinaryRows::new(tenant)),
        }
    }

    /// The format in which the server asks for the data.
    pub(crate) fn format(&self) -> CopyFormat {
        match self {
            Self::Text(_) | Self::Csv(_) => CopyFormat::Text,
            Self::Binary(_) => CopyFormat::Binary,
        }
    }

    /// Takes the next bytes of the data and writes what is to be copied of them.
    pub(crate) fn handle_data(&mut self, input: &[u8], out: &mut BytesMut) -> Result<(), Report> {
        match self {
            Self::Text(rows) => rows.handle_data(input, out),
            Self::Csv(rows) => rows.handle_data(input, out),
            Self::Binary(rows) => rows.handle_data(input, out),
        }
    }

    /// The client says that this was all.
    pub(crate) fn handle_done(&mut self, out: &mut BytesMut) -> Result<(), Report> {
        match self {
            Self::Text(rows) => rows.handle_done(out),
            Self::Csv(rows) => rows.handle_done(out),
            Self::Binary(rows) => rows.handle_done(),
        }
    }
}

/// In PostgreSQL's words and with its code for data that does not fit.
fn malformed(message: &'static str) -> Report {
    Report::new("22P04", message)
}

/// A row of the client's that is not the session's tenant's.
fn mismatch(column: &str, row: u64) -> Report {
    Report::new("42501", format!("column \"{column}\" must be the session's tenant"))
        .detail(format!("Row {row} of the data has another value. Nothing was copied."))
        .hint("Leave the column out of COPY's list of columns and of the data, or supply the session's tenant.")
}
