//! A certificate authority for one run, and the server certificates that it signs.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use crate::demo::DemoError;

/// An authority whose key lives in memory only.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// Where a server's certificate and key were written.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Result<Self, DemoError> {
        let failed = "cannot make a certificate authority";
        let mut params = CertificateParams::new(Vec::<String>::new()).map_err(DemoError::because(failed))?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(DemoError::because(failed))?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(DemoError::because(failed))?;
        Ok(Self { issuer })
    }

    /// The authority's own certificate, which clients are to trust.
    pub fn certificate_pem(&self) -> String {
        self.issuer.pem()
    }

    /// Signs a certificate for a server that is reached as one of `names` (host names or addresses), and writes
    /// `<stem>.crt` and `<stem>.key` into `folder`.
    pub fn issue(&self, names: &[&str], folder: &Path, stem: &str) -> Result<CertificateFiles, DemoError> {
        let failed = "cannot make a server certificate";
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let common_name = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names).map_err(DemoError::because(failed))?;
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(DemoError::because(failed))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(DemoError::because(failed))?;
        let files = CertificateFiles {
            certificate: folder.join(format!("{stem}.crt")),
            key: folder.join(format!("{stem}.key")),
        };
        fs::write(&files.certificate, certificate.pem()).map_err(DemoError::because(failed))?;
        write_secret(&files.key, &key.serialize_pem())?;
        Ok(files)
    }
}

/// Writes a file that only its owner may read, from its first moment on.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<(), DemoError> {
    let failed = format!("cannot write {}", path.display());
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(DemoError::because(&failed))
}
