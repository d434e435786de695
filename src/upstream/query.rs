//! Our own few queries to an upstream: the simple protocol, results as text.

use std::fmt;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::DataRowBody;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use crate::upstream::ConnectError;
use crate::upstream::Connected;
use crate::upstream::Target;
use crate::upstream::login::describe_error;
use crate::upstream::messages::Messages;

/// One row of a result. The description of a relation with 1,600 columns has about 300 KB.
const MESSAGE_BYTES_MAX: usize = 67_108_864;

/// A query of ours failed.
#[derive(Debug)]
pub enum QueryError {
    Connect(ConnectError),
    Broken(std::io::Error),
    /// SQLSTATE and message.
    Server(String, String),
    /// The result is not what we asked for.
    Unreadable(String),
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Broken(error) => write!(f, "the upstream's connection broke: {error}"),
            Self::Server(sqlstate, message) => {
                write!(f, "the upstream refused a query of ours: {message} (SQLSTATE {sqlstate})")
            }
            Self::Unreadable(why) => write!(f, "the upstream's catalogue could not be read: {why}"),
        }
    }
}

impl std::error::Error for QueryError {}

impl From<ConnectError> for QueryError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<std::io::Error> for QueryError {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error)
    }
}

pub(crate) struct Queries {
    messages: Messages,
}

impl Queries {
    pub(crate) async fn connect(target: &Target) -> Result<Self, QueryError> {
        let parameters = [("application_name".to_owned(), "partywall catalog".to_owned())];
        let Connected { stream, unread, .. } = crate::upstream::connect(target, &parameters).await?;
        Ok(Self { messages: Messages::new(stream, unread, MESSAGE_BYTES_MAX) })
    }

    /// The first column of every row; NULL is empty.
    pub(crate) async fn column(&mut self, sql: &str) -> Result<Vec<String>, QueryError> {
        let mut packet = BytesMut::new();
        frontend::query(sql, &mut packet)?;
        self.messages.send(&packet).await?;
        let mut rows = Vec::new();
        let mut failure = None;
        loop {
            match self.messages.receive().await? {
                Message::DataRow(row) => rows.push(first_value(&row)?),
                Message::ErrorResponse(error) => failure = Some(describe_error(&error)),
                Message::ReadyForQuery(_) => break,
                _ => {}
            }
        }
        match failure {
            None => Ok(rows),
            Some((sqlstate, message)) => Err(QueryError::Server(sqlstate, message)),
        }
    }

    /// Says good-bye, so that the server's log has no complaint.
    pub(crate) async fn close(mut self) {
        let mut packet = BytesMut::new();
        frontend::terminate(&mut packet);
        if let Err(error) = self.messages.send(&packet).await {
            tracing::debug!(%error, "the upstream was gone before the good-bye");
        }
    }
}

fn first_value(row: &DataRowBody) -> Result<String, QueryError> {
    let range = row.ranges().next()?.flatten();
    let bytes = range.and_then(|range| row.buffer().get(range)).unwrap_or_default();
    String::from_utf8(bytes.to_vec()).map_err(|_| QueryError::Unreadable("a value is not UTF-8".to_owned()))
}
