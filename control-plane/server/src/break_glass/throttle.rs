//! Wrong codes: so many of one user, and none is looked at for a while. They are
//! counted in the database, so on all replicas and all routes together.

use sqlx::{Any, FromRow, Transaction};

use super::Refusal;
use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Person, Principal};
use crate::error::ApiError;
use crate::store::now;

/// Wrong codes until the next lock.
const MOST: i64 = 5;
/// The first lock, in milliseconds; each one after it is twice as long.
const FIRST_LOCK: i64 = 15 * 60 * 1000;
const LONGEST_LOCK: i64 = 24 * 60 * 60 * 1000;
/// How long failures are remembered.
pub(super) const REMEMBERED: i64 = LONGEST_LOCK;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, FromRow)]
struct Failures {
    failures: i64,
    locks: i64,
    locked_until: i64,
    failed_at: i64,
}

impl Failures {
    /// One more, now.
    fn after(self, now: i64) -> Self {
        let is_old = self.failed_at < now - REMEMBERED && self.locked_until < now;
        let before = if is_old { Self::default() } else { self };
        let next = Self {
            failures: before.failures + 1,
            failed_at: now,
            ..before
        };
        if next.failures < MOST {
            return next;
        }
        let times = 1_i64 << before.locks.clamp(0, 16);
        Self {
            failures: 0,
            locks: before.locks + 1,
            locked_until: now + (FIRST_LOCK * times).min(LONGEST_LOCK),
            ..next
        }
    }
}

async fn read(
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
) -> Result<Failures, sqlx::Error> {
    let row = sqlx::query_as(
        "SELECT failures, locks, locked_until, failed_at FROM otp_failures \
         WHERE tenant = $1 AND user_id = $2",
    )
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .fetch_optional(&mut **transaction)
    .await?;
    Ok(row.unwrap_or_default())
}

/// Whether a code of the user is to be looked at.
///
/// # Errors
/// 429 while it is locked.
pub(super) async fn check(
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
) -> Result<(), ApiError> {
    let left = read(transaction, person).await?.locked_until - now();
    match u64::try_from(left) {
        Ok(left) if left > 0 => Err(ApiError::TooManyCodes(left.div_ceil(1000))),
        _ => Ok(()),
    }
}

/// Counts a wrong code, and ends the transaction with that. The error to answer.
pub(super) async fn failed(
    app: &App,
    mut transaction: Transaction<'static, Any>,
    by: &Principal,
    person: &Person,
) -> Result<ApiError, ApiError> {
    let before = read(&mut transaction, person).await?;
    let after = before.after(now());
    sqlx::query(
        "INSERT INTO otp_failures (tenant, user_id, failures, locks, locked_until, failed_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, user_id) DO UPDATE SET \
         failures = EXCLUDED.failures, locks = EXCLUDED.locks, \
         locked_until = EXCLUDED.locked_until, failed_at = EXCLUDED.failed_at",
    )
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .bind(after.failures)
    .bind(after.locks)
    .bind(after.locked_until)
    .bind(after.failed_at)
    .execute(&mut *transaction)
    .await?;
    let is_locked = after.locked_until > now();
    if is_locked {
        let until = after.locked_until.to_string();
        let change = Change {
            action: "break-glass.lock",
            target: &person.user,
            before: None,
            after: Some(&until),
        };
        audit::record(&mut transaction, by, change).await?;
    }
    transaction.commit().await?;
    app.metrics.break_glass_failures.inc();
    let (tenant, user) = (&person.tenant, &person.user);
    tracing::warn!(tenant, user, is_locked, "a one-time password was wrong");
    Ok(ApiError::BreakGlass(Refusal::Code))
}

/// Forgets wrong codes after a right one, but for the locks that were.
pub(super) async fn succeeded(
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE otp_failures SET failures = 0 WHERE tenant = $1 AND user_id = $2")
        .bind(person.tenant.as_str())
        .bind(person.user.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60 * 1000;

    #[test]
    fn each_lock_is_twice_as_long() {
        let mut now = 1_800_000_000_000;
        let mut known = Failures::default();
        for expected in [15, 30, 60, 120, 240, 480, 960, 1440, 1440] {
            for _ in 0..4 {
                known = known.after(now);
                assert!(known.locked_until <= now, "not yet");
            }
            known = known.after(now);
            assert_eq!(known.locked_until - now, expected * MINUTE);
            now = known.locked_until;
        }
    }

    #[test]
    fn after_a_quiet_day_all_is_forgotten() {
        let now = 1_800_000_000_000;
        let mut known = Failures::default();
        for _ in 0..7 {
            known = known.after(now);
        }
        assert_eq!((known.failures, known.locks), (2, 1));
        let soon = known.after(now + REMEMBERED);
        assert_eq!((soon.failures, soon.locks), (3, 1));
        let late = known.after(now + REMEMBERED + 1);
        assert_eq!((late.failures, late.locks), (1, 0));
    }
}
