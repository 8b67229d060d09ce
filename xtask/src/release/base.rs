//! What the control plane's image is made from, and whether the programs run on it.

use std::str::FromStr;

use anyhow::{Result, bail};

/// C library, certificates, a user, and nothing to run.
pub(super) const BASE: &str = "gcr.io/distroless/cc-debian13";

/// Its C library, Debian 13's: programs that ask for more do not start there.
const GLIBC: Symbols = Symbols(2, 41);

/// A version of the C library's symbols.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Symbols(u32, u32);

/// Refuses a program that the base's C library has not all symbols for.
///
/// # Errors
/// When it asks for a later version.
pub(super) fn check(name: &str, program: &[u8]) -> Result<()> {
    match asked(program) {
        Some(newest) if newest > GLIBC => bail!(
            "{name} asks for GLIBC_{}.{}, and {BASE} has {}.{}: build on an older distribution, \
             or take a newer base",
            newest.0,
            newest.1,
            GLIBC.0,
            GLIBC.1
        ),
        _ => Ok(()),
    }
}

/// The newest version that a program asks for; `None` where it is linked with no glibc.
/// They stand in the table of names of its dynamic section, each between zeros: `GLIBC_2.34`.
fn asked(program: &[u8]) -> Option<Symbols> {
    let names = program.split(|byte| *byte == 0);
    let versions = names.filter_map(|name| {
        let version = str::from_utf8(name.strip_prefix(b"GLIBC_")?).ok()?;
        let mut numbers = version.split('.').map(u32::from_str);
        Some(Symbols(numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    versions.max()
}

/// A base as the image's builder takes it: what a tag names may change, so a registry's has a
/// digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Base {
    text: String,
    digest: Option<String>,
}

impl Base {
    /// As Buildah takes it.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The repository, and the hexadecimal SHA-256 of the manifest; `None` for what is here.
    pub(super) fn pinned(&self) -> Option<(&str, &str)> {
        let digest = self.digest.as_deref()?;
        let (reference, _) = self.text.split_once('@')?;
        Some((reference, digest))
    }
}

impl FromStr for Base {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_here =
            text == "scratch" || text.starts_with("oci:") || text.starts_with("localhost/");
        let digest = text.split_once("@sha256:").map(|(_, digest)| digest);
        let is_digest = |digest: &&str| {
            digest.len() == 64
                && digest
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        };
        match digest.filter(is_digest) {
            Some(digest) => Ok(Self {
                text: text.to_owned(),
                digest: Some(digest.to_owned()),
            }),
            None if is_here && digest.is_none() => Ok(Self {
                text: text.to_owned(),
                digest: None,
            }),
            None => Err(format!(
                "expected a digest, such as {BASE}@sha256:…: what a tag names may change \
                 (skopeo inspect --format '{{{{.Digest}}}}' docker://{BASE}:nonroot)"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_the_base_cannot_start_are_refused() {
        let program = |versions: &[&str]| {
            let mut bytes = b"\x7fELF\0strtab".to_vec();
            for version in versions {
                bytes.push(0);
                bytes.extend(version.bytes());
            }
            bytes.push(0);
            bytes
        };
        for (versions, newest) in [
            (
                &["GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.9"][..],
                Some(Symbols(2, 34)),
            ),
            (&["GLIBC_PRIVATE", "GLIBC_2.17"], Some(Symbols(2, 17))),
            (&["says GLIBC_9.9"], None),
            (&[], None),
        ] {
            assert_eq!(asked(&program(versions)), newest, "{versions:?}");
        }
        assert!(check("a", &program(&["GLIBC_2.41"])).is_ok());
        let error = check("a", &program(&["GLIBC_2.42"])).unwrap_err();
        assert!(
            error.to_string().contains("a asks for GLIBC_2.42"),
            "{error}"
        );
    }

    /// Of a program of this machine there is another witness.
    #[test]
    fn this_program_asks_for_what_this_machine_has() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let said = std::process::Command::new("getconf")
            .arg("GNU_LIBC_VERSION")
            .output();
        let said = String::from_utf8(said.unwrap().stdout).unwrap();
        let (major, minor) = said
            .trim()
            .trim_start_matches("glibc ")
            .split_once('.')
            .unwrap();
        let here = Symbols(major.parse().unwrap(), minor.parse().unwrap());
        let newest = asked(&program).unwrap();
        assert!(
            newest <= here && newest >= Symbols(2, 17),
            "{newest:?} {here:?}"
        );
    }

    #[test]
    fn a_registrys_base_has_a_digest() {
        let digest = "0123456789abcdef".repeat(4);
        for text in ["scratch", "oci:/some/where:base", "localhost/base"] {
            assert_eq!(text.parse::<Base>().unwrap().pinned(), None, "{text}");
        }
        let text = format!("{BASE}@sha256:{digest}");
        let base: Base = text.parse().unwrap();
        assert_eq!(base.pinned(), Some((BASE, digest.as_str())));
        for text in [BASE, "", "debian", "debian@sha256:abc", "oci:x@sha256:abc"] {
            assert!(text.parse::<Base>().is_err(), "{text}");
        }
    }
}
