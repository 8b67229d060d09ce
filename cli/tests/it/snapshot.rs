use crate::{COMPILE, Work};

#[test]
fn the_same_input_gives_the_same_revision() {
    let (one, two) = (Work::new().compile(), Work::new().compile());
    assert_eq!(one["revision"], two["revision"]);
    assert_eq!(
        (&one["documents"], &one["operations"]),
        (&2.into(), &2.into())
    );
}

#[test]
fn rejects_write_nothing_unless_told_to_skip_them() {
    let work = Work::new();
    work.write("operations/Bad.graphql", "query Bad { nothing }");
    work.ig(COMPILE)
        .exits(1)
        .says("Bad")
        .says("--skip-rejected");
    assert!(!work.file("guard.igsnap").exists());
    work.ig(&format!("{COMPILE} --skip-rejected"))
        .ok()
        .says("2 operations");
}

#[test]
fn problems_of_the_configuration_are_all_listed() {
    let work = Work::new();
    work.write(
        "guard.toml",
        &work
            .read("guard.toml")
            .replace("/graphql", "graphql?")
            .replace("eu-west-1", "eu west"),
    );
    work.ig(COMPILE)
        .exits(2)
        .says("endpoint:")
        .says("tenants.alpha.region:");
}

#[test]
fn texts_for_a_store_are_named_by_hash() {
    let work = Work::new();
    let compile = COMPILE.replace("guard.toml", "store.toml");
    work.ig(&compile).exits(2).says("--texts DIR");
    work.ig(&format!("{compile} --texts texts")).ok();
    let inspect = "snapshot inspect guard.igsnap --operation CaseById --json";
    let document = work.ig(inspect).ok().json()["document"].clone();
    let hash = document.as_str().unwrap();
    assert!(
        work.read(&format!("texts/{hash}"))
            .contains("query CaseById")
    );
    work.ig(&format!("snapshot inspect guard.igsnap --operation {hash}"))
        .ok()
        .says("in the store");
    work.ig(&format!("{COMPILE} --texts texts"))
        .exits(2)
        .says("[texts.store]");
    work.ig(&format!("{compile} --texts embedded")).ok();
    work.ig("snapshot inspect guard.igsnap --operation CaseById")
        .ok()
        .says("query CaseById");
}

#[test]
fn inspection() {
    let work = Work::new();
    let revision = work.compile()["revision"].clone();
    let value = work.ig("snapshot inspect guard.igsnap --json").ok().json();
    assert_eq!(value["revision"], revision);
    assert_eq!(value["head"]["tenants"]["alpha"]["region"], "eu-west-1");
    let one = work
        .ig("snapshot inspect guard.igsnap --operation CaseById --json")
        .ok()
        .json();
    assert_eq!(one["operation"]["actions"][0]["name"], "case:read");
    work.ig("snapshot inspect guard.igsnap --operation Nothing")
        .exits(1)
        .says("--operations");
    work.ig("snapshot inspect guard.igsnap --operations")
        .ok()
        .says("CaseTitle");
    work.ig("snapshot inspect guard.toml")
        .exits(2)
        .says("not a guard snapshot");
}

#[test]
fn differences() {
    let work = Work::new();
    work.compile();
    std::fs::rename(work.file("guard.igsnap"), work.file("before.igsnap")).unwrap();
    work.write(
        "guard.toml",
        &work.read("guard.toml").replace("eu-west-1", "us-east-1"),
    );
    work.write(
        "operations/CaseTitle.graphql",
        "query CaseTitle($id: ID!) { case(id: $id) { title id } }",
    );
    work.write("operations/New.graphql", "query New { __typename }");
    work.compile();
    let diff = "snapshot diff before.igsnap guard.igsnap";
    work.ig(diff)
        .ok()
        .says("head: tenants.alpha.region: \"eu-west-1\" -> \"us-east-1\"")
        .says("added: New")
        .says("changed: CaseTitle");
    let json = work
        .ig(&format!("{diff} --exit-code --json"))
        .exits(1)
        .json();
    assert_eq!(json["policyChanged"], false);
    work.ig("snapshot diff guard.igsnap guard.igsnap --exit-code")
        .ok();
}
