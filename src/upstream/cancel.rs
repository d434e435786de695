//! Asks a server to stop what one of its connections is doing.

use std::io;

use bytes::BytesMut;
use postgres_protocol::message::frontend;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;

use crate::upstream::CancelKey;
use crate::upstream::ConnectError;
use crate::upstream::ConnectErrorKind;
use crate::upstream::Target;
use crate::upstream::dial;

/// Returns when the server has closed the connection: by then it has sent the signal, and a later request on the
/// cancelled connection cannot be hit any more.
///
/// Under TLS like everything else: the key would let anybody on the way cancel this connection's requests.
pub async fn cancel(target: &Target, key: &CancelKey) -> Result<(), ConnectError> {
    let attempt = async {
        let mut stream = dial::dial_address(target, key.address).await?.stream;
        let mut request = BytesMut::new();
        frontend::cancel_request(key.process_id, key.secret, &mut request);
        stream.write_all(&request).await?;
        stream.flush().await?;
        match stream.read_u8().await {
            Ok(_) => Err(ConnectError::new(ConnectErrorKind::Protocol, "the server answered a cancel request")),
            // TLS without a closing alert, or a reset: PostgreSQL takes no leave here.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            Err(error) => Err(error.into()),
        }
    };
    let result = match tokio::time::timeout(target.connect_timeout, attempt).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::new(ConnectErrorKind::Timeout, "no answer to a cancel request")),
    };
    result.map_err(|error| error.at(target))
}
