use crate::Work;

#[test]
fn valid_operations_pass() {
    let work = Work::new();
    let report = work
        .ig("catalogue check --schema schema.graphql --catalogue operations --json")
        .ok()
        .json();
    assert_eq!(
        (&report[0]["accepted"], &report[0]["rejected"]),
        (&2.into(), &serde_json::json!([]))
    );
}

#[test]
fn invalid_operations_are_listed() {
    let work = Work::new();
    work.write("operations/Bad.graphql", "query Bad { nothing }");
    let check = "catalogue check --schema schema.graphql --catalogue operations";
    work.ig(check)
        .exits(1)
        .says("Bad")
        .says("2 documents accepted, 1 rejected");
    let report = work.ig(&format!("{check} --json")).exits(1).json();
    assert_eq!(report[0]["rejected"][0]["name"], "Bad");
}

#[test]
fn a_built_manifest_is_a_catalogue() {
    let work = Work::new();
    let build = "catalogue build --schema schema.graphql operations";
    work.ig(&format!("{build} -o manifest.json"))
        .ok()
        .says("2 operations");
    assert_eq!(work.ig(build).ok().stdout, work.read("manifest.json"));
    let check = "catalogue check --schema schema.graphql --catalogue manifest.json";
    work.ig(check).ok().says("2 documents accepted");
}

#[test]
fn ids_of_maps_are_kept() {
    let work = Work::new();
    work.write(
        "relay.json",
        r#"{"0c2b": "query A { case(id: 1) { id } }"}"#,
    );
    let manifest = work
        .ig("catalogue import --schema schema.graphql relay.json")
        .ok()
        .json();
    assert_eq!(manifest["operations"][0]["id"], "0c2b");
    assert_eq!(manifest["operations"][0]["type"], "query");
}

#[test]
fn what_cannot_be_read_is_an_error() {
    let work = Work::new();
    work.ig("catalogue check --schema no.graphql --catalogue operations")
        .exits(2)
        .says("cannot read no.graphql");
    work.write("bad.json", "[1, 2");
    work.ig("catalogue check --schema schema.graphql --catalogue bad.json")
        .exits(2);
    work.ig("catalogue check --schema guard.toml --catalogue operations")
        .exits(2)
        .says("guard.toml is not a valid schema");
}

#[test]
fn a_catalogue_is_looked_at() {
    let work = Work::new();
    let check = "catalogue check --schema schema.graphql --catalogue";
    work.ig(&format!("{check} operations --max-cost 100"))
        .ok()
        .says("2 documents accepted, 0 rejected");
    work.ig(&format!("{check} operations --max-cost 0"))
        .exits(1)
        .says("and 0 is the most");
    work.write(
        "operations/CaseTitle.graphql",
        &(work.read("operations/CaseTitle.graphql")
            + "\nfragment Old on Case {\n  ...Older\n}\n\nfragment Older on Case {\n  id\n}\n"),
    );
    work.ig(&format!("{check} operations"))
        .exits(1)
        .says("CaseTitle.graphql:11:1: no operation needs the fragment `Old`")
        .says("CaseTitle.graphql:15:1: no operation needs the fragment `Older`");
    work.ig(&format!("{check} operations --allow unused-fragment"))
        .ok();

    work.write(
        "two.json",
        r#"{"0c2b": "query A { case(id: 1) { id } } query B { case(id: 2) { id } }"}"#,
    );
    let report = work.ig(&format!("{check} two.json --json")).exits(1).json();
    assert_eq!(report[0]["findings"][0]["rule"], "one-operation");
    work.ig(&format!("{check} two.json --allow one-operation"))
        .ok();
}

#[test]
fn what_nobody_uses_is_told() {
    let work = Work::new();
    work.ig("catalogue build --schema schema.graphql operations -o manifest.json")
        .ok();
    let manifest: serde_json::Value = serde_json::from_str(&work.read("manifest.json")).unwrap();
    let hash = |at: usize| {
        manifest["operations"][at]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let now = std::time::SystemTime::now();
    let now = now
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let day = 24 * 60 * 60 * 1000;
    let check = "catalogue check --schema schema.graphql --catalogue manifest.json --usage usage.json --json";
    // Days since it was used, and since it was pushed; the days that count, and
    // whether it is told.
    let cases = [
        (Some(5), 200, 90, false),
        (Some(5), 200, 4, true),
        (Some(100), 200, 90, true),
        // New, so that nobody could use it yet.
        (None, 3, 90, false),
        (None, 89, 90, false),
        (None, 91, 90, true),
    ];
    for (used, pushed, days, told) in cases {
        let listed = serde_json::json!([{
            "hash": hash(0),
            "createdAt": now - pushed * day,
            "lastUsedAt": used.map(|used: u128| now - used * day),
            "uses": 1,
        }]);
        work.write("usage.json", &listed.to_string());
        // The other operation is not listed: it was never pushed.
        let command = format!("{check} --unused-days {days}");
        let report = work.ig(&command).exits(i32::from(told)).json();
        let found = report[0]["findings"].as_array().map_or(0, Vec::len);
        assert_eq!(found, usize::from(told), "{used:?} {pushed} {days}");
        work.ig(&format!("{command} --allow unused-document")).ok();
    }
    let text = check.replace(" --json", "");
    work.ig(&text)
        .exits(1)
        .says("CaseById: was never used, and pushed more than 90 days ago")
        .says("note: --usage lists 1 document of the catalogue; 1 not there yet, so new");
    for wrong in ["{}", r#"[{"hash": "a", "lastUsedAt": 1}]"#] {
        work.write("usage.json", wrong);
        work.ig(check).exits(2).says("ig catalogue list --json");
    }
}
