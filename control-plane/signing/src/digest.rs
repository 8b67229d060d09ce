//! SHA-256 (FIPS 180-4).

use std::fmt;
use std::io::{self, Read};

use sha2::Digest as _;

/// Bytes that are read at once: more gains nothing, and stays out of a core's
/// cache.
const READ_BYTES: usize = 128 << 10;

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

impl Sha256 {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Of all that a reader gives, in pieces: as long as it may be. `seen` gets the
    /// length of each piece.
    ///
    /// # Errors
    /// What the reader says.
    pub fn of_reader(mut reader: impl Read, mut seen: impl FnMut(usize)) -> io::Result<Self> {
        let mut hash = sha2::Sha256::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(Self(hash.finalize().into())),
                Ok(read) => {
                    hash.update(buffer.get(..read).unwrap_or_default());
                    seen(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// As bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Of 64 lower-case hexadecimal digits: a digest has one text, so texts can
    /// be compared.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            *byte = (nibble(*high)? << 4) | nibble(*low)?;
        }
        Some(Self(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => digit.checked_sub(b'0'),
        b'a'..=b'f' => digit.checked_sub(b'a' - 10),
        _ => None,
    }
}

impl From<[u8; 32]> for Sha256 {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// Lower-case hexadecimal.
impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte, then is interrupted, then two, and so on.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(2) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }
    }

    #[test]
    fn a_reader_is_read_to_its_end() {
        let bytes: Vec<u8> = (0..3 * READ_BYTES).map(|at| (at % 251) as u8).collect();
        for length in [0, 1, 63, 64, READ_BYTES, READ_BYTES + 1, bytes.len()] {
            let mut read = 0;
            let digest = Sha256::of_reader(Slow(&bytes[..length], 0), |more| read += more);
            assert_eq!(digest.unwrap(), Sha256::of(&bytes[..length]), "{length}");
            assert_eq!(read, length);
        }
        let broken = io::Read::chain(&bytes[..9], Broken);
        assert!(Sha256::of_reader(broken, |_| {}).is_err());
    }

    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("a bad block"))
        }
    }

    #[test]
    fn a_digest_has_one_text() {
        // FIPS 180-4's example.
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Sha256::of(b"abc").to_string(), text);
        assert_eq!(Sha256::from_hex(text), Some(Sha256::of(b"abc")));
        let upper = text.to_uppercase();
        let long = format!("{text}0");
        for wrong in ["", "g", &text[1..], &upper, &long, &text.replace('b', "é")] {
            assert_eq!(Sha256::from_hex(wrong), None, "{wrong}");
        }
    }
}
