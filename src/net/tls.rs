//! TLS for SIP (RFC 3261 §26.2, RFC 5922): our certificates, whom we trust, and what went wrong, in words.
//!
//! rustls with aws-lc, TLS 1.2 and 1.3, no ALPN. Certificates are read again when their files change. Called by
//! [`super::stream`] for handshakes and by `gateway::engine` at the start.

use crate::{
    config,
    error::{Error, Result},
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::{
        ResolvesClientCert, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// How often the files of a certificate are looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(2);

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Our side of TLS where others connect.
///
/// # Errors
/// No certificate is named, or a file cannot be read, or key and certificate do not fit.
pub fn acceptor(settings: &config::Tls) -> Result<TlsAcceptor> {
    let (Some(certificate), Some(key)) = (&settings.certificate, &settings.key) else {
        return Err(Error::usage("a tls: or wss: address needs a certificate")
            .hint("set sip.tls.certificate and sip.tls.key to PEM files"));
    };
    let identity = Arc::new(Identity::load(certificate, key)?);
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|problem| Error::machine(format!("could not set up TLS: {problem}")))?;
    let builder = if settings.verify_client {
        let Some(ca) = &settings.ca else {
            return Err(Error::usage("sip.tls.verify_client needs to know whom to trust")
                .hint("set sip.tls.ca to the PEM file of the CA that signs the clients' certificates"));
        };
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots_of(ca)?), provider())
            .build()
            .map_err(|problem| Error::usage(format!("sip.tls.ca {}: {problem}", ca.display())))?;
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    Ok(TlsAcceptor::from(Arc::new(builder.with_cert_resolver(identity))))
}

/// Our side of TLS where we connect. The system's list of CAs is read when it is first needed.
#[derive(Debug)]
pub struct Client {
    settings: config::Tls,
    made: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Client {
    /// Reads the files that are named.
    ///
    /// # Errors
    /// A file cannot be read, or key and certificate do not fit.
    pub fn new(settings: config::Tls) -> Result<Self> {
        let made = OnceLock::new();
        if settings.ca.is_some() || settings.client_certificate.is_some() {
            let _ = made.set(Ok(client_config(&settings)?));
        }
        Ok(Self { settings, made })
    }

    fn config(&self) -> Result<Arc<ClientConfig>, String> {
        self.made.get_or_init(|| client_config(&self.settings).map_err(|problem| problem.to_string())).clone()
    }
}

/// The client's side of the handshake with `name`, which is what the certificate must say.
pub(super) async fn connect(
    client: &Arc<Client>,
    stream: TcpStream,
    name: &str,
) -> Result<TlsStream<TcpStream>, String> {
    let client = Arc::clone(client);
    // Reading the system's CAs takes tens of milliseconds, once.
    let config =
        tokio::task::spawn_blocking(move || client.config()).await.map_err(|problem| problem.to_string())??;
    let server = ServerName::try_from(name.to_owned()).map_err(|_| format!("{name} is no name for a certificate"))?;
    match TlsConnector::from(config).connect(server, stream).await {
        Ok(stream) => Ok(stream.into()),
        Err(problem) => Err(explain(&problem)),
    }
}

fn client_config(settings: &config::Tls) -> Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|problem| Error::machine(format!("could not set up TLS: {problem}")))?;
    let builder = if settings.verify_server {
        let roots = match &settings.ca {
            Some(ca) => roots_of(ca)?,
            None => system_roots()?,
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|problem| Error::usage(format!("could not use the CA certificates: {problem}")))?;
        builder.with_webpki_verifier(verifier)
    } else {
        tracing::warn!(target: "sip", event = "sip.tls_unverified", "sip.tls.verify_server is false: anybody can pose as the server");
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider())))
    };
    Ok(Arc::new(match (&settings.client_certificate, &settings.client_key) {
        (Some(certificate), Some(key)) => {
            builder.with_client_cert_resolver(Arc::new(Identity::load(certificate, key)?))
        }
        _ => builder.with_no_client_auth(),
    }))
}

// Whom we trust

fn roots_of(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|problem| {
            Error::usage(format!("sip.tls.ca {}: {problem}", path.display()))
                .hint("it must hold CA certificates as PEM")
        })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Error::machine("this system has no list of CA certificates; set sip.tls.ca to a PEM file"));
    }
    Ok(roots)
}

/// `sip.tls.verify_server = false`.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

// Who we are

/// A certificate and its key, as their files have them now.
#[derive(Debug)]
struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    current: Arc<CertifiedKey>,
    stamp: Stamp,
    looked_at: Instant,
}

/// What tells that a file is another: when it was written, and its length.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Identity {
    fn load(certificate: &Path, key: &Path) -> Result<Self> {
        // Before the content: what changes in between is read again.
        let stamp = stamp_of(certificate, key);
        let current = Arc::new(certified(certificate, key)?);
        let state = Mutex::new(State { current, stamp, looked_at: Instant::now() });
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), state })
    }

    /// What new connections get. A file that cannot be used leaves the old certificate in place; so does one of the two
    /// that was changed first.
    fn current(&self) -> Arc<CertifiedKey> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked_at.elapsed() >= LOOK_EVERY {
            state.looked_at = Instant::now();
            let stamp = stamp_of(&self.certificate, &self.key);
            if stamp != state.stamp {
                state.stamp = stamp;
                self.renew(&mut state);
            }
        }
        Arc::clone(&state.current)
    }

    fn renew(&self, state: &mut State) {
        match certified(&self.certificate, &self.key) {
            Ok(new) => {
                state.current = Arc::new(new);
                tracing::info!(target: "sip", event = "sip.certificate_changed", "{} was read anew", self.certificate.display());
            }
            Err(problem) => {
                tracing::error!(target: "sip", event = "sip.certificate_broken", "the old certificate stays: {problem}");
            }
        }
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn stamp_of(certificate: &Path, key: &Path) -> Stamp {
    [certificate, key].map(|path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = std::fs::read(path).map_err(|source| Error::file("read", path, &source))?;
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|problem| Error::usage(format!("{}: {problem}", path.display())).hint("it must be PEM"))?;
    if found.is_empty() {
        return Err(Error::usage(format!("{} holds no certificate", path.display()))
            .hint("it must be PEM with -----BEGIN CERTIFICATE-----, the own certificate first, then its chain"));
    }
    Ok(found)
}

fn certified(certificate: &Path, key: &Path) -> Result<CertifiedKey> {
    let chain = certificates(certificate)?;
    let bytes = std::fs::read(key).map_err(|source| Error::file("read", key, &source))?;
    let private = PrivateKeyDer::from_pem_slice(&bytes).map_err(|problem| {
        Error::usage(format!("{} holds no key that can be used: {problem}", key.display()))
            .hint("it must be PEM with -----BEGIN PRIVATE KEY-----, without a passphrase")
    })?;
    CertifiedKey::from_der(chain, private, &provider()).map_err(|problem| match problem {
        rustls::Error::InconsistentKeys(_) => Error::usage(format!(
            "the key in {} does not belong to the first certificate in {}",
            key.display(),
            certificate.display()
        ))
        .hint("the own certificate comes first, and the key must be the one that it was made with"),
        problem => Error::usage(format!("{} and {}: {problem}", certificate.display(), key.display()))
            .hint("keys are RSA, ECDSA or Ed25519"),
    })
}

/// An error of a connection in words, with the cure where there is one.
pub(super) fn explain(problem: &std::io::Error) -> String {
    let Some(tls) = problem.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return problem.to_string();
    };
    let cure = match tls {
        // A bad signature is a CA that was made anew under its old name.
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            return "its certificate is signed by nobody whom we trust; name its CA's file in sip.tls.ca".to_owned();
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "; call it by a name that its certificate has",
        rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired) => {
            "; set sip.tls.client_certificate and sip.tls.client_key"
        }
        rustls::Error::InvalidMessage(_) => "; is this TLS at all?",
        _ => "",
    };
    format!("{tls}{cure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a certificate of its own and its key.
    fn write_identity(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let (certificate, key) = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (certificate, key)
    }

    fn settings(certificate: &Path, key: &Path) -> config::Tls {
        config::Tls { certificate: Some(certificate.to_owned()), key: Some(key.to_owned()), ..config::Tls::default() }
    }

    fn mistake(settings: &config::Tls) -> String {
        let error = acceptor(settings).err().unwrap();
        format!("{error} | {}", error.hint_text().unwrap_or_default())
    }

    #[test]
    fn mistakes_in_files_are_told_with_a_cure() {
        let folder = tempfile::tempdir().unwrap();
        let (one, one_key) = write_identity(folder.path(), "one.test");
        let (_, other_key) = write_identity(folder.path(), "other.test");
        assert!(acceptor(&settings(&one, &one_key)).is_ok());
        assert!(mistake(&config::Tls::default()).contains("set sip.tls.certificate and sip.tls.key"));
        let missing = folder.path().join("missing.pem");
        assert!(mistake(&settings(&missing, &one_key)).contains("could not read"));
        assert!(mistake(&settings(&one_key, &one_key)).contains("holds no certificate"));
        assert!(mistake(&settings(&one, &one)).contains("holds no key"));
        assert!(mistake(&settings(&one, &other_key)).contains("does not belong to the first certificate"));
        let trusting = config::Tls { verify_client: true, ..settings(&one, &one_key) };
        assert!(mistake(&trusting).contains("set sip.tls.ca"));
        let wrong_ca = config::Tls { ca: Some(one_key.clone()), ..config::Tls::default() };
        assert!(Client::new(wrong_ca).is_err());
    }

    #[test]
    fn a_changed_certificate_is_taken_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = write_identity(folder.path(), "one.test");
        let (new, new_key) = write_identity(folder.path(), "a-longer-name.test");
        let identity = Identity::load(&certificate, &key).unwrap();
        let look = || {
            identity.state.lock().unwrap().looked_at = Instant::now().checked_sub(LOOK_EVERY).unwrap();
            identity.current()
        };
        let first = look();
        assert!(Arc::ptr_eq(&first, &look()), "nothing has changed");
        std::fs::copy(&new, &certificate).unwrap();
        assert!(Arc::ptr_eq(&first, &look()), "the key is still the old one");
        std::fs::copy(&new_key, &key).unwrap();
        let second = look();
        assert_ne!(first.cert, second.cert, "both are new");
        std::fs::write(&certificate, "nothing").unwrap();
        assert!(Arc::ptr_eq(&second, &look()), "a broken file changes nothing");
    }
}
