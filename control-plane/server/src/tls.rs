//! TLS of both listeners: certificates are read again when their files change,
//! and say who a proxy is.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::config::TlsFiles;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTls {
    /// A file cannot be read.
    #[error("{0}: {1}")]
    Read(PathBuf, String),
    /// They do not go together.
    #[error("{0}: {1}")]
    Use(PathBuf, String),
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, InvalidTls> {
    let wrong = |error: String| InvalidTls::Read(path.to_owned(), error);
    let all = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let all: Vec<_> = all
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    match all.is_empty() {
        true => Err(wrong("no certificate in it".into())),
        false => Ok(all),
    }
}

/// Reads what a listener needs.
pub(crate) fn read(files: &TlsFiles) -> Result<ServerConfig, InvalidTls> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let wrong = |path: &Path, error: String| InvalidTls::Use(path.to_owned(), error);
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&files.certificate, error.to_string()))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots
                    .add(authority)
                    .map_err(|error| wrong(path, error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| wrong(path, error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| InvalidTls::Read(files.key.clone(), error.to_string()))?;
    let mut config = builder
        .with_single_cert(certificates(&files.certificate)?, key)
        .map_err(|error| wrong(&files.certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// How often files are looked at.
const RELOAD: Duration = Duration::from_secs(1);
/// How long a handshake may take: a stranger must not hold a place.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Handshakes, and accepted connections that nobody took yet, at a time.
const MAX_WAITING: usize = 256;

/// A listener whose connections are TLS.
pub(crate) struct TlsListener {
    accepted: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    local: SocketAddr,
}

impl TlsListener {
    /// Begins to accept on `listener`.
    pub(crate) fn start(listener: TcpListener, files: TlsFiles) -> Result<Self, InvalidTls> {
        let current = Arc::new(RwLock::new(Arc::new(read(&files)?)));
        let local = listener
            .local_addr()
            .map_err(|error| InvalidTls::Use(files.certificate.clone(), error.to_string()))?;
        let (sender, accepted) = mpsc::channel(MAX_WAITING);
        tokio::spawn(reload(files, current.clone(), sender.clone()));
        tokio::spawn(accept(listener, current, sender));
        Ok(Self { accepted, local })
    }

    pub(crate) async fn next(&mut self) -> Option<TlsStream<TcpStream>> {
        self.accepted.recv().await.map(|(stream, _)| stream)
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            // The sender lives as long as we do.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.local)
    }
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Connected<IncomingStream<'_, TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, TlsListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

type Current = Arc<RwLock<Arc<ServerConfig>>>;
type Accepted = mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>;

async fn accept(listener: TcpListener, current: Current, sender: Accepted) {
    // A permit is held through the handshake, which bounds their number.
    while let Ok(permit) = sender.clone().reserve_owned().await {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors: the next one fails as fast.
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let config = current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            match timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await {
                Ok(Ok(stream)) => drop(permit.send((stream, address))),
                Ok(Err(error)) => tracing::info!(%address, %error, "no TLS"),
                Err(_) => tracing::info!(%address, "no TLS in time"),
            }
        });
    }
}

/// Takes over new files; broken ones are told, and the ones before go on.
async fn reload(files: TlsFiles, current: Current, sender: Accepted) {
    let stamp = || -> Vec<Option<SystemTime>> {
        let paths = [
            Some(&files.certificate),
            Some(&files.key),
            files.client_ca.as_ref(),
        ];
        let changed = |path: &PathBuf| std::fs::metadata(path).and_then(|is| is.modified()).ok();
        paths
            .into_iter()
            .map(|path| path.and_then(changed))
            .collect()
    };
    let mut seen = stamp();
    while !sender.is_closed() {
        tokio::time::sleep(RELOAD).await;
        let now = stamp();
        if now == seen {
            continue;
        }
        match read(&files) {
            Ok(config) => {
                *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!(certificate = %files.certificate.display(), "certificates reloaded");
                seen = now;
            }
            // Key and certificate may be written one after the other.
            Err(error) => tracing::warn!(%error, "certificates not reloaded"),
        }
    }
}

/// Who sent a gRPC request, where TLS says so.
pub(crate) fn peer<T>(request: &tonic::Request<T>) -> Option<String> {
    identity(request.peer_certs()?.first()?)
}

/// Who a certificate is for: its URI (SPIFFE), else its first DNS name, else
/// its common name.
pub(crate) fn identity(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names
        .map(|names| &names.value.general_names[..])
        .unwrap_or_default();
    let uri = names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    });
    let dns = || {
        names.iter().find_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
    };
    let common = || {
        let name = certificate.subject().iter_common_name().next()?;
        name.as_str().ok().map(ToOwned::to_owned)
    };
    uri.or_else(dns).or_else(common)
}
