use ig_signing::key::{Error, MAX_BYTES, SignatureError};
use ig_signing::{Password, PrivateKey, PublicKey, Sha256, Signature, json};

use crate::data;

fn password(text: &str) -> Password {
    Password::new(text.into())
}

#[test]
fn openssls_keys_are_read() {
    let public = PublicKey::from_pem(&data("openssl/p256.pub.pem")).unwrap();
    for name in ["p256.pkcs8.pem", "p256.sec1.pem"] {
        let key = PrivateKey::from_pem(&data(&format!("openssl/{name}")), None).unwrap();
        assert_eq!(*key.public(), public, "{name}");
        // A password that is not needed does no harm.
        PrivateKey::from_pem(&data(&format!("openssl/{name}")), Some(&password(""))).unwrap();
    }
    assert_eq!(public.to_pem().as_bytes(), data("openssl/p256.pub.pem"));
    // The same key in other words has the same hint.
    let compressed = PublicKey::from_pem(&data("openssl/p256.compressed.pub.pem")).unwrap();
    assert_eq!(compressed, public);
}

#[test]
fn other_keys_are_refused() {
    for name in [
        "secp256k1.pkcs8.pem",
        "secp256k1.sec1.pem",
        "secp256k1.bare.sec1.pem",
        "secp384r1.pkcs8.pem",
        "secp384r1.sec1.pem",
        "ed25519.pkcs8.pem",
    ] {
        let error = PrivateKey::from_pem(&data(&format!("openssl/{name}")), None).unwrap_err();
        assert_eq!(error, Error::NotP256, "{name}");
    }
    for name in ["secp256k1.pub.pem", "secp384r1.pub.pem", "ed25519.pub.pem"] {
        let error = PublicKey::from_pem(&data(&format!("openssl/{name}"))).unwrap_err();
        assert_eq!(error, Error::NotP256, "{name}");
    }
}

#[test]
fn other_files_are_refused() {
    let private = data("openssl/p256.pkcs8.pem");
    let public = data("openssl/p256.pub.pem");
    let label = |found: &str, expected| Error::Label {
        found: found.into(),
        expected,
    };
    let refused = PublicKey::from_pem(&private).unwrap_err();
    assert_eq!(refused, label("PRIVATE KEY", "a public key"));
    let refused = PrivateKey::from_pem(&public, None).unwrap_err();
    assert_eq!(refused, label("PUBLIC KEY", "a private key"));

    let twice = [&*public, &*public].concat();
    let cut = &public[..public.len() - 10];
    let long = vec![b'-'; MAX_BYTES + 1];
    let params = data("openssl/p256.params.sec1.pem");
    for (file, expected) in [
        (&b""[..], Error::Pem),
        (
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            Error::NotP256,
        ),
        (
            b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
            Error::Pem,
        ),
        (&twice, Error::Pem),
        (cut, Error::Pem),
        (&long, Error::TooLong),
        // Two blocks, and the first is no key.
        (&params, Error::Pem),
    ] {
        let shown = String::from_utf8_lossy(file);
        assert_eq!(PublicKey::from_pem(file), Err(expected), "{shown:.80}");
    }
}

#[test]
fn cosigns_key_is_read_by_its_password_only() {
    let file = data("cosign/cosign.key");
    let public = PublicKey::from_pem(&data("cosign/cosign.pub")).unwrap();
    let right = password("correct horse");
    let key = PrivateKey::from_pem(&file, Some(&right)).unwrap();
    assert_eq!(*key.public(), public);
    // As it was called until 2023.
    let old = String::from_utf8(file.clone())
        .unwrap()
        .replace("SIGSTORE", "COSIGN");
    assert!(PrivateKey::from_pem(old.as_bytes(), Some(&right)).is_ok());

    let refused = |password: Option<&Password>| PrivateKey::from_pem(&file, password).unwrap_err();
    assert_eq!(refused(None), Error::NeedsPassword);
    for wrong in ["", "correct horse\n", "Correct horse"] {
        assert_eq!(refused(Some(&password(wrong))), Error::Password);
    }
}

#[test]
fn a_new_key_is_encrypted_and_read_back() {
    let key = PrivateKey::generate().unwrap();
    assert_ne!(key.public(), PrivateKey::generate().unwrap().public());
    let file = key.to_encrypted_pem(&password("p")).unwrap();
    assert!(file.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
    assert_ne!(
        file,
        key.to_encrypted_pem(&password("p")).unwrap(),
        "the salt is new"
    );
    let again = PrivateKey::from_pem(file.as_bytes(), Some(&password("p"))).unwrap();
    assert_eq!(again.public(), key.public());
}

/// What an encrypted key says of itself is not believed before it is checked.
#[test]
fn what_an_encrypted_key_asks_for_is_limited() {
    let envelope = r#"{"kdf":{"name":"scrypt","params":{"N":65536,"r":8,"p":1},"salt":"AAAA"},"cipher":{"name":"nacl/secretbox","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"ciphertext":"AAAA"}"#;
    let open = |envelope: &str| {
        let label = "ENCRYPTED SIGSTORE PRIVATE KEY";
        let pem = sec1::pem::encode_string(label, sec1::LineEnding::LF, envelope.as_bytes());
        PrivateKey::from_pem(pem.unwrap().as_bytes(), Some(&password(""))).unwrap_err()
    };
    assert_eq!(open(envelope), Error::Password);
    for (from, to, expected) in [
        ("65536", "1073741824", Error::Cost),
        ("65536", "1", Error::Cost),
        ("65536", "0", Error::Cost),
        ("\"r\":8", "\"r\":9", Error::Cost),
        ("\"p\":1", "\"p\":1000", Error::Cost),
    ] {
        assert_eq!(open(&envelope.replace(from, to)), expected, "{to}");
    }
    for (from, to, expected) in [
        (
            "65536",
            "-1",
            "kdf.params.N is not a number from 0 to 2^63-1",
        ),
        ("\"scrypt\"", "\"none\"", "kdf.name is not scrypt"),
        ("nacl/", "", "cipher.name is not nacl/secretbox"),
        (
            "AAAAAAAA\"}",
            "\"}",
            "cipher.nonce is not base64 of 24 bytes",
        ),
        ("\"salt\"", "\"sal\"", "kdf.salt is missing"),
        ("{\"kdf\"", "{\"kdf\":1,\"kdf\"", "kdf is there twice"),
    ] {
        let error = open(&envelope.replace(from, to)).to_string();
        assert_eq!(error, format!("the encrypted key: {expected}"));
    }
    assert!(matches!(
        open("{}"),
        Error::Envelope(json::Error::Missing { .. })
    ));
}

#[test]
fn secrets_are_not_shown() {
    let key = crate::key();
    let shown = format!("{key:?} {:?}", password("hunter2"));
    assert_eq!(
        shown,
        format!("PrivateKey({}) Password", key.public().key_id())
    );
}

#[test]
fn cosigns_detached_signature_verifies() {
    let key = PublicKey::from_pem(&data("cosign/cosign.pub")).unwrap();
    let digest = Sha256::of(&data("cosign/manifest.json"));
    let file = data("cosign/manifest.sig");
    let signature = Signature::from_detached(&file).unwrap();
    assert_eq!(key.verify(&digest, &signature), Ok(()));
    assert_eq!(signature.to_detached().as_bytes(), file);
    let other = key.verify(&Sha256::of(b""), &signature);
    assert_eq!(other, Err(SignatureError::Mismatch));
}

#[test]
fn a_detached_signature_is_base64_of_der() {
    let key = crate::key();
    let signature = key.sign(&Sha256::of(b"a")).unwrap();
    assert_eq!(signature, key.sign(&Sha256::of(b"a")).unwrap(), "RFC 6979");
    assert!(signature.as_der().len() <= Signature::MAX_BYTES);
    let text = signature.to_detached();
    let lines = format!("{}\n{}", &text[..20], &text[20..]);
    let hex: String = signature
        .as_der()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let long = "A".repeat(4096);
    for wrong in [
        "",
        "=",
        &text[1..],
        &lines,
        &hex,
        &long,
        &format!("{text}AAAA"),
    ] {
        let error = Signature::from_detached(wrong.as_bytes());
        assert_eq!(error, Err(SignatureError::Malformed), "{wrong}");
    }
    let end = Signature::from_detached(format!("{text}\r\n").as_bytes());
    assert_eq!(end, Ok(signature));
}
