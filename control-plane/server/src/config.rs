//! Configuration: a file, then the environment, then flags; raw, then valid.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Version of the file's format.
const VERSION: u32 = 1;

/// What the environment and flags may say beside the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Address of the HTTP API.
    pub listen: Option<SocketAddr>,
    /// Address of gRPC: xDS.
    pub grpc_listen: Option<SocketAddr>,
    /// URL of the database.
    pub database: Option<String>,
    /// The guard's module, as proxies find it.
    pub module: Option<PathBuf>,
}

/// The file.
#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case", default)]
struct Raw {
    version: Option<u32>,
    listen: Option<SocketAddr>,
    grpc_listen: Option<SocketAddr>,
    database: Option<String>,
    module: Option<PathBuf>,
}

/// A valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of the HTTP API.
    pub listen: SocketAddr,
    /// Address of gRPC: xDS.
    pub grpc_listen: SocketAddr,
    /// URL of the database, `sqlite:` or `postgres:`.
    pub database: String,
    /// The guard's module, as proxies find it.
    pub module: PathBuf,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration is not valid:\n{}", .0.join("\n"))]
pub struct InvalidConfig(pub Vec<String>);

impl Config {
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
        let unknown = |path: serde_ignored::Path<'_>| problems.push(format!("{path}: unknown key"));
        let raw: Result<Raw, _> = toml::Deserializer::parse(text)
            .and_then(|deserializer| serde_ignored::deserialize(deserializer, unknown));
        let raw = raw.unwrap_or_else(|error| {
            problems.push(error.to_string().trim_end().to_owned());
            Raw::default()
        });
        if has_file && problems.is_empty() && raw.version != Some(VERSION) {
            problems.push(format!("version: must be {VERSION}"));
        }
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let database = over.database.or(raw.database);
        let database = database.unwrap_or_else(|| "sqlite:ig-control-plane.db".into());
        if !["sqlite:", "postgres:", "postgresql:"]
            .iter()
            .any(|scheme| database.starts_with(scheme))
        {
            // The URL itself may hold a password.
            problems.push("database: must begin with `sqlite:` or `postgres:`".into());
        }
        let config = Self {
            listen: over.listen.or(raw.listen).unwrap_or_else(|| local(8080)),
            grpc_listen: over
                .grpc_listen
                .or(raw.grpc_listen)
                .unwrap_or_else(|| local(18_000)),
            database,
            module: over
                .module
                .or(raw.module)
                .unwrap_or_else(|| "/etc/envoy/ig_guard.wasm".into()),
        };
        match problems.is_empty() {
            true => Ok(config),
            false => Err(InvalidConfig(problems)),
        }
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
        assert_eq!(config.database, "sqlite:a.db");
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
    }
}
