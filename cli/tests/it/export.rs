use std::process::Command;

use ig_signing::{Bundle, Manifest, Password, PrivateKey, PublicKey, Sha256, Signature};

use crate::Work;

/// A folder to export, a key, the same encrypted, and its password.
pub(crate) fn with_files(work: &Work) {
    std::fs::create_dir_all(work.file("export/images")).unwrap();
    work.write("export/people.json", "[]\n");
    work.write("export/images/1.png", "");
    work.write("export/.hidden", "x");
    std::fs::write(work.file("key.pem"), KEY).unwrap();
    let key = PrivateKey::from_pem(KEY.as_bytes(), None).unwrap();
    let sealed = key.to_encrypted_pem(&Password::new(b"secret".to_vec()));
    work.write("cosign.key", &sealed.unwrap());
    work.write("password", "secret\n");
    work.write("review.json", r#"{"reviewer": "alice", "findings": []}"#);
}

/// Of the tests, and of nothing else.
const KEY: &str = include_str!("../../../control-plane/signing/tests/data/openssl/p256.pkcs8.pem");

const MANIFEST: &str =
    "export manifest --files export --tenant alpha --purpose p --created-by user:alpha:a";

#[test]
fn a_manifest_names_every_file() {
    let work = Work::new();
    with_files(&work);
    work.ig(&format!("{MANIFEST} -o m.json"))
        .ok()
        .says("m.json: 3 items, sha256 ");
    let bytes = work.read("m.json");
    let manifest = Manifest::parse(bytes.as_bytes()).unwrap();
    let items = manifest.items().iter();
    let items: Vec<_> = items.map(|item| (&*item.id, item.sha256)).collect();
    let expected = [
        (".hidden", "x"),
        ("images/1.png", ""),
        ("people.json", "[]\n"),
    ];
    let expected = expected.map(|(id, text)| (id, Sha256::of(text.as_bytes())));
    assert_eq!(items, expected);
    assert_eq!(
        (manifest.tenant(), manifest.purpose(), manifest.created_by()),
        ("alpha", "p", "user:alpha:a")
    );
    // The same files, the same bytes.
    assert_eq!(work.ig(MANIFEST).ok().stdout, bytes);
    let told = work.ig(&format!("{MANIFEST} -o m.json --json")).ok().json();
    assert_eq!(told["items"], 3);
    assert_eq!(told["sha256"], Sha256::of(bytes.as_bytes()).to_string());
}

#[test]
fn what_cannot_be_verified_is_not_written() {
    let work = Work::new();
    with_files(&work);
    work.ig(&format!("{MANIFEST} --json")).exits(2);
    work.ig(&MANIFEST.replace("alpha --purpose", "\u{7} --purpose"))
        .exits(2)
        .says("tenant is not");
    work.ig(&MANIFEST.replace("export --tenant", "nowhere --tenant"))
        .exits(2)
        .says("cannot read the folder nowhere");
    std::os::unix::fs::symlink("people.json", work.file("export/link")).unwrap();
    work.ig(MANIFEST).exits(2).says("export/link is no file");
    std::fs::remove_file(work.file("export/link")).unwrap();
    work.write("export/a\\b", "");
    work.ig(MANIFEST).exits(2).says("without backslashes");
}

/// What is written verifies, with each form of the key.
#[test]
fn a_signature_verifies() {
    let work = Work::new();
    with_files(&work);
    work.ig(&format!("{MANIFEST} -o m.json")).ok();
    let digest = Sha256::of(work.read("m.json").as_bytes());
    for (index, key) in ["--key key.pem", "--key cosign.key --password-file password"]
        .into_iter()
        .enumerate()
    {
        let line = format!("export sign --manifest m.json {key} --out out{index}");
        let told = work.ig(&format!("{line} --json")).ok().json();
        let read = |name: &str| work.read(told[name].as_str().unwrap());
        assert_eq!(told["bundle"], format!("out{index}/m.sigstore.json"));
        assert_eq!(told["signature"], format!("out{index}/m.json.sig"));
        assert_eq!(told["publicKey"], format!("out{index}/m.json.pem"));
        assert_eq!(told["sha256"], digest.to_string());
        let public = PublicKey::from_pem(read("publicKey").as_bytes()).unwrap();
        assert_eq!(told["keyId"], public.key_id());
        let bundle = Bundle::parse(read("bundle").as_bytes()).unwrap();
        bundle.verify(&public, &digest).unwrap();
        let bare = Signature::from_detached(read("signature").as_bytes()).unwrap();
        public.verify(&digest, &bare).unwrap();
        work.ig(&line).ok().says("m.sigstore.json");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_ig"));
    command.args("export sign --manifest m.json --key cosign.key --out out".split(' '));
    work.run(command.env("COSIGN_PASSWORD", "secret")).ok();
}

#[test]
fn what_is_no_manifest_or_key_is_not_signed() {
    let work = Work::new();
    with_files(&work);
    work.ig(&format!("{MANIFEST} -o m.json")).ok();
    work.write("bad.json", "{\"version\":\"0.2\",\"version\":\"0.2\"}");
    work.write("wrong", "other\n");
    work.write("lines", "secret\nsecret\n");
    work.write("open", "secret\n");
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(work.file("open"), everybody).unwrap();
    let sign = |rest: &str| work.ig(&format!("export sign {rest}"));
    sign("--manifest bad.json --key key.pem --out out")
        .exits(1)
        .says("version is there twice");
    for (rest, why) in [
        (
            "--manifest m.json --key m.json --out out",
            "is no private key",
        ),
        (
            "--manifest m.json --key cosign.key --out out",
            "--password-file",
        ),
        (
            "--manifest m.json --key cosign.key --password-file wrong --out out",
            "the password is wrong",
        ),
        (
            "--manifest m.json --key cosign.key --password-file nowhere --out out",
            "cannot read nowhere",
        ),
        (
            "--manifest m.json --key cosign.key --password-file lines --out out",
            "lines has more than one line",
        ),
        (
            "--manifest m.json --key cosign.key --password-file open --out out",
            "open may be written by everybody",
        ),
        (
            "--manifest m.json --key pkcs11:token=a;object=b?pin-value=secret --out out",
            "put it into a file",
        ),
        (
            "--manifest m.json --key pkcs11:token=a --out out",
            "the PKCS#11 URI: it names no key",
        ),
        (
            "--manifest m.json --key pkcs11:token=a;object=b --out out",
            "module-path",
        ),
        (
            "--manifest nowhere --key key.pem --out out",
            "cannot read nowhere",
        ),
    ] {
        let ran = sign(rest).exits(2).says(why);
        assert!(!ran.stderr.contains("secret"), "{rest}");
    }
    assert!(!work.file("out").exists());
    // A private key under the name of the public one stays.
    std::fs::rename(work.file("key.pem"), work.file("m.json.pem")).unwrap();
    sign("--manifest m.json --key m.json.pem --out .")
        .exits(2)
        .says("would be written over");
    assert_eq!(work.read("m.json.pem"), KEY);
}

/// The page for auditors says how exports are made, too.
#[test]
fn documented_commands_run() {
    let work = Work::new();
    with_files(&work);
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/verifying.md")).unwrap();
    let lines = page
        .lines()
        .filter_map(|line| line.strip_prefix("ig export "));
    let ran = lines.inspect(|line| drop(work.ig(&format!("export {line}")).ok()));
    assert_eq!(ran.count(), 3);
    assert!(work.file("signed/m.sigstore.json").exists());
}

/// What is attested of a file verifies, and is of this file and type.
#[test]
fn an_attestation_verifies() {
    let work = Work::new();
    with_files(&work);
    let line = "export attest export/people.json export/.hidden --type https://example.com/t/v1 \
                --predicate review.json --key key.pem -o a.sigstore.json";
    let told = work.ig(&format!("{line} --json")).ok().json();
    let key = PrivateKey::from_pem(KEY.as_bytes(), None).unwrap();
    assert_eq!(told["keyId"], key.public().key_id());
    assert_eq!(
        (&told["files"], &told["bundle"]),
        (&2.into(), &"a.sigstore.json".into())
    );
    let bundle = Bundle::parse(work.read("a.sigstore.json").as_bytes()).unwrap();
    let statement = bundle.verify_statement(key.public()).unwrap();
    assert_eq!(statement.predicate_type(), "https://example.com/t/v1");
    assert_eq!(statement.predicate()["reviewer"], "alice");
    let subjects = statement.subjects().iter();
    let subjects: Vec<_> = subjects.map(|one| (&*one.name, one.sha256)).collect();
    let of = |text: &str| Sha256::of(text.as_bytes());
    assert_eq!(
        subjects,
        [("people.json", of("[]\n")), (".hidden", of("x"))]
    );
    // The same is said in the same bytes.
    let first = work.read("a.sigstore.json");
    work.ig(line).ok().says("a.sigstore.json: of 2 files");
    assert_eq!(work.read("a.sigstore.json"), first);
}

#[test]
fn what_is_no_statement_is_not_attested() {
    let work = Work::new();
    with_files(&work);
    work.write("twice.json", r#"{"a": 1, "a": 2}"#);
    work.write("list.json", "[]");
    work.write("large.json", r#"{"a": 9007199254740993}"#);
    let usual = "export/people.json --type t --predicate review.json --key key.pem -o a";
    for (change, to, code, why) in [
        ("review.json", "twice.json", 1, "a is there twice"),
        ("review.json", "list.json", 1, "twice.json is no predicate"),
        (
            "review.json",
            "large.json",
            1,
            "a number that is not exactly",
        ),
        ("review.json", "none.json", 2, "cannot read none.json"),
        ("export/people.json", "export", 2, "cannot read export"),
        ("export/people.json", "none", 2, "cannot read none"),
        ("key.pem", "review.json", 2, "is no private key"),
        ("-o a", "-o key.pem", 2, "would be written over"),
        ("-o a", "-o export/people.json", 2, "would be written over"),
    ] {
        let line = usual.replacen(change, to, 1);
        let why = why.replace("twice.json is", &format!("{to} is"));
        work.ig(&format!("export attest {line}"))
            .exits(code)
            .says(&why);
    }
    assert!(!work.file("a").exists());
    assert_eq!(work.read("key.pem"), KEY);
}
