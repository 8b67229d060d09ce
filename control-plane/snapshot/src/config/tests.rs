use super::*;

const LEAST: &str =
    "version = 1\ngraph = \"demo\"\nschema-tag = \"dev\"\nendpoint = \"/graphql\"\n";

fn paths(toml: &str) -> Vec<String> {
    let problems = Config::parse(toml).unwrap_err();
    problems.0.into_iter().map(|problem| problem.path).collect()
}

#[test]
fn the_demo_is_valid() {
    let config = Config::parse(include_str!("../../../../envoy/demo/guard.toml")).unwrap();
    let head = config.head("r1");
    assert_eq!(head.graph, "demo");
    assert_eq!(head.policy_revision, "r1");
    assert_eq!(head.tenants["alpha"].region.as_deref(), Some("eu-west-1"));
    assert!(head.tenants["bravo"].purposes.contains("audit"));
    assert_eq!(head.texts, None);
}

#[test]
fn everything_that_can_be_said() {
    let toml = format!(
        r#"{LEAST}
[texts.store]
cluster = "texts"
authority = "texts.local"
path-prefix = "/texts/"
timeout-ms = 500
cache-bytes = 1000
[limits]
max-body-bytes = 1000
max-depth = 10
max-values = 100
max-batch = 5
max-target-bytes = 2000
policy-instructions = 5000
[identity]
metadata-key = "verified"
tenant-claim = "t"
groups-claim = "g"
purposes-claim = "p"
client-claim = "client_id"
[modes]
policy = "shadow"
[tenants.alpha]
region = "eu-west-1"
purposes = ["audit"]
purposes-by-group = {{ analyst = ["audit"] }}
[tenants.alpha.modes]
persisted-query = "shadow"
"#
    );
    let config = Config::parse(&toml).unwrap();
    let head = config.head("r1");
    assert_eq!(head.limits.max_batch, 5);
    assert_eq!(head.identity.client_claim, "client_id");
    assert_eq!(head.modes.policy, Mode::Shadow);
    let store = head.texts.unwrap();
    assert_eq!((store.timeout_ms, store.cache_bytes), (500, 1000));
    // A tenant's mode that is left out is the general one, not `enforce`.
    let modes = head.tenants["alpha"].modes.unwrap();
    assert_eq!(
        (modes.persisted_query, modes.policy),
        (Mode::Shadow, Mode::Shadow)
    );
}

#[test]
fn all_problems_are_listed_with_their_paths() {
    let toml = r#"
version = 2
graph = "de mo"
schema-tag = ""
endpoint = "/graphql?x"
surprise = 1
[limits]
max-depth = 1000
max-dept = 3
[identity]
tenant-claim = ""
[tenants.alpha]
region = "eu west"
purposes = ["a b"]
purposes-by-group = { analyst = ["export"] }
colour = "red"
[tenants.alpha.modes]
policy = "enforce"
step-up = "shadow"
"#;
    assert_eq!(
        paths(toml),
        [
            "limits.max-dept",
            "surprise",
            "tenants.alpha.colour",
            "tenants.alpha.modes.step-up",
            "version",
            "graph",
            "schema-tag",
            "endpoint",
            "limits.max-depth",
            "identity.tenant-claim",
            "tenants.alpha.region",
            "tenants.alpha.purposes",
            "tenants.alpha.purposes-by-group.analyst",
        ]
    );
}

#[test]
fn no_tenants_is_a_problem() {
    assert_eq!(paths(LEAST), ["tenants"]);
}

#[test]
fn a_wrong_type_says_where() {
    let message = Config::parse(&format!("{LEAST}[tenants.a]\nregion = 3\n")).unwrap_err();
    assert!(message.to_string().contains("line 6"), "{message}");
}

#[test]
fn endpoints() {
    for endpoint in [
        "graphql", "", "/", "/a//b", "/a/../b", "/a%2fb", "/a?b", "/a/", "/a;b",
    ] {
        let toml = LEAST.replace("/graphql", endpoint);
        assert!(paths(&toml).contains(&"endpoint".to_owned()), "{endpoint}");
    }
    let toml = LEAST.replace("/graphql", "/v1/api.graphql");
    assert_eq!(paths(&toml), ["tenants"]);
}

/// Both examples of `docs/operating.md`; the second stands in place of a line.
#[test]
fn the_documentation_is_valid() {
    let page = include_str!("../../../../docs/operating.md");
    let blocks: Vec<_> = page.split("```toml\n").skip(1).collect();
    let blocks: Vec<_> = blocks
        .iter()
        .map(|block| block.split("```").next().unwrap())
        .collect();
    let [whole, store] = blocks[..] else {
        panic!("{} examples", blocks.len());
    };
    let config = Config::parse(whole).unwrap();
    assert_eq!(config.texts, Texts::Embedded);
    // What the page calls defaults are the defaults.
    let head = config.head("r1");
    assert_eq!(head.limits, ig_contract::snapshot::Limits::default());
    assert_eq!(head.identity, ig_contract::snapshot::Identity::default());
    let stored = whole.replace("texts = \"embedded\"", "# ") + store;
    assert!(matches!(
        Config::parse(&stored).unwrap().texts,
        Texts::Store(_)
    ));
}
