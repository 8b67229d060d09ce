//! Where keys and passwords are: one set of rules for all of them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ig_signing::file::{self, FileError, MAX_PASSWORD_BYTES};
use ig_signing::source::{Access, OpenError};
use ig_signing::{KeySource, Password, PrivateKey, Sha256, pkcs11};

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// (what is in the file, whether the password is `secret`)
#[test]
fn a_password_is_the_only_line_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let key = crate::key();
    let sealed = key.to_encrypted_pem(&Password::new(b"secret".to_vec()));
    let sealed = sealed.unwrap();
    for (text, is_it) in [
        ("secret", true),
        ("secret\n", true),
        ("secret\r\n", true),
        ("secret ", false),
        (" secret", false),
        ("secret\r", true),
    ] {
        let password = Password::read(&write(folder.path(), "password", text)).unwrap();
        let opened = PrivateKey::from_pem(sealed.as_bytes(), Some(&password));
        assert_eq!(opened.is_ok(), is_it, "{text:?}");
    }
    let longest = "a".repeat(MAX_PASSWORD_BYTES);
    assert!(Password::read(&write(folder.path(), "longest", &longest)).is_ok());
    let too_long = format!("{longest}a");
    for (text, says) in [
        ("", "password is empty"),
        ("\n", "password is empty"),
        ("secret\nmore", "password has more than one line"),
        ("secret\n\n", "password has more than one line"),
        ("\nsecret", "password has more than one line"),
        (&*too_long, "password is longer than 4096 bytes"),
    ] {
        let error = Password::read(&write(folder.path(), "password", text)).unwrap_err();
        assert!(error.to_string().ends_with(says), "{text:?}: {error}");
        assert!(!format!("{error:?}").contains("secret"));
    }
    let missing = Password::read(&folder.path().join("none")).unwrap_err();
    assert!(matches!(missing, FileError::Read(..)), "{missing}");
}

#[test]
fn what_everybody_may_write_is_nobodys_secret() {
    let folder = tempfile::tempdir().unwrap();
    let pem = crate::data("openssl/p256.pkcs8.pem");
    let path = write(folder.path(), "key", pem);
    for (mode, is_good) in [(0o600, true), (0o440, true), (0o644, true), (0o646, false)] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&path, mode.clone()).unwrap();
        assert_eq!(file::read_secret(&path, 4096).is_ok(), is_good, "{mode:?}");
        let opened = KeySource::File(path.clone()).open(Access::default());
        assert_eq!(opened.is_ok(), is_good, "{mode:?}");
        // What is no secret may be anybody's.
        assert!(file::read(&path, 4096).is_ok());
    }
    assert!(matches!(
        file::read(&path, 10),
        Err(FileError::TooLong(_, 10))
    ));
}

#[test]
fn a_file_has_the_key_that_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let key = crate::key();
    let path = write(folder.path(), "key", crate::data("openssl/p256.pkcs8.pem"));
    let source: KeySource = path.display().to_string().parse().unwrap();
    let open = |expected| {
        source.open(Access {
            expected,
            ..Access::default()
        })
    };
    let signer = open(Some(key.public().clone())).unwrap();
    let digest = Sha256::of(b"a");
    let signature = signer.sign(&digest).unwrap();
    signer.public().verify(&digest, &signature).unwrap();
    let other = PrivateKey::generate().unwrap();
    let error = open(Some(other.public().clone())).err().unwrap();
    assert!(matches!(error, OpenError::Key { .. }));
    assert!(
        error.to_string().contains(&other.public().key_id()),
        "{error}"
    );
}

#[test]
fn a_uri_is_no_file() {
    for (text, says) in [
        ("pkcs11:token=a;object=b?pin-value=1", "pin-source"),
        ("pkcs11:", "it names no token"),
        // There is no library, or no PKCS#11 in this build.
        ("pkcs11:token=a;object=b", "PKCS#11"),
        ("pkcs12:token=a", "cannot read pkcs12:token=a"),
    ] {
        let source: KeySource = text.parse().unwrap();
        let error = source.open(Access::default()).err().unwrap().to_string();
        let error = error.replace("which library", "PKCS#11: which library");
        assert!(error.contains(says), "{text}: {error}");
    }
    assert!(!pkcs11::Error::NotBuilt.may_pass());
}

/// Of the two forms of a signature, ours is the lower: PKCS#11's and that of a key in
/// memory alike.
#[test]
fn signatures_have_one_form() {
    let key = crate::key();
    for number in 0..64_u8 {
        let digest = Sha256::of(&[number]);
        let signature = key.sign(&digest).unwrap();
        let der = signature.as_der();
        let s = &der[4 + usize::from(der[3]) + 2..];
        assert!(s.len() <= 32 && (s.len() < 32 || s[0] < 0x80), "{number}");
        key.public().verify(&digest, &signature).unwrap();
    }
}
