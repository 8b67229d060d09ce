use crate::Work;

#[test]
fn a_bundle_is_checked() {
    let work = Work::new();
    work.ig("policy check policies")
        .ok()
        .says("revision r1: 1 file");
    work.write("policies/decision.rego", "package ig\nx := time.now_ns()\n");
    work.ig("policy check policies").exits(1);
    work.write("policies/decision.rego", "package other\n");
    let json = work.ig("policy check policies --json").exits(1).json();
    assert_eq!(json["valid"], false);
    work.ig("policy check nowhere")
        .exits(2)
        .says("cannot read nowhere");
}

#[test]
fn tests_run() {
    let work = Work::new();
    work.ig("policy test policies -v")
        .ok()
        .says("data.ig_test.test_retention: PASS")
        .says("PASS: 3/3")
        .says("coverage: 100%");
    let json = work.ig("policy test policies --json").ok().json();
    assert_eq!(json[0]["package"], "data.ig_test");
    assert!(json[0]["fail"].is_null());
    work.ig("policy test policies --run no-such-test")
        .exits(1)
        .says("no test matches");
}

#[test]
fn failures_and_coverage_are_findings() {
    let work = Work::new();
    let only = "policy test policies --run test_other --min-coverage 99 --coverage";
    work.ig(only)
        .exits(1)
        .says("below 99%")
        .says("not reached:");
    let tests = work
        .read("policies/decision_test.rego")
        .replace("not data", "data");
    work.write("policies/decision_test.rego", &tests);
    work.ig("policy test policies")
        .exits(1)
        .says("test_retention: FAIL")
        .says("FAIL: 2/3");
}

#[test]
fn bundles_are_reproducible_and_the_same_as_the_folder() {
    let work = Work::new();
    work.ig("policy bundle policies -o one.tar.gz").ok();
    work.ig("policy bundle policies -o two.tar.gz").ok();
    let bytes = |name| std::fs::read(work.file(name)).unwrap();
    assert_eq!(bytes("one.tar.gz"), bytes("two.tar.gz"));
    let folder = work.compile()["revision"].clone();
    let packed = crate::COMPILE.replace("--policies policies", "--policies one.tar.gz");
    assert_eq!(
        work.ig(&format!("{packed} --json")).ok().json()["revision"],
        folder
    );
}
