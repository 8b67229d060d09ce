//! Where a log's files are: a folder, or a web server.

use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use ig_ledger::layout::Resource;
use ig_ledger::storage::{Files, Folder};
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::input::{self, Authorities};

/// How often a file is asked for.
const TRIES: u32 = 4;
/// Before the second try; each later one waits twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// Until a host has to take a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Until a file has to be there: the largest has 16 MiB.
const WHOLE: Duration = Duration::from_secs(120);
/// Content networks send readers elsewhere; not for ever.
const MAX_REDIRECTS: u32 = 3;
const MAX_CA_BYTES: usize = 16 << 20;

/// A log's files, as anybody can read them.
pub(crate) enum Source {
    Folder(Folder),
    Remote(Remote),
}

impl Source {
    /// # Errors
    /// For what is neither a folder nor a URL; nothing is asked of a host yet.
    pub(crate) fn open(place: &str, authorities: &Authorities) -> Result<Self> {
        if place.contains("://") {
            return Ok(Self::Remote(Remote::new(place, authorities)?));
        }
        ensure!(
            Path::new(place).is_dir(),
            "{place} is neither a folder nor a URL of http or https"
        );
        Ok(Self::Folder(Folder::new(place)))
    }

    /// Whether asking for many files at once is faster.
    pub(crate) fn is_remote(&self) -> bool {
        matches!(self, Self::Remote(_))
    }
}

impl Files for Source {
    fn read(&self, resource: Resource) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Folder(folder) => folder.read(resource),
            Self::Remote(remote) => remote.read(resource),
        }
    }
}

/// A log behind a URL. Nothing that it answers is believed: what is read is
/// limited here, and verified by who asked for it.
pub(crate) struct Remote {
    agent: Agent,
    url: String,
}

/// What came of asking once.
enum Answer {
    Is(Option<Vec<u8>>),
    /// Perhaps another time.
    NotNow(io::Error),
    Never(io::Error),
}

impl Remote {
    fn new(url: &str, authorities: &Authorities) -> Result<Self> {
        let is_tls = match url.split_once("://") {
            Some(("https", _)) => true,
            // Whatever is changed on the way does not verify.
            Some(("http", _)) => false,
            _ => bail!("{url} is not a URL of http or https"),
        };
        ensure!(
            !url.contains(['?', '#']),
            "{url} has a query or a fragment; give the URL below which `checkpoint` is"
        );
        let mut config = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(WHOLE))
            .http_status_as_error(false)
            .user_agent("ig-verify")
            .max_redirects(MAX_REDIRECTS);
        if is_tls {
            // There is one already when a process asks twice.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let path = &authorities.ca;
            let file = input::read(path, MAX_CA_BYTES)?;
            let certificates: Vec<_> = parse_pem(&file)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            let has_one = !certificates.is_empty();
            ensure!(has_one, "{} has no certificate: give --ca", path.display());
            let roots = RootCerts::new_with_certs(&certificates);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        let url = url.trim_end_matches('/').to_owned();
        let agent = config.build().new_agent();
        let this = Self { agent, url };
        let uri = this.uri(Resource::Checkpoint);
        let parsed = uri.parse::<ureq::http::Uri>();
        let has_host = parsed.is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()));
        ensure!(has_host, "{} is not a URL", this.url);
        Ok(this)
    }

    fn uri(&self, resource: Resource) -> String {
        format!("{}/{resource}", self.url)
    }

    fn ask(&self, resource: Resource) -> Answer {
        let mut answer = match self.agent.get(self.uri(resource)).call() {
            Ok(answer) => answer,
            Err(error) if is_passing(&error) => return Answer::NotNow(into_io(error)),
            Err(error) => return Answer::Never(into_io(error)),
        };
        let status = answer.status();
        match status.as_u16() {
            200 => {}
            404 | 410 => return Answer::Is(None),
            429 | 500..=599 => return Answer::NotNow(unexpected(status)),
            _ => return Answer::Never(unexpected(status)),
        }
        let most = resource.max_bytes() as u64;
        let body = answer.body_mut().with_config().limit(most).read_to_vec();
        match body {
            Ok(bytes) => Answer::Is(Some(bytes)),
            Err(ureq::Error::BodyExceedsLimit(_)) => Answer::Never(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("the answer is longer than {most} bytes"),
            )),
            Err(error) => Answer::NotNow(into_io(error)),
        }
    }
}

impl Files for Remote {
    fn read(&self, resource: Resource) -> io::Result<Option<Vec<u8>>> {
        let mut wait = FIRST_WAIT;
        for _ in 1..TRIES {
            match self.ask(resource) {
                Answer::Is(file) => return Ok(file),
                Answer::Never(error) => return Err(error),
                Answer::NotNow(_) => thread::sleep(wait),
            }
            wait = wait.saturating_mul(2);
        }
        match self.ask(resource) {
            Answer::Is(file) => Ok(file),
            Answer::NotNow(error) => {
                let text = format!("{error}, {TRIES} times");
                Err(io::Error::new(error.kind(), text))
            }
            Answer::Never(error) => Err(error),
        }
    }
}

/// Whether it may be otherwise in a moment: a connection that broke, not a host
/// without a name or with another certificate.
fn is_passing(error: &ureq::Error) -> bool {
    matches!(
        error,
        ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed
    )
}

fn unexpected(status: ureq::http::StatusCode) -> io::Error {
    io::Error::other(format!("the host answers with status {}", status.as_u16()))
}

fn into_io(error: ureq::Error) -> io::Error {
    match error {
        ureq::Error::Io(error) => error,
        error => io::Error::other(error.to_string()),
    }
}
