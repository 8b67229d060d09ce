//! Makes issues what they are to be.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::hmac;
use tokio::time::timeout;

use super::config::IssuesConfig;
use super::metrics::Outcome;
use super::rows::{self, Claimed, Group, NotHeld};
use super::text::marker;
use super::tracker::{CallError, Deadline, Draft, Tracker};
use crate::app::App;
use crate::store::{Store, now};

/// How often it is looked for groups that wait, beside being told.
const LOOK: Duration = Duration::from_secs(2);
/// How often it is looked for groups that nobody tells of any more.
const LOOK_FOR_SILENT: Duration = Duration::from_secs(10);
/// The wait after the first failure, in milliseconds; each after it is twice as long.
const FIRST_WAIT: i64 = 2_000;
/// The longest one.
const LONGEST_WAIT: i64 = 5 * 60_000;
/// How long after a call that opens an issue, and whose answer is not known, the next may
/// be at the soonest, in milliseconds. A tracker that is slow may do it later still, and
/// whoever looks before that finds nothing and opens another.
const UNHEARD: i64 = 15_000;
/// How long before its group an issue may have been changed last, in milliseconds: by
/// the tracker's clock, and before a database was put back.
const EARLIER: i64 = 24 * 60 * 60 * 1000;
/// Name of the key of markers.
const SECRET: &str = "alert-issues";
/// The longest error that is kept, in characters.
const MAX_ERROR: usize = 300;

/// Works as long as the server does, where there is a tracker.
pub(crate) async fn run(app: App) {
    let Some(config) = app.issues.clone() else {
        return;
    };
    let secret = loop {
        match app.store.secret(SECRET).await {
            Ok(secret) => break secret,
            Err(error) => tracing::warn!(%error, "groups of alerts cannot be read"),
        }
        tokio::time::sleep(LOOK).await;
    };
    let markers = hmac::Key::new(hmac::HMAC_SHA256, secret.bytes());
    drop(secret);
    // A tracker that asks to wait means all calls.
    let mut paused_until = 0;
    let mut looked: Option<Instant> = None;
    loop {
        if looked.is_none_or(|at| at.elapsed() >= LOOK_FOR_SILENT) {
            looked = Some(Instant::now());
            give_up(&app.store).await;
        }
        if now() >= paused_until {
            match turn(&app, &config, &markers).await {
                Ok(Turn::Done) => continue,
                Ok(Turn::Idle) => {}
                Ok(Turn::Pause(until)) => paused_until = until,
                Err(error) => tracing::warn!(%error, "groups of alerts cannot be read"),
            }
        }
        let _ = timeout(LOOK, app.alerts_told.notified()).await;
    }
}

async fn give_up(store: &Store) {
    match rows::give_up(store).await {
        Ok(0) => {}
        Ok(groups) => tracing::warn!(
            groups,
            "groups of alerts that nobody tells of any more are given up"
        ),
        Err(error) => tracing::warn!(%error, "groups of alerts cannot be given up"),
    }
}

enum Turn {
    /// There may be more.
    Done,
    Idle,
    Pause(i64),
}

/// Works on one group.
async fn turn(
    app: &App,
    config: &Arc<IssuesConfig>,
    markers: &hmac::Key,
) -> Result<Turn, sqlx::Error> {
    // Before it is claimed, so that the claim is over later than its calls.
    let until = Deadline::of_turn();
    let Some(mut claimed) = rows::claim(&app.store).await? else {
        return Ok(Turn::Idle);
    };
    let calls = Calls {
        config,
        until,
        markers,
    };
    match reconcile(&app.store, &calls, &mut claimed).await {
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
    let (error, at_least) = match failure {
        Failure::Store(error) => return Err(error),
        Failure::Call(error) => (error, 0),
        Failure::Unheard(error) => (error, UNHEARD),
    };
    let asked = match error {
        CallError::Wait { until, .. } => Some(until),
        _ => None,
    };
    let wait = backoff(failures).max(at_least);
    let next_at = (now() + wait).max(asked.unwrap_or_default());
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
    /// An issue may be open, now or soon.
    Unheard(CallError),
    Store(sqlx::Error),
}

impl Failure {
    /// Of the call that opens an issue.
    fn of_opening(error: CallError) -> Self {
        match error {
            CallError::Lost(_) | CallError::Wait { status: 500.., .. } => Self::Unheard(error),
            error => Self::Call(error),
        }
    }
}

impl From<NotHeld> for Failure {
    fn from(error: NotHeld) -> Self {
        match error {
            NotHeld::Store(error) => Self::Store(error),
            NotHeld::Lost => Self::Call(CallError::Unable(error.to_string())),
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// Makes one issue what it is to be. Whatever stops in between, the next turn finds
/// the issue: by its number, or by its marker.
async fn reconcile(
    store: &Store,
    calls: &Calls<'_>,
    claimed: &mut Claimed,
) -> Result<Outcome, Failure> {
    let group = &claimed.group;
    let is_open = group.firing != 0;
    if let Some(number) = group.issue {
        let changed = calls.make(group, move |tracker, draft, _| {
            tracker.change(number, draft)
        });
        match changed.await {
            Ok(()) => {
                label(store, calls, claimed, number, group.labelled).await?;
                return Ok(if is_open {
                    Outcome::Changed
                } else {
                    Outcome::Closed
                });
            }
            Err(CallError::Gone) => {
                // Unless it is the repository that is elsewhere.
                calls.make(group, |tracker, _, _| tracker.probe()).await?;
                // Somebody deleted it, or put it elsewhere: what goes on has another,
                // and whatever has the same marker is a copy.
                claimed.lost(store).await?;
            }
            Err(error) => return Err(error.into()),
        }
    } else if let Some(number) = find(calls, group).await? {
        claimed.found(store, number, 0).await?;
        label(store, calls, claimed, number, 0).await?;
        return Ok(Outcome::Found);
    }
    if !is_open {
        return Ok(Outcome::Nothing);
    }
    let group = &claimed.group;
    let labels = calls.make(group, |tracker, _, names| tracker.labels(names));
    let labels = labels.await?;
    // From here on nobody else may open one, until the call has ended.
    claimed.renew(store).await?;
    let opened = calls.make(group, move |tracker, draft, _| tracker.open(draft, &labels));
    let number = opened.await.map_err(Failure::of_opening)?;
    claimed.found(store, number, level(group)).await?;
    Ok(Outcome::Opened)
}

/// Looks for an issue that a call of before has opened unheard, and makes it what it is
/// to be.
async fn find(calls: &Calls<'_>, group: &Group) -> Result<Option<i64>, CallError> {
    let since = group.started_at - EARLIER;
    let found = calls.make(group, move |tracker, draft, _| {
        let Some(number) = tracker.find(draft.marker, since)? else {
            return Ok(None);
        };
        match tracker.change(number, draft) {
            Ok(()) => Ok(Some(number)),
            Err(CallError::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    });
    found.await
}

/// Which labels an issue is to have, as a row says it.
const fn level(group: &Group) -> i64 {
    if group.critical == 0 { 1 } else { 2 }
}

/// Gives an open issue the labels that it has not yet.
async fn label(
    store: &Store,
    calls: &Calls<'_>,
    claimed: &Claimed,
    number: i64,
    labelled: i64,
) -> Result<(), Failure> {
    let group = &claimed.group;
    if group.firing == 0 || labelled >= level(group) {
        return Ok(());
    }
    let labelling = calls.make(group, move |tracker, _, names| {
        tracker.label(number, &tracker.labels(names)?)
    });
    labelling.await?;
    claimed.found(store, number, level(group)).await?;
    Ok(())
}

/// What all calls of a turn have in common.
struct Calls<'a> {
    config: &'a Arc<IssuesConfig>,
    until: Deadline,
    /// What markers are made with.
    markers: &'a hmac::Key,
}

impl Calls<'_> {
    /// Calls the tracker for a group, on a thread that may wait.
    async fn make<T: Send + 'static>(
        &self,
        group: &Group,
        calls: impl FnOnce(&Tracker<'_>, &Draft<'_>, &[&str]) -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        let (config, until) = (Arc::clone(self.config), self.until);
        let (title, body) = (group.title.clone(), group.body.clone());
        let marker = marker(&group.id, &mac(self.markers, group));
        let (is_open, is_critical) = (group.firing != 0, group.critical != 0);
        let called = tokio::task::spawn_blocking(move || {
            let draft = Draft {
                title: &title,
                marker: &marker,
                body: &body,
                is_open,
            };
            let tracker = Tracker::new(&config, until)?;
            calls(&tracker, &draft, &config.labels(is_critical))
        });
        called
            .await
            .unwrap_or_else(|error| Err(CallError::Lost(error.to_string())))
    }
}

/// Of a group, this time that it is known, and its issue after those that are gone: what
/// was read in one of them is good for no other.
fn mac(key: &hmac::Key, group: &Group) -> String {
    let of = format!("{} {} {}", group.id, group.started_at, group.gone);
    hex::encode(hmac::sign(key, of.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_been_opened_is_told_from_what_was_not() {
        let wait = |status| CallError::Wait { status, until: 0 };
        for (error, may_be_open) in [
            (CallError::Lost("timeout".into()), true),
            (wait(503), true),
            (wait(429), false),
            (CallError::Refused { status: 422 }, false),
            (CallError::Unable("no token".into()), false),
        ] {
            let failure = Failure::of_opening(error);
            assert_eq!(matches!(failure, Failure::Unheard(_)), may_be_open);
        }
    }

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
