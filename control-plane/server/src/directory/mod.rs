//! What proxies ask about subjects, and what they must forget.
//!
//! A change of a user or group leaves a row in the transaction that makes it,
//! with a number in the order of commits. Proxies wait for the next number;
//! facts bear the number they are of.

mod facts;
mod feed;
mod link;
mod routes;

use sqlx::{Any, Transaction};

pub(crate) use facts::facts;
pub(crate) use feed::{Directory, prune};
pub(crate) use routes::routes;

use crate::app::App;
use crate::store::now;

/// Tells proxies what is durable by now. The change is done: where they cannot be
/// told at once, the next look tells them.
pub(crate) async fn tell(app: &App) {
    if let Err(error) = app.directory.follow(&app.store).await {
        tracing::warn!(%error, "a change of the directory is told later");
    }
}

/// Whose facts a change makes others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Whose {
    /// Nobody's.
    Nobody,
    /// Those of these users.
    Users(Vec<String>),
    /// Everybody's of the tenant.
    Everybody,
}

/// Notes a change for proxies, after it is audited: the lock that
/// [`crate::audit::record`] takes keeps the numbers in the order of commits.
pub(crate) async fn record(
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
    whose: &Whose,
) -> Result<(), sqlx::Error> {
    let users: Vec<Option<&str>> = match whose {
        Whose::Nobody => Vec::new(),
        Whose::Users(users) => users.iter().map(|user| Some(user.as_str())).collect(),
        Whose::Everybody => vec![None],
    };
    for user in users {
        sqlx::query("INSERT INTO directory_changes (at, tenant, user_id) VALUES ($1, $2, $3)")
            .bind(now())
            .bind(tenant)
            .bind(user)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
