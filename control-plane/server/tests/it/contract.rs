//! The API does what its document says: schemathesis makes requests of the
//! document, valid ones and others, and judges the answers.

use std::path::{Path, PathBuf};
use std::process::Command;

use ig_e2e::{ControlPlane, fill, workspace};

use crate::databases::Database;

fn schemathesis() -> Option<PathBuf> {
    let binary = workspace().join(".tools/venv/bin/schemathesis");
    if binary.is_file() {
        return Some(binary);
    }
    let missing = "no schemathesis: run `cargo xtask setup --with contract`";
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    eprintln!("SKIPPED: {missing}");
    None
}

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,\
                      unsupported_method,ignored_auth,negative_data_rejection";

/// Names that are there, so that requests get further than 404.
const CONFIG: &str = "[parameters]\n\"path.graph\" = \"demo\"\n\"path.tag\" = \"dev\"\n\
                      \"query.tag\" = \"dev\"\n";

fn run(binary: &Path, control: &ControlPlane, config: &str, arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), config).unwrap();
    let token = control.token.as_ref().unwrap();
    let ran = Command::new(binary)
        .args(["run", &format!("http://{}/openapi.json", control.http)])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args([
            "--checks",
            CHECKS,
            "--warnings",
            "off",
            "--generation-deterministic",
            // Whether values are quick to make says nothing of the API; on a busy machine
            // it is no constant either.
            "--suppress-health-check",
            "filter_too_much,too_slow",
        ])
        .args(arguments)
        .current_dir(folder.path())
        .env("NO_PROXY", "*")
        .env("no_proxy", "*")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{arguments:?}: {said}");
}

#[test]
fn the_api_does_what_its_document_says() {
    let Some(binary) = schemathesis() else { return };
    for database in Database::each() {
        let control = database.start();
        fill(|method, path, body| control.call(method, path, body)).unwrap();
        assert_eq!(control.call("POST", "/snapshots/demo", "").0, 200);
        // A run that revoked its own token would see nothing else, and it makes no
        // Protobuf.
        let others = ["--exclude-path-regex", "^/(tokens/|v1/traces)"];
        let seconds = ["--max-time", "12"];
        let known = [&others[..], &seconds, &["--phases", "coverage,fuzzing"]].concat();
        run(&binary, &control, CONFIG, &known);
        let any = [
            &others[..],
            &seconds,
            &["--phases", "coverage,fuzzing,stateful"],
        ]
        .concat();
        run(&binary, &control, "", &any);
        let tokens = [
            "--include-path-regex",
            "^/tokens/",
            "--phases",
            "coverage,fuzzing",
        ];
        run(
            &binary,
            &control,
            "",
            &[&tokens[..], &["--max-time", "5"]].concat(),
        );
        control.stop().unwrap();
    }
}
