//! Time-based one-time passwords (RFC 6238): six digits, 30 seconds, HMAC-SHA-1,
//! which is what authenticator apps have.

use data_encoding::BASE32_NOPAD;
use ring::hmac;
use zeroize::Zeroizing;

use crate::error::ApiError;

/// RFC 4226, R6: 160 bits are recommended.
const SECRET_BYTES: usize = 20;
const STEP_SECONDS: u64 = 30;
const DIGITS: usize = 6;
const CODES: u32 = 1_000_000;
/// Steps before and after now whose codes are taken: clocks differ.
const SKEW: u64 = 1;

/// What a user's codes are made of. It is wiped where it was, and shows itself to
/// nobody who does not ask.
pub(super) struct Totp(Zeroizing<[u8; SECRET_BYTES]>);

impl Totp {
    pub(super) fn random() -> Result<Self, ApiError> {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(&mut *bytes).map_err(ApiError::invalid)?;
        Ok(Self(bytes))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Zeroizing::new).map(Self)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &*self.0
    }

    /// As authenticator apps take it.
    pub(super) fn base32(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE32_NOPAD.encode(&*self.0))
    }

    /// RFC 4226, 5.3, before it is cut to a number of digits.
    fn number(&self, step: u64) -> Option<u32> {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &*self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag.last()? & 0xf);
        let four: [u8; 4] = tag.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(four) & 0x7fff_ffff)
    }

    /// The step whose code this is, among those that count now. All are looked at,
    /// so that the time it takes says nothing.
    pub(super) fn step(&self, code: Code, seconds: u64) -> Option<i64> {
        let now = seconds / STEP_SECONDS;
        let steps = now.saturating_sub(SKEW)..=now + SKEW;
        let mut found = None;
        for step in steps {
            let is_it = self.number(step).map(|number| number % CODES) == Some(code.0);
            found = if is_it { Some(step) } else { found };
        }
        found.and_then(|step| i64::try_from(step).ok())
    }
}

/// A code that somebody gives.
#[derive(Clone, Copy)]
pub(super) struct Code(u32);

impl Code {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_code = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        is_code.then(|| text.parse().ok().map(Self)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: seconds, and the code of eight digits.
    const VECTORS: [(u64, u32); 6] = [
        (59, 94_287_082),
        (1_111_111_109, 7_081_804),
        (1_111_111_111, 14_050_471),
        (1_234_567_890, 89_005_924),
        (2_000_000_000, 69_279_037),
        (20_000_000_000, 65_353_130),
    ];

    fn totp() -> Totp {
        Totp::from_bytes(b"12345678901234567890").unwrap()
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, expected) in VECTORS {
            let number = totp().number(seconds / STEP_SECONDS).unwrap();
            assert_eq!(number % 100_000_000, expected, "{seconds}");
        }
    }

    #[test]
    fn a_code_counts_a_step_early_and_a_step_late() {
        for (seconds, eight) in VECTORS {
            let code = Code(eight % CODES);
            let step = seconds / STEP_SECONDS;
            let at = |step: u64| totp().step(code, step * STEP_SECONDS);
            for near in [step - 1, step, step + 1] {
                assert_eq!(at(near), i64::try_from(step).ok(), "{seconds}");
            }
            if step > 2 {
                assert_eq!(at(step - 2), None, "{seconds}");
            }
            assert_eq!(at(step + 2), None, "{seconds}");
        }
    }

    #[test]
    fn six_digits_are_a_code() {
        for text in [
            "",
            "12345",
            "1234567",
            "12345a",
            "+12345",
            " 12345",
            "１２３４５６",
        ] {
            assert!(Code::parse(text).is_none(), "{text}");
        }
        assert_eq!(Code::parse("001234").map(|code| code.0), Some(1234));
    }

    #[test]
    fn apps_take_the_secret_as_base32() {
        let text = totp().base32();
        assert_eq!(text.as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }
}
