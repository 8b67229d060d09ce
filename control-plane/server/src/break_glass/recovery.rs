//! Recovery codes: each counts once. Only a keyed hash of them is kept.

use data_encoding::BASE32_NOPAD;
use ring::hmac;
use sqlx::{Any, Transaction};
use zeroize::Zeroizing;

use super::Keys;
use crate::auth::Person;
use crate::error::ApiError;
use crate::store::now;

/// How many a user has.
const COUNT: usize = 10;
/// 80 bits: nobody guesses them, throttled or not.
const BYTES: usize = 10;
const LETTERS: usize = 16;

/// A code that somebody gives.
pub(super) struct RecoveryCode(Zeroizing<String>);

impl RecoveryCode {
    /// Reads a code as people write it: with or without dashes, in any case.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > 2 * LETTERS {
            return None;
        }
        let letters = text.chars().filter(|c| !matches!(c, '-' | ' '));
        let code: String = letters.map(|c| c.to_ascii_uppercase()).collect();
        let is_letter = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
        (code.len() == LETTERS && code.bytes().all(is_letter)).then(|| Self(code.into()))
    }

    fn random() -> Result<Self, ApiError> {
        let mut bytes = Zeroizing::new([0; BYTES]);
        getrandom::fill(&mut *bytes).map_err(ApiError::invalid)?;
        Ok(Self(BASE32_NOPAD.encode(&*bytes).into()))
    }

    /// In fours, as people read it.
    fn shown(&self) -> String {
        let fours: Vec<&str> = (0..LETTERS)
            .step_by(4)
            .filter_map(|at| self.0.get(at..at + 4))
            .collect();
        fours.join("-")
    }

    /// What is hashed: the same code of somebody else is another.
    fn message(&self, person: &Person) -> Zeroizing<String> {
        Zeroizing::new(format!("{}/{}/{}", person.tenant, person.user, *self.0))
    }
}

fn key(keys: &Keys) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, keys.recovery.bytes())
}

/// Makes new codes in the place of those that there are, and returns them.
pub(super) async fn renew(
    transaction: &mut Transaction<'static, Any>,
    keys: &Keys,
    person: &Person,
) -> Result<Vec<String>, ApiError> {
    forget(transaction, person).await?;
    let mut shown = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let code = RecoveryCode::random()?;
        let hash = hmac::sign(&key(keys), code.message(person).as_bytes());
        sqlx::query("INSERT INTO otp_recovery_codes (tenant, user_id, hash) VALUES ($1, $2, $3)")
            .bind(person.tenant.as_str())
            .bind(person.user.as_str())
            .bind(hex::encode(hash.as_ref()))
            .execute(&mut **transaction)
            .await?;
        shown.push(code.shown());
    }
    Ok(shown)
}

/// Uses a code; whether it was one that had not been used. Every code is looked
/// at, in constant time each, so that the time it takes says nothing.
pub(super) async fn take(
    transaction: &mut Transaction<'static, Any>,
    keys: &Keys,
    person: &Person,
    code: &RecoveryCode,
) -> Result<bool, ApiError> {
    let hashes: Vec<String> = sqlx::query_scalar(
        "SELECT hash FROM otp_recovery_codes WHERE tenant = $1 AND user_id = $2 \
         AND used_at IS NULL",
    )
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .fetch_all(&mut **transaction)
    .await?;
    let (key, message) = (key(keys), code.message(person));
    let mut found = None;
    for hash in &hashes {
        let bytes = hex::decode(hash).unwrap_or_default();
        if hmac::verify(&key, message.as_bytes(), &bytes).is_ok() {
            found = Some(hash);
        }
    }
    let Some(hash) = found else {
        return Ok(false);
    };
    let used = sqlx::query(
        "UPDATE otp_recovery_codes SET used_at = $1 WHERE tenant = $2 AND user_id = $3 \
         AND hash = $4 AND used_at IS NULL",
    )
    .bind(now())
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .bind(hash.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(used.rows_affected() == 1)
}

/// How many a user has left.
pub(super) async fn left(
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT COUNT(*) FROM otp_recovery_codes WHERE tenant = $1 AND user_id = $2 \
         AND used_at IS NULL",
    )
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .fetch_one(&mut **transaction)
    .await
}

/// Takes all codes of a user away.
pub(super) async fn forget(
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM otp_recovery_codes WHERE tenant = $1 AND user_id = $2")
        .bind(person.tenant.as_str())
        .bind(person.user.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let code = RecoveryCode::random().unwrap();
        let shown = code.shown();
        assert_eq!(shown.len(), 19);
        for text in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', " "),
            shown.replace('-', ""),
        ] {
            let read = RecoveryCode::parse(&text);
            assert_eq!(read.map(|read| read.0), Some(code.0.clone()), "{text}");
        }
        let long = "A".repeat(40);
        for text in [
            "",
            "ABCD-EFGH-IJKL-MNO",
            "ABCD-EFGH-IJKL-MNO1",
            "ÄBCD-EFGH-IJKL-MNO",
            &long,
        ] {
            assert!(RecoveryCode::parse(text).is_none(), "{text}");
        }
    }
}
