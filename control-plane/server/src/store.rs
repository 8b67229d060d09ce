//! The database: SQLite or PostgreSQL, by the URL. SQL is portable, with `$1`
//! placeholders, which both read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{Any, AnyPool, Transaction};

/// A database, migrated.
#[derive(Clone)]
pub(crate) struct Store {
    pool: AnyPool,
    is_sqlite: bool,
}

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum CannotOpen {
    /// It cannot be reached.
    #[error("the database cannot be reached")]
    Connect(#[source] sqlx::Error),
    /// It has another schema than this release knows.
    #[error("the database cannot be migrated")]
    Migrate(#[source] sqlx::migrate::MigrateError),
}

impl Store {
    /// Connects and migrates.
    ///
    /// # Errors
    /// [`CannotOpen`]
    pub(crate) async fn open(url: &str) -> Result<Self, CannotOpen> {
        install_default_drivers();
        let is_sqlite = url.starts_with("sqlite:");
        let url = match is_sqlite && !url.contains('?') {
            true => format!("{url}?mode=rwc"),
            false => url.to_owned(),
        };
        let options = AnyPoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(5));
        let options = options.after_connect(move |connection, _| {
            Box::pin(async move {
                if is_sqlite {
                    // FULL: what was acknowledged survives a power cut.
                    for pragma in [
                        "PRAGMA busy_timeout = 5000",
                        "PRAGMA journal_mode = WAL",
                        "PRAGMA synchronous = FULL",
                        "PRAGMA foreign_keys = ON",
                    ] {
                        sqlx::query(pragma).execute(&mut *connection).await?;
                    }
                }
                Ok(())
            })
        });
        let pool = options.connect(&url).await.map_err(CannotOpen::Connect)?;
        let migrations = match is_sqlite {
            true => sqlx::migrate!("migrations/sqlite"),
            false => sqlx::migrate!("migrations/postgres"),
        };
        migrations.run(&pool).await.map_err(CannotOpen::Migrate)?;
        Ok(Self { pool, is_sqlite })
    }

    /// For reads.
    pub(crate) fn read(&self) -> &AnyPool {
        &self.pool
    }

    /// For a change: all of it, or nothing. SQLite takes its write lock at the
    /// start, since a read that becomes a write cannot wait for one.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.is_sqlite {
            true => self.pool.begin_with("BEGIN IMMEDIATE").await,
            false => self.pool.begin().await,
        }
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Milliseconds since the epoch.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// Whether a row was there already.
pub(crate) fn is_conflict(error: &sqlx::Error) -> bool {
    let database = error.as_database_error();
    database.is_some_and(|error| error.is_unique_violation())
}
