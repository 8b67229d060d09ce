//! Exports: manifests, their files, bundles and bare signatures.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use ig_signing::{PrivateKey, Sha256};

use crate::support::{Export, FILES, code, text};

#[test]
fn a_good_export_verifies() {
    let export = Export::new();
    let out = export.manifest("--files files");
    assert_eq!(code(&out), 0, "{}", text(&out));
    let hint = export.key.public().key_id();
    let expected =
        format!("ok           m.json: signed by {hint}\nok           3 of 3 files\nverified\n");
    assert_eq!(text(&out), expected);
    // Without files, that they were not looked at.
    let out = export.manifest("");
    assert_eq!(code(&out), 0);
    assert!(
        text(&out).contains("not checked  files of 3 items"),
        "{}",
        text(&out)
    );
    // With what was given in the folder itself.
    for name in ["m.json", "m.sigstore.json", "cosign.pub"] {
        fs::rename(
            export.path().join(name),
            export.path().join("files").join(name),
        )
        .unwrap();
    }
    let out = export.run(
        "manifest --manifest files/m.json --bundle files/m.sigstore.json --key files/cosign.pub --files files",
    );
    assert_eq!(code(&out), 0, "{}", text(&out));
}

#[test]
fn each_file_that_is_wrong_is_named() {
    let export = Export::new();
    export.write("files/a.txt", b"b");
    fs::remove_file(export.path().join("files/b/c.txt")).unwrap();
    export.write("files/b/more", b"");
    export.write("files/.hidden", b"");
    let name = std::ffi::OsStr::from_bytes(b"files/\xff");
    fs::write(export.path().join(name), b"").unwrap();
    let expected = [
        "changed a.txt",
        "missing b/c.txt",
        "extra .hidden",
        "extra b/more",
        "extra \u{fffd}",
    ];
    assert_eq!(
        export.problems("--files files"),
        (expected.map(Into::into).into(), 1)
    );
    let out = export.manifest("--files files");
    let line = format!(
        "FAILED       items[0] a.txt: its SHA-256 is {}; the manifest says {}\n",
        Sha256::of(b"b"),
        Sha256::of(b"a")
    );
    assert!(text(&out).contains(&line), "{}", text(&out));
    assert!(text(&out).ends_with("NOT VERIFIED: 5 problems\n"));
}

#[test]
fn one_bit_of_a_file_is_a_changed_file() {
    let export = Export::new();
    for bit in 0..8 {
        export.write("files/a.txt", &[b'a' ^ (1 << bit)]);
        assert_eq!(
            export.problems("--files files"),
            (vec!["changed a.txt".into()], 1)
        );
    }
}

#[test]
fn no_id_leads_out_of_the_folder() {
    let secret = Sha256::of(b"secret");
    let ids = [
        "../secret",
        "/etc/passwd",
        "b/../../secret",
        "./a.txt",
        "b//c.txt",
        "b\\c.txt",
        "b/",
    ];
    let export = Export::of(&ids.map(|id| (id, secret)));
    export.write("secret", b"secret");
    let (problems, code) = export.problems("--files files");
    assert_eq!(code, 1);
    let unsafe_names: Vec<_> = ids.iter().map(|id| format!("unsafe-name {id}")).collect();
    assert_eq!(problems[..ids.len()], unsafe_names);
}

#[test]
fn links_and_folders_are_no_files() {
    let secret = Sha256::of(b"secret");
    let export = Export::of(&[("link", secret), ("folder/secret", secret), ("b", secret)]);
    export.write("outside/secret", b"secret");
    for (name, _) in FILES {
        fs::remove_file(export.path().join("files").join(name)).unwrap();
    }
    symlink("../outside/secret", export.path().join("files/link")).unwrap();
    symlink("../outside", export.path().join("files/folder")).unwrap();
    let expected = [
        "not-a-file link",
        "not-a-file folder/secret",
        "not-a-file b",
        "extra folder",
    ];
    assert_eq!(
        export.problems("--files files"),
        (expected.map(Into::into).into(), 1)
    );
}

#[test]
fn what_was_not_signed_does_not_verify() {
    let export = Export::new();
    let good = fs::read(export.path().join("m.json")).unwrap();
    let bundle = fs::read_to_string(export.path().join("m.sigstore.json")).unwrap();
    // One space more: the same manifest, other bytes.
    export.write("m.json", &[&*good, b" "].concat());
    assert_eq!(
        export.problems("--files files"),
        (vec!["signature m.json".into()], 1)
    );
    export.write("m.json", &good);

    let stranger = PrivateKey::generate().unwrap();
    export.write("cosign.pub", stranger.public().to_pem().as_bytes());
    let out = export.manifest("");
    assert_eq!(code(&out), 1);
    assert!(
        text(&out).contains("the bundle is of another key"),
        "{}",
        text(&out)
    );
    let hint = (export.key.public().key_id(), stranger.public().key_id());
    export.write(
        "m.sigstore.json",
        bundle.replace(&hint.0, &hint.1).as_bytes(),
    );
    let out = export.manifest("");
    assert_eq!(code(&out), 1);
    assert!(
        text(&out).contains("not of these bytes by this key"),
        "{}",
        text(&out)
    );

    export.write("m.sigstore.json", b"{}");
    assert_eq!(
        export.problems(""),
        (vec!["malformed m.sigstore.json".into()], 1)
    );
}

#[test]
fn a_signed_manifest_that_is_none_does_not_verify() {
    let export = Export::new();
    export.sign(b"{\"version\":\"0.2\",\"version\":\"0.2\"}");
    let out = export.manifest("--files files");
    assert_eq!(code(&out), 1);
    assert!(
        text(&out).contains("m.json: version is there twice"),
        "{}",
        text(&out)
    );
}

#[test]
fn what_cannot_be_read_is_another_end() {
    let export = Export::new();
    for line in [
        "",
        "manifest",
        "manifest --manifest none --bundle m.sigstore.json --key cosign.pub",
        "manifest --manifest m.json --bundle none --key cosign.pub",
        "manifest --manifest m.json --bundle m.sigstore.json --key none",
        // What to believe is not for the export to say.
        "manifest --manifest m.json --bundle m.sigstore.json --key m.json",
        "manifest --manifest m.json --bundle m.sigstore.json --key cosign.pub --files none",
        "bundle --bundle m.sigstore.json --key cosign.pub none",
        "bundle --bundle m.sigstore.json --key cosign.pub sha256:AB",
        "ledger",
    ] {
        let out = export.run(line);
        assert_eq!(code(&out), 2, "{line}: {}", text(&out));
        assert!(out.stdout.is_empty() && !out.stderr.is_empty(), "{line}");
    }
}

#[test]
fn a_bundle_of_a_file_or_a_digest() {
    let export = Export::new();
    let manifest = fs::read(export.path().join("m.json")).unwrap();
    export.attest();
    let digest = format!("sha256:{}", Sha256::of(&manifest));
    let other = format!("sha256:{}", Sha256::of(b""));
    let key = "--key cosign.pub";
    for (line, expected) in [
        (format!("bundle --bundle m.sigstore.json {key} m.json"), 0),
        (format!("bundle --bundle m.sigstore.json {key} {digest}"), 0),
        (format!("bundle --bundle m.sigstore.json {key} {other}"), 1),
        (
            format!("bundle --bundle m.sigstore.json {key} cosign.pub"),
            1,
        ),
        (
            format!("bundle --bundle m.sigstore.json --type https://t {key} m.json"),
            1,
        ),
        (format!("bundle --bundle a.sigstore.json {key} m.json"), 0),
        (
            format!("bundle --bundle a.sigstore.json --type https://t {key} m.json"),
            0,
        ),
        (
            format!("bundle --bundle a.sigstore.json --type https://u {key} m.json"),
            1,
        ),
        (format!("bundle --bundle a.sigstore.json {key} {other}"), 1),
        (format!("bundle --bundle m.json {key} m.json"), 1),
        (format!("signature --signature m.json.sig {key} m.json"), 0),
        (
            format!("signature --signature m.json.sig {key} {digest}"),
            0,
        ),
        (
            format!("signature --signature m.json.sig {key} cosign.pub"),
            1,
        ),
        (format!("signature --signature m.json {key} m.json"), 1),
    ] {
        let out = export.run(&line);
        assert_eq!(code(&out), expected, "{line}: {}", text(&out));
        let last = if expected == 0 {
            "verified\n"
        } else {
            "NOT VERIFIED: 1 problem\n"
        };
        assert!(text(&out).ends_with(last), "{line}: {}", text(&out));
    }
}

#[test]
fn large_files_are_read_in_pieces() {
    let large = vec![7; (1 << 20) + 1];
    let export = Export::of(&[("large", Sha256::of(&large))]);
    fs::remove_dir_all(export.path().join("files")).unwrap();
    export.write("files/large", &large);
    assert_eq!(export.problems("--files files"), (Vec::new(), 0));
}

#[test]
fn help_has_examples_and_shells_have_completions() {
    let export = Export::new();
    for command in ["manifest", "bundle", "signature", "ledger", "completions"] {
        let out = export.run(&format!("{command} --help"));
        assert_eq!(code(&out), 0);
        assert!(text(&out).contains("Examples:\n  ig-verify"), "{command}");
    }
    let help = text(&export.run("--help"));
    for words in [
        "Exit codes",
        "manifest     Verify a manifest",
        "signature    Verify",
    ] {
        assert!(help.contains(words), "{help}");
    }
    let help = text(&export.run("manifest --help"));
    assert!(help.contains("Without --files"), "{help}");
    let out = export.run("completions bash");
    assert_eq!(code(&out), 0);
    assert!(text(&out).contains("--manifest"));
}
