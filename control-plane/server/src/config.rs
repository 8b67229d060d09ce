//! Configuration: a file, then the environment, then flags; raw, then valid.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::alerts::IssuesConfig;
use crate::auth::{OidcConfig, system_authorities};
use crate::cost::CostConfig;
use crate::exports::{ExportsConfig, KeyPassword};
use crate::ledger::LedgerConfig;
use crate::rate_limit::{RateLimitConfig, RedisUrl};
use crate::telemetry::TelemetryConfig;

/// Version of the file's format.
const VERSION: u32 = 1;
/// How long a database is waited for, by default.
const DATABASE_PATIENCE: Duration = Duration::from_secs(60);

/// Calls without a valid token, by address and minute, by default.
const FAILED_LOGINS: u32 = 120;

/// What the environment and flags may say beside the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Address of the HTTP API.
    pub listen: Option<SocketAddr>,
    /// Address of gRPC: xDS and access logs.
    pub grpc_listen: Option<SocketAddr>,
    /// URL of the database.
    pub database: Option<String>,
    /// The guard's module, as proxies find it.
    pub module: Option<PathBuf>,
    /// URL of the Redis that the fleet's limits are kept in.
    pub redis: Option<String>,
    /// Password of the key that exports are signed with.
    pub exports_password: Option<KeyPassword>,
}

/// The file.
#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Raw {
    version: Option<u32>,
    listen: Option<SocketAddr>,
    grpc_listen: Option<SocketAddr>,
    database: Option<String>,
    database_patience_seconds: Option<u64>,
    module: Option<PathBuf>,
    allow_plain_text: bool,
    public_url: Option<String>,
    login_ca: Option<PathBuf>,
    failed_logins_per_minute: Option<u32>,
    tls: Option<TlsFiles>,
    grpc_tls: Option<TlsFiles>,
    oidc: Option<OidcConfig>,
    decisions: Decisions,
    webauthn: WebauthnConfig,
    rate_limit: RateLimitConfig,
    ledger: LedgerConfig,
    exports: ExportsConfig,
    telemetry: TelemetryConfig,
    cost: CostConfig,
    issues: Option<IssuesConfig>,
}

/// The site that passkeys are of. Changing its id makes all of them useless.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct WebauthnConfig {
    /// A domain that all origins are in.
    pub rp_id: String,
    /// As users see it.
    pub rp_name: String,
    /// Where the pages are that ask for proofs: scheme, host and port.
    pub origins: Vec<String>,
}

impl Default for WebauthnConfig {
    fn default() -> Self {
        Self {
            rp_id: "localhost".into(),
            rp_name: "IntelGraph Guard".into(),
            origins: vec!["http://localhost:8080".into()],
        }
    }
}

/// URL of a database, `sqlite:` or `postgres:`. It may hold a password, so it
/// shows itself to whoever asks for it only.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = self.0.split(':').next().unwrap_or_default();
        write!(f, "{scheme}:…")
    }
}

/// Certificates of a listener, in PEM. They are read again when they change.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TlsFiles {
    /// The chain, the listener's own first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of client certificates. With them, nobody without one gets
    /// in.
    pub client_ca: Option<PathBuf>,
}

/// How many decisions are kept.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Decisions {
    /// Days.
    pub keep_days: u32,
    /// Rows, whatever their age.
    pub keep_rows: u32,
}

impl Default for Decisions {
    fn default() -> Self {
        Self {
            keep_days: 30,
            keep_rows: 5_000_000,
        }
    }
}

/// A valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of the HTTP API.
    pub listen: SocketAddr,
    /// Address of gRPC: xDS and access logs.
    pub grpc_listen: SocketAddr,
    /// Where the database is.
    pub database: DatabaseUrl,
    /// How long a database that cannot be reached at the start is waited for.
    pub database_patience: Duration,
    /// The guard's module, as proxies find it.
    pub module: PathBuf,
    /// TLS of the HTTP API.
    pub tls: Option<TlsFiles>,
    /// TLS of gRPC.
    pub grpc_tls: Option<TlsFiles>,
    /// Issuer whose tokens the API takes beside its own.
    pub oidc: Option<OidcConfig>,
    /// How many decisions are kept.
    pub decisions: Decisions,
    /// How clients reach the API; as they say in `Host` by default.
    pub public_url: Option<String>,
    /// Authorities to trust when tenants' issuers are asked for their keys.
    pub login_ca: PathBuf,
    /// Calls without a valid token that are looked at, by address and minute.
    pub failed_logins_per_minute: u32,
    /// The site that passkeys are of.
    pub webauthn: WebauthnConfig,
    /// Where the fleet's buckets are.
    pub rate_limit: RateLimitConfig,
    /// The log of what happened, and who vouches for it.
    pub ledger: LedgerConfig,
    /// What exports are signed with.
    pub exports: ExportsConfig,
    /// Where spans go.
    pub telemetry: TelemetryConfig,
    /// What is kept and taken of costs.
    pub cost: CostConfig,
    /// Where issues are opened for alerts.
    pub issues: Option<IssuesConfig>,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not valid:\n{}", .0.join("\n"))]
pub struct InvalidConfig(pub Vec<String>);

impl Config {
    /// A configuration for one machine: everything but these by default.
    pub fn local(database: impl Into<String>, module: impl Into<PathBuf>) -> Self {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            listen: local,
            grpc_listen: local,
            database: DatabaseUrl(database.into()),
            database_patience: DATABASE_PATIENCE,
            module: module.into(),
            tls: None,
            grpc_tls: None,
            oidc: None,
            decisions: Decisions::default(),
            public_url: None,
            login_ca: system_authorities(),
            failed_logins_per_minute: FAILED_LOGINS,
            webauthn: WebauthnConfig::default(),
            rate_limit: RateLimitConfig::default(),
            ledger: LedgerConfig::default(),
            exports: ExportsConfig::default(),
            telemetry: TelemetryConfig::default(),
            cost: CostConfig::default(),
            issues: None,
        }
    }

    /// Reads the file, if there is one, and puts `overrides` over it.
    ///
    /// # Errors
    /// [`InvalidConfig`] with every problem.
    pub fn load(file: Option<&Path>, overrides: Overrides) -> Result<Self, InvalidConfig> {
        let text = match file {
            None => String::new(),
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| InvalidConfig(vec![format!("{}: {error}", file.display())]))?,
        };
        Self::parse(&text, file.is_some(), overrides)
    }

    fn parse(text: &str, has_file: bool, over: Overrides) -> Result<Self, InvalidConfig> {
        let mut problems = Vec::new();
        let unknown = |path: serde_ignored::Path<'_>| {
            // Its sign for "if it is there at all".
            let path = path.to_string().replace(".?", "");
            problems.push(format!("{path}: unknown key"));
        };
        let raw: Result<Raw, _> = toml::Deserializer::parse(text)
            .and_then(|deserializer| serde_ignored::deserialize(deserializer, unknown));
        let raw = raw.unwrap_or_else(|error| {
            problems.push(error.to_string().trim_end().to_owned());
            Raw::default()
        });
        if has_file && problems.is_empty() && raw.version != Some(VERSION) {
            problems.push(format!("version: must be {VERSION}"));
        }
        let allow_plain_text = raw.allow_plain_text;
        let config = Self::assemble(raw, over);
        config.check(allow_plain_text, &mut problems);
        match problems.is_empty() {
            true => Ok(config),
            false => Err(InvalidConfig(problems)),
        }
    }

    fn assemble(raw: Raw, over: Overrides) -> Self {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let database = over.database.or(raw.database);
        let module = over.module.or(raw.module);
        let grpc_listen = over.grpc_listen.or(raw.grpc_listen);
        Self {
            listen: over.listen.or(raw.listen).unwrap_or_else(|| local(8080)),
            grpc_listen: grpc_listen.unwrap_or_else(|| local(18_000)),
            database: DatabaseUrl(database.unwrap_or_else(|| "sqlite:ig-control-plane.db".into())),
            database_patience: raw
                .database_patience_seconds
                .map_or(DATABASE_PATIENCE, Duration::from_secs),
            module: module.unwrap_or_else(|| "/etc/envoy/ig_guard.wasm".into()),
            tls: raw.tls,
            grpc_tls: raw.grpc_tls,
            oidc: raw.oidc,
            decisions: raw.decisions,
            public_url: raw.public_url,
            login_ca: raw.login_ca.unwrap_or_else(system_authorities),
            failed_logins_per_minute: raw.failed_logins_per_minute.unwrap_or(FAILED_LOGINS),
            webauthn: raw.webauthn,
            rate_limit: RateLimitConfig {
                redis: over.redis.map(RedisUrl::from).or(raw.rate_limit.redis),
                ..raw.rate_limit
            },
            ledger: raw.ledger,
            exports: ExportsConfig {
                password: over.exports_password.or(raw.exports.password),
                ..raw.exports
            },
            telemetry: raw.telemetry,
            cost: raw.cost,
            issues: raw.issues,
        }
    }

    fn check(&self, allow_plain_text: bool, problems: &mut Vec<String>) {
        if !["sqlite:", "postgres:", "postgresql:"]
            .iter()
            .any(|scheme| self.database.as_str().starts_with(scheme))
        {
            // The URL itself may hold a password.
            problems.push("database: must begin with `sqlite:` or `postgres:`".into());
        }
        if let Some(url) = &self.public_url
            && !url.starts_with("https://")
            && !url.starts_with("http://")
        {
            problems.push("public-url: must begin with `https://` or `http://`".into());
        }
        problems.extend(self.webauthn.problems());
        problems.extend(self.rate_limit.problems());
        problems.extend(self.ledger.problems());
        problems.extend(self.exports.problems());
        problems.extend(self.telemetry.problems(allow_plain_text));
        problems.extend(self.cost.problems());
        problems.extend(self.issues.iter().flat_map(IssuesConfig::problems));
        problems.extend(self.oidc.iter().flat_map(OidcConfig::problems));
        let listeners = [
            ("listen", self.listen, &self.tls),
            ("grpc-listen", self.grpc_listen, &self.grpc_tls),
        ];
        for (name, address, tls) in listeners {
            if tls.is_none() && !address.ip().is_loopback() && !allow_plain_text {
                problems.push(format!(
                    "{name}: {address} can be reached from elsewhere, so it needs TLS \
                     (`[tls]`, `[grpc-tls]`); where a sidecar does that, `allow-plain-text = true`"
                ));
            }
        }
        if self
            .grpc_tls
            .as_ref()
            .is_some_and(|tls| tls.client_ca.is_none())
        {
            problems.push("grpc-tls.client-ca: proxies are known by their certificates".into());
        }
        for tls in [&self.tls, &self.grpc_tls].into_iter().flatten() {
            if let Err(error) = crate::tls::read(tls) {
                problems.push(error.to_string());
            }
        }
    }
}

impl WebauthnConfig {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for origin in &self.origins {
            let is_local = origin.starts_with("http://localhost:") || origin == "http://localhost";
            if !origin.starts_with("https://") && !is_local {
                problems.push(format!(
                    "webauthn.origins: {origin}: browsers have passkeys over `https://` only, \
                     and at `http://localhost`"
                ));
            }
        }
        if problems.is_empty()
            && let Err(error) = crate::webauthn::verifier(self)
        {
            problems.push(format!(
                "webauthn.rp-id: {} is not the domain of every origin ({error})",
                self.rp_id
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        Config::parse(text, true, Overrides::default())
            .unwrap_err()
            .0
    }

    #[test]
    fn the_file_then_what_is_over_it() {
        let text = "version = 1\nlisten = \"127.0.0.1:1\"\ndatabase = \"sqlite:a.db\"\n";
        let over = Overrides {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 2))),
            ..Overrides::default()
        };
        let config = Config::parse(text, true, over).unwrap();
        assert_eq!(config.listen.port(), 2);
        assert_eq!(config.grpc_listen.port(), 18_000);
        assert_eq!(config.database.as_str(), "sqlite:a.db");
        assert!(!format!("{config:?}").contains("a.db"));
        Config::parse("", false, Overrides::default()).unwrap();
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(
            problems("version = 1\nlisen = \"x\"\n"),
            ["lisen: unknown key"]
        );
        assert_eq!(problems(""), ["version: must be 1"]);
        assert_eq!(
            problems("version = 1\ndatabase = \"mysql://u:secret@h/d\"\n").len(),
            1
        );
        assert!(
            !problems("version = 1\ndatabase = \"mysql://u:secret@h/d\"\n")[0].contains("secret")
        );
        assert_eq!(problems("version = 1\nlisten = 5\n").len(), 1);
        assert_eq!(problems("version =").len(), 1);
        let isuer = problems("version = 1\n[oidc]\nisuer = \"x\"\n");
        assert!(
            isuer.iter().any(|one| one.contains("oidc.isuer")),
            "{isuer:?}"
        );
        assert!(
            isuer.iter().any(|one| one.contains("missing field")),
            "{isuer:?}"
        );
    }

    #[test]
    fn redis_is_a_url_that_is_not_shown() {
        let redis = |url: &str| format!("version = 1\n[rate-limit]\nredis = \"{url}\"\n");
        let config = Config::parse(
            &redis("redis://:secret@h/1"),
            true,
            Overrides {
                redis: Some("rediss://:other@h".into()),
                ..Overrides::default()
            },
        );
        let config = config.unwrap();
        let url = config.rate_limit.redis.as_ref().unwrap();
        assert_eq!(url.as_str(), "rediss://:other@h");
        let shown = format!("{config:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("other"),
            "{shown}"
        );
        let wrong = problems(&redis("http://:secret@h"));
        assert!(wrong[0].starts_with("rate-limit.redis: "), "{wrong:?}");
        assert!(!wrong[0].contains("secret"));
        let never = problems("version = 1\n[rate-limit]\nredis-timeout-ms = 0\n");
        assert!(never[0].starts_with("rate-limit.redis-timeout-ms: "));
    }

    /// The example of the documentation is valid, files of its machine aside.
    #[test]
    fn the_documented_configuration_is_valid() {
        let page = include_str!("../../../docs/control-plane.md");
        let (_, example) = page.split_once("```toml\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        for problem in problems(example) {
            let is_of_a_file = problem.contains("cannot read /etc/ig/");
            assert!(is_of_a_file || problem.starts_with("/etc/ig/"), "{problem}");
        }
        let keys = example.lines().filter(|line| line.contains('='));
        assert!(keys.count() > 15);
    }

    #[test]
    fn plain_text_stays_on_the_machine() {
        let outside = "version = 1\nlisten = \"0.0.0.0:1\"\ngrpc-listen = \"[::]:2\"\n";
        assert_eq!(problems(outside).len(), 2);
        let sidecar = format!("{outside}allow-plain-text = true\n");
        Config::parse(&sidecar, true, Overrides::default()).unwrap();
        let keys = "version = 1\n[oidc]\nissuer = \"http://login.example\"\naudience = \"ig\"\n\
                    [oidc.roles]\nboss = [\"a\"]\n";
        let wrong = problems(keys);
        assert!(
            wrong[0].contains("TLS") && wrong[1].contains("boss"),
            "{wrong:?}"
        );
        let proxies = "version = 1\n[grpc-tls]\ncertificate = \"a\"\nkey = \"b\"\n";
        assert!(problems(proxies)[0].contains("client-ca"));
    }
}
