//! What goes upstream. SQL gets in here from a `GuardedSql` or as one constant form that cannot run, and in no other way.

use bytes::{BufMut, BytesMut};

use crate::guard::GuardedSql;
use crate::session::pass::{Passed, SqlFree};
use crate::session::refusal::Mark;
use crate::wire::encode::{frontend, put_string};
use crate::wire::frame::HEADER_BYTES;

/// A parameter format that does not exist: PostgreSQL refuses it where it reads the value.
const NO_FORMAT: u16 = 0x7a7a;

#[derive(Default)]
pub(crate) struct UpstreamBuffer {
    bytes: BytesMut,
}

impl UpstreamBuffer {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// For the shell, which sends it.
    pub(crate) fn drain(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    pub(crate) fn forward(&mut self, passed: &Passed<'_, SqlFree>) {
        self.bytes.extend_from_slice(passed.bytes());
    }

    pub(crate) fn query(&mut self, sql: &GuardedSql) {
        frontend(b'Q', &mut self.bytes, |out| put_string(sql.as_str().as_bytes(), out));
    }

    pub(crate) fn parse(&mut self, statement: &[u8], sql: &GuardedSql, parameter_types: &[u32]) {
        frontend(b'P', &mut self.bytes, |out| {
            put_string(statement, out);
            put_string(sql.as_str().as_bytes(), out);
            out.put_u16(u16::try_from(parameter_types.len()).unwrap_or(u16::MAX));
            parameter_types.iter().for_each(|oid| out.put_u32(*oid));
        });
    }

    /// One identifier: a raw syntax error, raised before anything is looked up or done, in any state of a transaction.
    pub(crate) fn poison_query(&mut self, mark: &Mark) {
        frontend(b'Q', &mut self.bytes, |out| put_string(mark.identifier().as_bytes(), out));
    }

    /// Likewise. The unnamed statement is dropped by it and a named one is not made, as by any Parse that fails.
    pub(crate) fn poison_parse(&mut self, statement: &[u8], mark: &Mark) {
        frontend(b'P', &mut self.bytes, |out| {
            put_string(statement, out);
            put_string(mark.identifier().as_bytes(), out);
            out.put_u16(0);
        });
    }

    /// A Bind whose values cannot be read. Everything that PostgreSQL checks before it reads them is checked, so that
    /// errors of the client's own come first, as they would without us. `parameters` must not be 0.
    pub(crate) fn poison_bind(&mut self, portal: &[u8], statement: &[u8], parameters: u16) {
        frontend(b'B', &mut self.bytes, |out| {
            put_string(portal, out);
            put_string(statement, out);
            out.put_u16(1);
            out.put_u16(NO_FORMAT);
            out.put_u16(parameters);
            (0..parameters).for_each(|_| out.put_i32(-1));
            out.put_u16(0);
        });
    }

    /// Executes a portal that cannot exist: fails in any state, where an extended message of any type may stand.
    pub(crate) fn poison_execute(&mut self, mark: &Mark) {
        frontend(b'E', &mut self.bytes, |out| {
            put_string(mark.identifier().as_bytes(), out);
            out.put_u32(0);
        });
    }

    pub(crate) fn close_statement(&mut self, statement: &[u8]) {
        frontend(b'C', &mut self.bytes, |out| {
            out.put_u8(b'S');
            put_string(statement, out);
        });
    }

    pub(crate) fn flush(&mut self) {
        frontend(b'H', &mut self.bytes, |_| {});
    }

    pub(crate) fn terminate(&mut self) {
        frontend(b'X', &mut self.bytes, |_| {});
    }

    /// COPY data that a transformation writes; nothing where it writes nothing.
    pub(crate) fn copy_data(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let begin = self.bytes.len();
        frontend(b'd', &mut self.bytes, write);
        if self.bytes.len() == begin.saturating_add(HEADER_BYTES) {
            self.bytes.truncate(begin);
        }
    }

    pub(crate) fn copy_done(&mut self) {
        frontend(b'c', &mut self.bytes, |_| {});
    }

    pub(crate) fn copy_fail(&mut self, reason: &str) {
        frontend(b'f', &mut self.bytes, |out| put_string(reason.as_bytes(), out));
    }
}
