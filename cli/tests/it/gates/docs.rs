//! What docs/schema-gates.md has besides.

use super::*;

#[test]
fn documented_commands_run() {
    let page = read("docs/schema-gates.md");
    let blocks: Vec<_> = page.split("```sh\n").skip(1).collect();
    assert_eq!(blocks.len(), 2);
    let sandbox = Sandbox::new();
    for block in blocks {
        let script = block.split("```").next().unwrap();
        let tools = [sandbox.tools()];
        sandbox.bash(script, &tools, &BTreeMap::new()).ok();
    }
}

/// The exception of the documentation is one.
#[test]
fn documented_exceptions_are_read() {
    let page = read("docs/schema-gates.md");
    let block = page.split("```toml\n").nth(1).unwrap();
    let work = Work::new();
    work.write("exceptions.toml", block.split("```").next().unwrap());
    work.ig(
        "schema diff schema.graphql schema.graphql --exceptions exceptions.toml --today 2026-11-27",
    )
    .ok()
    .says("the exception for Query.legacyCases is for nothing");
}

/// Every input is on the page.
#[test]
fn every_input_is_documented() {
    let page = read("docs/schema-gates.md");
    let action = yaml(".github/actions/gates/action.yml");
    for name in action["inputs"].as_mapping().unwrap().keys() {
        let name = name.as_str().unwrap();
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}
