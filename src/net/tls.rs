//! TLS on both sides: the certificate that we show to clients, and how an upstream's is checked.

use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::CertificateError;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::TlsConnector;

use crate::net::stream::Socket;
use crate::net::stream::Stream;

/// The name of the protocol inside TLS, registered for PostgreSQL (ALPN).
const ALPN: &[u8] = b"postgresql";

/// The first byte of a TLS record that holds a ClientHello: a client that begins with TLS instead of asking for it.
pub const HANDSHAKE_RECORD: u8 = 0x16;

/// The public authorities, as Debian, Alpine and their like install them.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What we show to clients. Immutable: a reload makes another.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    end_point: Option<Vec<u8>>,
}

impl ServerTls {
    /// From a certificate chain, leaf first, and its key, both in PEM.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsFileError> {
        let chain = read_certificates(certificate)?;
        let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsFileError::new(key, explain_pem(&error)))?;
        let end_point = chain.first().and_then(end_point);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| TlsFileError::new(certificate, error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key_der)
            .map_err(|error| TlsFileError::new(certificate, explain_pair(&error)))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { config: Arc::new(config), end_point })
    }

    /// The `tls-server-end-point` hash of our certificate; `None` where its signature defines none.
    pub fn end_point(&self) -> Option<&[u8]> {
        self.end_point.as_deref()
    }

    pub async fn accept(&self, socket: Socket, negotiation: Negotiation) -> io::Result<Stream> {
        let stream = TlsAcceptor::from(Arc::clone(&self.config)).accept(socket).await?;
        if negotiation == Negotiation::Direct && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            // PostgreSQL demands it too: without it, a page in a browser could be made to talk to us (ALPACA).
            return Err(io::Error::other("direct TLS without the application protocol \"postgresql\""));
        }
        Ok(Stream::ServerTls(Box::new(stream)))
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

/// How TLS began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Negotiation {
    /// After an SSLRequest.
    Requested,
    /// With the first byte.
    Direct,
}

/// How an upstream's certificate is checked: chain and name, always.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// Trusts the authorities of a PEM file; of the system where there is none.
    pub fn load(authorities: Option<&Path>) -> Result<Self, TlsFileError> {
        let path = authorities.unwrap_or(Path::new(SYSTEM_AUTHORITIES));
        let mut roots = RootCertStore::empty();
        let certificates = read_certificates(path)?;
        let (added, ignored) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(TlsFileError::new(path, "holds no certificate that can be an authority".to_owned()));
        }
        if ignored > 0 {
            tracing::debug!(path = %path.display(), ignored, "certificates left out of the authorities");
        }
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(|error| TlsFileError::new(path, error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { config: Arc::new(config) })
    }

    /// Also the hash of the certificate that was shown, for channel binding.
    pub async fn connect(&self, host: &str, socket: Socket) -> Result<(Stream, Option<Vec<u8>>), TlsFault> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsFault::Name)?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(name, socket).await.map_err(TlsFault::from)?;
        let hash = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).and_then(end_point);
        Ok((Stream::ClientTls(Box::new(stream)), hash))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

/// Why TLS with an upstream failed.
#[derive(Debug)]
pub enum TlsFault {
    /// The certificate is for another name.
    Name,
    /// No authority that we trust has signed it.
    Authority,
    /// Something else in the certificate: expired, revoked, malformed.
    Certificate(CertificateError),
    Io(io::Error),
}

impl From<io::Error> for TlsFault {
    fn from(error: io::Error) -> Self {
        let certificate =
            error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).and_then(|inner| match inner {
                rustls::Error::InvalidCertificate(certificate) => Some(certificate.clone()),
                _ => None,
            });
        match certificate {
            Some(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => Self::Name,
            Some(CertificateError::UnknownIssuer) => Self::Authority,
            Some(other) => Self::Certificate(other),
            None => Self::Io(error),
        }
    }
}

/// A certificate or key file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFileError {
    path: PathBuf,
    why: String,
}

impl TlsFileError {
    fn new(path: &Path, why: String) -> Self {
        Self { path: path.to_owned(), why }
    }
}

impl fmt::Display for TlsFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for TlsFileError {}

/// Named, never the process's default: two providers in one binary would otherwise make rustls panic.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| TlsFileError::new(path, explain_pem(&error)))?;
    if certificates.is_empty() {
        return Err(TlsFileError::new(path, "holds no certificate in PEM form".to_owned()));
    }
    Ok(certificates)
}

fn explain_pem(error: &rustls::pki_types::pem::Error) -> String {
    use rustls::pki_types::pem::Error;
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "holds no private key in PEM form".to_owned(),
        other => format!("is not valid PEM: {other}"),
    }
}

fn explain_pair(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InconsistentKeys(_) => "the certificate and the private key do not belong together".to_owned(),
        other => format!("cannot be used: {other}"),
    }
}

/// The hash that binds a SCRAM exchange to a certificate (RFC 5929, section 4.1): by the hash of the certificate's own
/// signature, SHA-256 in place of MD5 and SHA-1; none where the signature names no single hash.
fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    use x509_parser::oid_registry as oid;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let signature = &parsed.signature_algorithm.algorithm;
    let sha256 = [
        oid::OID_PKCS1_MD5WITHRSAENC,
        oid::OID_PKCS1_SHA1WITHRSA,
        oid::OID_PKCS1_SHA256WITHRSA,
        oid::OID_SIG_ECDSA_WITH_SHA256,
    ];
    let algorithm = if sha256.contains(signature) {
        &digest::SHA256
    } else if [oid::OID_PKCS1_SHA384WITHRSA, oid::OID_SIG_ECDSA_WITH_SHA384].contains(signature) {
        &digest::SHA384
    } else if [oid::OID_PKCS1_SHA512WITHRSA, oid::OID_SIG_ECDSA_WITH_SHA512].contains(signature) {
        &digest::SHA512
    } else if [oid::OID_PKCS1_SHA224WITHRSA, oid::OID_SIG_ECDSA_WITH_SHA224].contains(signature) {
        &digest::SHA224
    } else {
        return None;
    };
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> (rcgen::Certificate, rcgen::KeyPair) {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (parameters.self_signed(&key).unwrap(), key)
    }

    #[test]
    fn the_end_point_hash_follows_the_signature() {
        let length = |algorithm| end_point(certificate(algorithm).0.der()).map(|hash| hash.len());
        assert_eq!(length(&rcgen::PKCS_ECDSA_P256_SHA256), Some(32));
        assert_eq!(length(&rcgen::PKCS_ECDSA_P384_SHA384), Some(48));
        assert_eq!(length(&rcgen::PKCS_ED25519), None);
    }

    #[test]
    fn bad_files_are_named_and_explained() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let (first, first_key) = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        let (_, second_key) = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        let leaf = write("leaf.pem", &first.pem());
        let key = write("leaf.key", &first_key.serialize_pem());
        let other = write("other.key", &second_key.serialize_pem());
        let empty = write("empty.pem", "nothing here\n");
        assert!(ServerTls::load(&leaf, &key).unwrap().end_point().is_some());
        let why = |certificate: &Path, key: &Path| ServerTls::load(certificate, key).unwrap_err().to_string();
        assert!(why(&leaf, &other).ends_with("leaf.pem: the certificate and the private key do not belong together"));
        assert!(why(&empty, &key).ends_with("empty.pem: holds no certificate in PEM form"));
        assert!(why(&leaf, &empty).ends_with("empty.pem: holds no private key in PEM form"));
        assert!(
            ClientTls::load(Some(&folder.path().join("missing.pem"))).unwrap_err().to_string().contains("No such file")
        );
    }
}
