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
        .says("the schema guard.toml is not valid");
}
