use ig_contract::snapshot::{Directory, Link, LinkAttribute};
use ig_contract::step_up::Acr;

use super::*;

mod traffic;

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
[tenants.alpha.issuers."https://login.example"]
claim = "oid"
attribute = "user-name"
[tenants.alpha.issuers."http://localhost:8080/realms/a"]
[tenants.alpha.modes]
persisted-query = "shadow"
[directory]
cluster = "people"
authority = "people.internal"
path-prefix = "/p/"
timeout-ms = 200
ttl-seconds = 30
max-stale-seconds = 60
cache-entries = 100
[step-up]
issuer = "https://ig.example"
keys = [{{ kid = "k1", x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }}]
single-use = ["export:*"]
max-age-seconds = 60
acr = "phrh"
[subscriptions]
retired = "close"
origins = ["https://app.example"]
"#
    );
    let config = Config::parse(&toml).unwrap();
    let head = config.head("r1");
    let step_up = head.step_up.unwrap();
    assert_eq!((step_up.max_age_seconds, step_up.acr), (60, Acr::Hardware));
    assert_eq!(step_up.keys[0].kid, "k1");
    assert!(step_up.is_single_use("export:a") && !step_up.is_single_use("crossTenant:a"));
    assert_eq!(head.limits.max_batch, 5);
    assert_eq!(head.identity.client_claim, "client_id");
    assert_eq!(head.modes.policy, Mode::Shadow);
    let store = head.texts.unwrap();
    assert_eq!((store.timeout_ms, store.cache_bytes), (500, 1000));
    let directory = head.directory.unwrap();
    assert_eq!(directory.path_prefix, "/p/");
    let times = (directory.ttl_seconds, directory.max_stale_seconds);
    assert_eq!((directory.timeout_ms, times), (200, (30, 60)));
    assert_eq!(directory.cache_entries, 100);
    let sockets = head.subscriptions.unwrap();
    assert_eq!(sockets.retired, ig_contract::snapshot::Retired::Close);
    assert!(sockets.origins.unwrap().contains("https://app.example"));
    let issuers = &head.tenants["alpha"].issuers;
    let link = &issuers["https://login.example"];
    assert_eq!(
        (link.claim.as_str(), link.attribute),
        ("oid", LinkAttribute::UserName)
    );
    let link = &issuers["http://localhost:8080/realms/a"];
    assert_eq!(*link, Link::default());
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
stepup = "shadow"
"#;
    assert_eq!(
        paths(toml),
        [
            "limits.max-dept",
            "surprise",
            "tenants.alpha.colour",
            "tenants.alpha.modes.stepup",
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
fn what_step_up_needs() {
    let key = "keys = [{ kid = \"k\", x = \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\" }]";
    let directory = "[directory]\ncluster = \"c\"\nauthority = \"a\"\n";
    let good = format!("[step-up]\nissuer = \"https://ig.example\"\n{key}\n");
    let paths = |more: &str| paths(&format!("{LEAST}\n[tenants.alpha]\n{more}"));
    Config::parse(&format!("{LEAST}\n[tenants.alpha]\n{directory}{good}")).unwrap();
    // Nobody would say which tokens were used.
    assert_eq!(paths(&good), ["step-up"]);
    for (from, to, path) in [
        ("https://", "", "step-up.issuer"),
        ("11q", "", "step-up.keys"),
        ("[{", "[] #", "step-up.keys"),
        ("\n", "\nmax-age-seconds = 0\n", "step-up.max-age-seconds"),
        ("\n", "\nsingle-use = [\"a*b\"]\n", "step-up.single-use"),
    ] {
        let wrong = format!("{directory}{}", good.replacen(from, to, 1));
        assert_eq!(paths(&wrong), [path], "{wrong}");
    }
    // What is hardly meant is remarked on, and no more.
    for (more, count) in [
        ("", 0),
        ("max-age-seconds = 120", 0),
        ("max-age-seconds = 121", 1),
        ("single-use = []", 1),
        ("single-use = []\nmax-age-seconds = 3600", 2),
    ] {
        let text = format!("{LEAST}\n[tenants.alpha]\n{directory}{good}{more}\n");
        let head = Config::parse(&text).unwrap().head("r1");
        assert_eq!(remarks(&head).len(), count, "{more}");
    }
}

#[test]
fn what_a_directory_needs() {
    let least = "[tenants.a]\n[directory]\ncluster = \"control-plane\"\nauthority = \"c\"\n";
    let config = Config::parse(&format!("{LEAST}{least}")).unwrap();
    let expected = r#"{"cluster":"control-plane","authority":"c"}"#;
    let expected: Directory = serde_json::from_str(expected).unwrap();
    assert_eq!(config.head("r1").directory, Some(expected));
    // A line more, or in place of one, and where the problem is.
    let table = [
        ("cluster = \"a b\"", "directory.cluster"),
        ("authority = \"\"", "directory.authority"),
        ("path-prefix = \"directory/\"", "directory.path-prefix"),
        ("path-prefix = \"/directory\"", "directory.path-prefix"),
        ("path-prefix = \"/a b/\"", "directory.path-prefix"),
        ("timeout-ms = 0", "directory.timeout-ms"),
        ("timeout-ms = 60001", "directory.timeout-ms"),
        ("ttl-seconds = 0", "directory.ttl-seconds"),
        ("max-stale-seconds = 0", "directory.max-stale-seconds"),
        ("cache-entries = 0", "directory.cache-entries"),
        ("cache = 0", "directory.cache"),
    ];
    for (line, path) in table {
        let key = line.split(' ').next().unwrap();
        let others = least
            .lines()
            .filter(|other| !other.starts_with(&format!("{key} =")));
        let toml: Vec<_> = others.chain([line]).collect();
        assert_eq!(
            paths(&format!("{LEAST}{}", toml.join("\n"))),
            [path],
            "{line}"
        );
    }
}

#[test]
fn origins_are_as_browsers_write_them() {
    let with = |origin: &str| {
        let tenant = "[tenants.alpha]\nregion = \"eu\"\n";
        Config::parse(&format!(
            "{LEAST}{tenant}[subscriptions]\norigins = [\"{origin}\"]\n"
        ))
    };
    for good in [
        "https://app.example",
        "http://localhost:3000",
        "https://[::1]:8443",
        "https://xn--bcher-kva.example",
    ] {
        assert!(with(good).is_ok(), "{good}");
    }
    for wrong in [
        "",
        "*",
        "null",
        "app.example",
        "https://",
        "https://app.example/",
        "https://App.example",
        "https://app.example:443",
        "http://app.example:80",
        "wss://app.example",
        "https://:8443",
        "https://a..:1:2",
        "https://app.example:99999",
        "https://[::1",
        "https://[0:0::1]",
        "https://user@app.example",
        "https://bücher.example",
        "file:///etc",
    ] {
        let problems = with(wrong).unwrap_err();
        assert_eq!(problems.0[0].path, "subscriptions.origins", "{wrong}");
    }
}

#[test]
fn issuers_are_urls_with_a_claim() {
    let of = |issuer: &str, link: &str| {
        let toml = format!("{LEAST}[tenants.a.issuers]\n\"{issuer}\" = {{ {link} }}\n");
        Config::parse(&toml)
            .err()
            .map(|problems| problems.0[0].path.clone())
    };
    for issuer in ["https://a", "http://a:8080/b", "https://a/b?c=d"] {
        assert_eq!(of(issuer, ""), None, "{issuer}");
    }
    for issuer in [
        "",
        "a",
        "https://",
        "https:///a",
        "ftp://a",
        "HTTPS://a",
        "https://a b",
    ] {
        let path = format!("tenants.a.issuers.{issuer}");
        assert_eq!(of(issuer, ""), Some(path), "{issuer}");
    }
    let claim = "tenants.a.issuers.https://a.claim".to_owned();
    // None that can be given to somebody else.
    for name in ["", "a b", "email", "phone_number", "preferred_username"] {
        let link = format!("claim = \"{name}\"");
        assert_eq!(of("https://a", &link), Some(claim.clone()), "{name}");
    }
    for name in ["sub", "oid", "uid", "https://a/email"] {
        assert_eq!(
            of("https://a", &format!("claim = \"{name}\"")),
            None,
            "{name}"
        );
    }
    for attribute in ["external-id", "user-name", "externalId", "userName"] {
        let link = format!("attribute = \"{attribute}\"");
        assert_eq!(of("https://a", &link), None, "{attribute}");
    }
    assert_eq!(
        of("https://a", "attribute = \"email\""),
        Some(String::new())
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
    let least = r#"{"cluster":"control-plane","authority":"control-plane"}"#;
    let directory: Directory = serde_json::from_str(least).unwrap();
    assert_eq!(head.directory, Some(directory));
    let stored = whole.replace("texts = \"embedded\"", "# ") + store;
    assert!(matches!(
        Config::parse(&stored).unwrap().texts,
        Texts::Store(_)
    ));
}
