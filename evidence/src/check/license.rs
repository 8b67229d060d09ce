//! Licences as expressions of SPDX 2.3, by their grammar. Which names SPDX lists is not
//! known here: that list changes, and a verifier is older than what it reads.

/// The longest expression that is read, in bytes: no licence of a crate comes near it.
const MAX_BYTES: usize = 1024;

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// A licence, or a parenthesis that opens.
    Operand,
    /// The name of an exception.
    Exception,
    /// `WITH`, and whatever may come after an operand.
    License,
    /// `AND`, `OR`, a parenthesis that closes, or the end.
    Done,
}

/// Whether a text is an expression, or says that there is none.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.len() > MAX_BYTES {
        return Err(format!("it is longer than {MAX_BYTES} bytes"));
    }
    if matches!(text, "NONE" | "NOASSERTION") {
        return Ok(());
    }
    let (mut state, mut open) = (State::Operand, 0_usize);
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    for token in spaced.split_whitespace() {
        state = match (state, token) {
            (State::Operand, "(") => {
                open += 1;
                State::Operand
            }
            (State::License | State::Done, ")") => {
                open = open.checked_sub(1).ok_or("a parenthesis closes nothing")?;
                State::Done
            }
            (State::License | State::Done, "AND" | "OR") => State::Operand,
            (State::License, "WITH") => State::Exception,
            (State::Operand, name) if is_license(name) => State::License,
            (State::Exception, name) if is_name(name) => State::Done,
            (_, other) => return Err(format!("{other:?} is not what may stand there")),
        };
    }
    match (state, open) {
        (State::License | State::Done, 0) => Ok(()),
        (State::License | State::Done, _) => Err("a parenthesis is not closed".into()),
        _ => Err("something is missing at its end".into()),
    }
}

/// A name of SPDX's list, perhaps with later versions, or a reference to a text.
fn is_license(name: &str) -> bool {
    let reference = match name.strip_prefix("DocumentRef-") {
        None => name.strip_prefix("LicenseRef-"),
        Some(rest) => match rest.split_once(":LicenseRef-") {
            Some((document, license)) if is_plain(document) => Some(license),
            _ => return false,
        },
    };
    match reference {
        Some(license) => is_plain(license),
        None => is_name(name.strip_suffix('+').unwrap_or(name)),
    }
}

/// A name that is no operator: in small letters, SPDX 2.3 knows none.
fn is_name(name: &str) -> bool {
    let words = ["AND", "OR", "WITH", "NONE", "NOASSERTION"];
    is_plain(name) && !words.iter().any(|word| name.eq_ignore_ascii_case(word))
}

fn is_plain(name: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    !name.is_empty() && name.bytes().all(is_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_told_from_other_texts() {
        for good in [
            "MIT",
            "GPL-2.0+",
            "MIT OR Apache-2.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "((MIT) AND (ISC OR (Zlib)))",
            "LicenseRef-ours",
            "DocumentRef-a:LicenseRef-b AND MIT",
            "NOASSERTION",
            "NONE",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", "missing at its end"),
            (" ", "missing at its end"),
            ("MIT/Apache-2.0", "\"MIT/Apache-2.0\" is not"),
            ("MIT or Apache-2.0", "\"or\" is not"),
            ("MIT, ISC", "\"MIT,\" is not"),
            ("MIT ISC", "\"ISC\" is not"),
            ("MIT OR", "missing at its end"),
            ("OR MIT", "\"OR\" is not"),
            ("MIT AND OR ISC", "\"OR\" is not"),
            ("(MIT", "not closed"),
            ("MIT)", "closes nothing"),
            ("()", "\")\" is not"),
            ("MIT (ISC)", "\"(\" is not"),
            ("(MIT) WITH LLVM-exception", "\"WITH\" is not"),
            ("MIT WITH", "missing at its end"),
            ("MIT WITH (a)", "\"(\" is not"),
            ("MIT WITH a WITH b", "\"WITH\" is not"),
            ("MIT++", "\"MIT++\" is not"),
            ("LicenseRef-", "\"LicenseRef-\" is not"),
            ("DocumentRef-a:MIT", "\"DocumentRef-a:MIT\" is not"),
            ("NOASSERTION OR MIT", "\"NOASSERTION\" is not"),
            ("see the file", "\"the\" is not"),
        ] {
            let said = check(bad).unwrap_err();
            assert!(said.contains(why), "{bad:?}: {said}");
        }
        let long = vec!["MIT"; MAX_BYTES].join(" OR ");
        assert!(check(&long).unwrap_err().contains("longer"));
        let deep = "(".repeat(MAX_BYTES);
        assert!(check(&deep).is_err());
    }
}
