//! Both databases: every test of what is stored runs on each.

use std::sync::Arc;

use ig_control_plane::Config;
use ig_e2e::{ControlPlane, Postgres, postgres_binaries};
use tempfile::TempDir;

/// An empty database.
pub(crate) struct Database {
    pub(crate) url: String,
    _folder: TempDir,
    _postgres: Option<Arc<Postgres>>,
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            url: format!("sqlite:{}", folder.path().join("test.db").display()),
            _folder: folder,
            _postgres: None,
        }
    }

    /// `None`, loudly, where there is no PostgreSQL; in CI that fails.
    pub(crate) fn postgres() -> Option<Self> {
        if !has_postgres() {
            return None;
        }
        let postgres = Postgres::shared().unwrap();
        Some(Self {
            url: postgres.database().unwrap(),
            _folder: tempfile::tempdir().unwrap(),
            _postgres: Some(postgres),
        })
    }

    /// One of each kind.
    pub(crate) fn each() -> impl Iterator<Item = Self> {
        std::iter::once(Self::sqlite()).chain(Self::postgres())
    }

    pub(crate) fn config(&self) -> Config {
        Config::local(&self.url, "/etc/envoy/ig_guard.wasm")
    }

    pub(crate) fn start(&self) -> ControlPlane {
        ControlPlane::start(self.config()).unwrap()
    }

    /// One that looks at as many calls without a valid token in a minute.
    pub(crate) fn start_with_failures(&self, per_minute: u32) -> ControlPlane {
        let config = Config {
            failed_logins_per_minute: per_minute,
            ..self.config()
        };
        ControlPlane::start(config).unwrap()
    }
}

/// A PostgreSQL of the test's own, which it may kill, and a control plane on it; `None` as
/// for [`Database::postgres`].
pub(crate) fn on_own_postgres() -> Option<(Postgres, ControlPlane)> {
    if !has_postgres() {
        return None;
    }
    let postgres = Postgres::start().unwrap();
    let url = postgres.database().unwrap();
    let control = ControlPlane::start(Config::local(url, "/etc/envoy/ig_guard.wasm")).unwrap();
    Some((postgres, control))
}

fn has_postgres() -> bool {
    let found = postgres_binaries();
    if let Err(missing) = &found {
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("SKIPPED: {missing}");
    }
    found.is_ok()
}
