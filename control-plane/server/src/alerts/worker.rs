//! Makes issues what they are to be.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::config::IssuesConfig;
use super::metrics::Outcome;
use super::rows::{self, Claimed, Group};
use super::tracker::{CallError, Draft, Tracker};
use crate::app::App;
use crate::store::{Store, now};

/// How often it is looked for groups that wait, beside being told.
const LOOK: Duration = Duration::from_secs(2);
/// The wait after the first failure, in milliseconds; each after it is twice as long.
const FIRST_WAIT: i64 = 2_000;
/// The longest one.
const LONGEST_WAIT: i64 = 5 * 60_000;
/// How long before its group an issue may have been changed last, in milliseconds: by
/// the tracker's clock, and before a database was put back.
const EARLIER: i64 = 24 * 60 * 60 * 1000;
/// The longest error that is kept, in characters.
const MAX_ERROR: usize = 300;

/// Works as long as the server does, where there is a tracker.
pub(crate) async fn run(app: App) {
    let Some(config) = app.issues.clone() else {
        return;
    };
    // A tracker that asks to wait means all calls.
    let mut paused_until = 0;
    loop {
        if now() >= paused_until {
            match turn(&app, &config).await {
                Ok(Turn::Done) => continue,
                Ok(Turn::Idle) => {}
                Ok(Turn::Pause(until)) => paused_until = until,
                Err(error) => tracing::warn!(%error, "groups of alerts cannot be read"),
            }
        }
        let _ = timeout(LOOK, app.alerts_told.notified()).await;
    }
}

enum Turn {
    /// There may be more.
    Done,
    Idle,
    Pause(i64),
}

/// Works on one group.
async fn turn(app: &App, config: &Arc<IssuesConfig>) -> Result<Turn, sqlx::Error> {
    let Some(claimed) = rows::claim(&app.store).await? else {
        return Ok(Turn::Idle);
    };
    match reconcile(&app.store, config, &claimed).await {
        Ok(outcome) => {
            claimed.done(&app.store).await?;
            app.metrics.alerts.turn(outcome);
            Ok(Turn::Done)
        }
        Err(failure) => {
            app.metrics.alerts.turn(Outcome::Failed);
            failed(&app.store, &claimed, failure).await
        }
    }
}

async fn failed(store: &Store, claimed: &Claimed, failure: Failure) -> Result<Turn, sqlx::Error> {
    let group = &claimed.group;
    let (id, failures) = (group.id.as_str(), group.failures);
    let error = match failure {
        Failure::Store(error) => return Err(error),
        Failure::Call(error) => error,
    };
    let asked = match error {
        CallError::Wait { until, .. } => Some(until),
        _ => None,
    };
    let next_at = (now() + backoff(failures)).max(asked.unwrap_or_default());
    let error = error.to_string();
    tracing::warn!(
        id,
        failures,
        error,
        "an issue is not as it is to be; trying again"
    );
    let error: String = error.chars().take(MAX_ERROR).collect();
    claimed.failed(store, next_at, &error).await?;
    Ok(asked.map_or(Turn::Done, Turn::Pause))
}

/// How long to wait after so many failures: a half of it for certain, so that groups
/// that failed together do not come back together.
fn backoff(failures: i64) -> i64 {
    let doublings = u32::try_from(failures.clamp(0, 20)).unwrap_or_default();
    let most = FIRST_WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT);
    let mut random = [0; 4];
    // Without randomness, the longest.
    let share = match getrandom::fill(&mut random) {
        Ok(()) => i64::from(u32::from_le_bytes(random)),
        Err(_) => i64::from(u32::MAX),
    };
    most / 2 + most / 2 * share / i64::from(u32::MAX)
}

enum Failure {
    Call(CallError),
    Store(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error)
    }
}

/// Makes one issue what it is to be. Whatever stops in between, the next turn finds
/// the issue: by its number, or by its marker.
async fn reconcile(
    store: &Store,
    config: &Arc<IssuesConfig>,
    claimed: &Claimed,
) -> Result<Outcome, Failure> {
    let group = &claimed.group;
    let is_open = group.firing != 0;
    if let Some(number) = group.issue {
        let changed = call(config, group, move |tracker, draft, _| {
            tracker.change(number, draft)
        });
        match changed.await {
            Ok(()) if is_open => return Ok(Outcome::Changed),
            Ok(()) => return Ok(Outcome::Closed),
            // Somebody deleted it: what goes on has another.
            Err(CallError::Gone) => claimed.found(store, None).await?,
            Err(error) => return Err(Failure::Call(error)),
        }
    }
    let since = group.started_at - EARLIER;
    let id = group.id.clone();
    let found = call(config, group, move |tracker, draft, _| {
        let Some(number) = tracker.find(&id, since)? else {
            return Ok(None);
        };
        match tracker.change(number, draft) {
            Ok(()) => Ok(Some(number)),
            Err(CallError::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    });
    if let Some(number) = found.await.map_err(Failure::Call)? {
        claimed.found(store, Some(number)).await?;
        return Ok(Outcome::Found);
    }
    if !is_open {
        return Ok(Outcome::Nothing);
    }
    let opened = call(config, group, |tracker, draft, labels| {
        tracker.open(draft, labels)
    });
    let number = opened.await.map_err(Failure::Call)?;
    claimed.found(store, Some(number)).await?;
    Ok(Outcome::Opened)
}

/// Calls the tracker for a group, on a thread that may wait.
async fn call<T: Send + 'static>(
    config: &Arc<IssuesConfig>,
    group: &Group,
    calls: impl FnOnce(&Tracker<'_>, &Draft<'_>, &[&str]) -> Result<T, CallError> + Send + 'static,
) -> Result<T, CallError> {
    let config = Arc::clone(config);
    let (title, body) = (group.title.clone(), group.body.clone());
    let (is_open, is_critical) = (group.firing != 0, group.critical != 0);
    let called = tokio::task::spawn_blocking(move || {
        let draft = Draft {
            title: &title,
            body: &body,
            is_open,
        };
        calls(&Tracker::new(&config)?, &draft, &config.labels(is_critical))
    });
    called
        .await
        .unwrap_or_else(|error| Err(CallError::Lost(error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_an_end() {
        for (failures, most) in [
            (0, 2_000),
            (1, 4_000),
            (5, 64_000),
            (8, LONGEST_WAIT),
            (i64::MAX, LONGEST_WAIT),
        ] {
            for _ in 0..20 {
                let wait = backoff(failures);
                assert!((most / 2..=most).contains(&wait), "{failures}: {wait}");
            }
        }
    }
}
