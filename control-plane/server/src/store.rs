//! The database: SQLite or PostgreSQL, by the URL. SQL is portable, with `$1`
//! placeholders, which both read.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::postgres::PgListener;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Transaction};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// A database, migrated.
#[derive(Clone)]
pub(crate) struct Store {
    pool: AnyPool,
    /// Where PostgreSQL is; SQLite has one replica, which needs no messages.
    postgres: Option<String>,
}

/// A key. It shows itself to whoever asks for it only.
pub(crate) struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    pub(crate) fn bytes(&self) -> &[u8] {
        &*self.0
    }
}

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
pub enum CannotOpen {
    /// It cannot be reached.
    #[error("the database cannot be reached; gave up after {} s", .0.as_secs())]
    Connect(Duration, #[source] sqlx::Error),
    /// It has another schema than this release knows.
    #[error("the database cannot be migrated")]
    Migrate(#[source] sqlx::migrate::MigrateError),
}

/// Waits between attempts to connect: this, and twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
const LET_THE_OTHER: Duration = Duration::from_secs(1);
const MAX_CONNECTIONS: u32 = 8;
/// How long a request waits for a connection before it is answered 503.
const ACQUIRE: Duration = Duration::from_secs(5);
/// What replicas tell each other on.
const CHANNEL: &str = "ig_published";

impl Store {
    /// Connects and migrates. A database that cannot be reached is asked again
    /// for as long as `patience`.
    ///
    /// # Errors
    /// [`CannotOpen`]
    pub(crate) async fn open(url: &str, patience: Duration) -> Result<Self, CannotOpen> {
        install_default_drivers();
        let is_sqlite = url.starts_with("sqlite:");
        let address = match is_sqlite && !url.contains('?') {
            true => format!("{url}?mode=rwc"),
            false => url.to_owned(),
        };
        let pool = connect(&address, is_sqlite, patience).await?;
        let migrations = match is_sqlite {
            true => sqlx::migrate!("migrations/sqlite"),
            false => sqlx::migrate!("migrations/postgres"),
        };
        let mut migrated = migrations.run(&pool).await;
        if is_sqlite && migrated.is_err() {
            // PostgreSQL makes others wait; here two that start at once meet.
            tokio::time::sleep(LET_THE_OTHER).await;
            migrated = migrations.run(&pool).await;
        }
        migrated.map_err(CannotOpen::Migrate)?;
        let postgres = (!is_sqlite).then(|| url.to_owned());
        Ok(Self { pool, postgres })
    }

    /// For statements that stand alone.
    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// For a change: all of it, or nothing. SQLite takes its write lock at the
    /// start, since a read that becomes a write cannot wait for one.
    #[tracing::instrument(name = "database.begin", skip_all)]
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.postgres {
            None => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Some(_) => self.pool.begin().await,
        }
    }

    /// For reads that must see one state.
    #[tracing::instrument(name = "database.begin", skip_all)]
    pub(crate) async fn view(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.postgres {
            // The first read fixes what is seen.
            None => self.pool.begin().await,
            Some(_) => {
                self.pool
                    .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await
            }
        }
    }

    /// Whether other processes may work on it too.
    pub(crate) fn is_shared(&self) -> bool {
        self.postgres.is_some()
    }

    /// Makes other changes that take the same name wait until this one ends.
    #[tracing::instrument(name = "database.lock", skip_all)]
    pub(crate) async fn lock(
        &self,
        transaction: &mut Transaction<'static, Any>,
        name: &str,
    ) -> Result<(), sqlx::Error> {
        if self.postgres.is_some() {
            sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
                .bind(name)
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    /// Makes changes that [`Self::lock`] the same name wait until this one ends;
    /// others like this one do not wait.
    pub(crate) async fn lock_shared(
        &self,
        transaction: &mut Transaction<'static, Any>,
        name: &str,
    ) -> Result<(), sqlx::Error> {
        if self.postgres.is_some() {
            sqlx::query("SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))")
                .bind(name)
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    /// Tells other replicas, once the change is durable.
    pub(crate) async fn notify(
        &self,
        transaction: &mut Transaction<'static, Any>,
    ) -> Result<(), sqlx::Error> {
        if self.postgres.is_some() {
            sqlx::query("SELECT pg_notify($1, '')")
                .bind(CHANNEL)
                .execute(&mut **transaction)
                .await?;
        }
        Ok(())
    }

    /// What other replicas tell; `None` where there are none.
    pub(crate) async fn listen(&self) -> Result<Option<PgListener>, sqlx::Error> {
        let Some(url) = &self.postgres else {
            return Ok(None);
        };
        let mut listener = PgListener::connect(url).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(listener))
    }

    /// A key that all replicas share, made when it is first asked for.
    ///
    /// # Errors
    /// When it can neither be read nor made.
    pub(crate) async fn secret(&self, name: &str) -> Result<Secret, sqlx::Error> {
        let mut made = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *made).map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
        sqlx::query("INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(name)
            .bind(hex::encode(made.as_slice()))
            .execute(&self.pool)
            .await?;
        let value: String = sqlx::query_scalar("SELECT value FROM secrets WHERE name = $1")
            .bind(name)
            .fetch_one(&self.pool)
            .await?;
        let value = Zeroizing::new(value);
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(&*value, &mut *bytes)
            .map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
        Ok(Secret(bytes))
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

async fn connect(
    address: &str,
    is_sqlite: bool,
    patience: Duration,
) -> Result<AnyPool, CannotOpen> {
    let started = Instant::now();
    let mut wait = FIRST_WAIT;
    loop {
        let options = AnyPoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    // FULL: what was acknowledged survives a power cut.
                    let pragmas = match is_sqlite {
                        true => {
                            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
                                 PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                                 PRAGMA case_sensitive_like = ON"
                        }
                        false => "SET lock_timeout = '10s'",
                    };
                    sqlx::raw_sql(pragmas).execute(&mut *connection).await?;
                    Ok(())
                })
            });
        // By hand first: a pool says of any failure that it took too long.
        let first = timeout(ACQUIRE, AnyConnection::connect(address)).await;
        let connected = match first.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
            Ok(connection) => {
                let _ = connection.close().await;
                options.connect(address).await
            }
            Err(error) => Err(error),
        };
        let error = match connected {
            Ok(pool) => return Ok(pool),
            Err(error) => error,
        };
        // A file that cannot be opened now cannot be opened later.
        let may_heal = !is_sqlite && is_transient(&error);
        if !may_heal || started.elapsed() + wait > patience {
            return Err(CannotOpen::Connect(started.elapsed(), error));
        }
        tracing::warn!(%error, wait_ms = wait.as_millis(), "the database cannot be reached; trying again");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Whether waiting may help: nobody answers, or the server is starting.
fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        // 57P03: cannot connect now; class 53: out of connections.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code == "57P03" || code.starts_with("53")),
        _ => false,
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

/// Whether PostgreSQL stopped a statement at its time limit.
pub(crate) fn is_too_long(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some("57014")
}

#[cfg(test)]
mod tests {
    /// Two files because both are SQL that people read; one schema.
    #[test]
    fn both_databases_have_one_schema() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let read = |database: &str, name: &str| {
            std::fs::read_to_string(format!("{folder}/{database}/{name}")).unwrap()
        };
        let names = |database: &str| -> std::collections::BTreeSet<String> {
            let entries = std::fs::read_dir(format!("{folder}/{database}")).unwrap();
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.collect()
        };
        let all = names("sqlite");
        assert_eq!(all, names("postgres"));
        // Each database searches in its own way.
        let files = all.iter().filter(|name| !name.starts_with("0003_"));
        let files = files.map(|name| (read("sqlite", name), read("postgres", name)));
        for (sqlite, postgres) in files {
            let translated = sqlite
                .replace(
                    "INTEGER PRIMARY KEY AUTOINCREMENT",
                    "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
                )
                .replace(" BLOB ", " BYTEA ")
                .replace(" COLLATE BINARY", " COLLATE \"C\"");
            assert_eq!(postgres, translated);
        }
    }
}
