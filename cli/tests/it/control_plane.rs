//! The commands that speak to a control plane, and how they fail.

use std::process::Command;

use ig_e2e::ControlPlane;

use crate::{Ran, Work};

/// A control plane, and a folder of one of every input.
pub(crate) struct Remote {
    pub(crate) work: Work,
    pub(crate) control: ControlPlane,
    folder: tempfile::TempDir,
}

impl Remote {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = ControlPlane::in_folder(folder.path()).unwrap();
        Self {
            work: Work::new(),
            control,
            folder,
        }
    }

    /// The file of its database.
    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.folder.path().join("test.db")
    }

    pub(crate) fn run(&self, command: &mut Command) -> Ran {
        let url = format!("http://{}", self.control.http);
        let token = self.control.token.as_ref().unwrap();
        self.work.run(
            command
                .env("IG_CONTROL_URL", url)
                .env("IG_ADMIN_TOKEN", token),
        )
    }

    /// Runs `ig` with arguments that have no spaces.
    pub(crate) fn ig(&self, arguments: &str) -> Ran {
        self.run(Command::new(env!("CARGO_BIN_EXE_ig")).args(arguments.split_whitespace()))
    }

    /// Gives it the test data, published once.
    pub(crate) fn fill(&self) {
        for command in [
            "catalogue build --schema schema.graphql operations -o manifest.json",
            "schema push schema.graphql --graph demo --tag dev",
            "catalogue push manifest.json --graph demo --tag dev",
            "policy push policies",
            "tenant import guard.toml",
            "graph put demo --settings guard.toml --schema-tag dev --bundle r1",
            "snapshot publish demo",
        ] {
            self.ig(command).ok();
        }
    }
}

#[test]
fn from_nothing_to_a_publication_and_back() {
    let remote = Remote::start();
    remote.fill();
    let here = remote.work.compile();
    let published = remote.ig("snapshot list demo --json").ok().json();
    // The same inputs are the same revision, in a file or at the control plane.
    remote.ig("snapshot get demo -o got.igsnap").ok();
    remote
        .ig("snapshot diff got.igsnap guard.igsnap --exit-code")
        .ok()
        .says(published[0]["revision"].as_str().unwrap());
    assert_eq!(here["revision"], published[0]["revision"]);

    remote
        .ig("tenant put bravo --purpose audit --policy-mode shadow")
        .ok();
    remote.ig("snapshot preview demo -o next.igsnap").ok();
    remote
        .ig("snapshot diff got.igsnap next.igsnap")
        .ok()
        .says("bravo");
    remote.ig("snapshot publish demo").ok().says("published");
    remote
        .ig("snapshot publish demo")
        .ok()
        .says("nothing changed");
    let back = remote.ig("snapshot rollback demo --json").ok().json();
    assert_eq!(back["revision"], published[0]["revision"]);
    let audit = remote.ig("audit --json").ok().json();
    assert_eq!(audit[0]["action"], "snapshot.roll-back");
}

#[test]
fn tags_are_compared() {
    let remote = Remote::start();
    remote.fill();
    remote
        .ig("schema diff registry:demo/dev schema.graphql")
        .ok()
        .says("0 changes");
    crate::schema::edit(&remote.work, "schema.graphql", "  title: String\n", "");
    remote
        .ig("schema diff registry:demo/dev schema.graphql --catalogue manifest.json")
        .exits(1)
        .says("affects CaseById, CaseTitle");
    remote
        .ig("schema diff registry:demo/none schema.graphql")
        .exits(2)
        .says("cannot read registry:demo/none");
}

/// (what is asked, exit code, what it says)
#[test]
fn what_goes_wrong_is_said() {
    let remote = Remote::start();
    remote.fill();
    remote.work.write("other.graphql", "type Query { a: Int }");
    remote.work.write("broken.graphql", "type Query {");
    for (command, code, word) in [
        (
            "schema push other.graphql --graph demo --tag dev",
            1,
            "new tag",
        ),
        (
            "schema push broken.graphql --graph demo --tag next",
            1,
            "status 422",
        ),
        ("schema check broken.graphql", 2, "broken.graphql:1:13:"),
        ("schema get --graph demo --tag none", 1, "not here"),
        (
            "catalogue push operations --graph demo --tag dev",
            2,
            "catalogue build",
        ),
        ("catalogue retire none --graph demo", 1, "none"),
        ("policy activate none --graph demo", 1, "none"),
        ("policy rollback --graph demo", 1, "no other bundle before"),
        ("graph get none", 1, "none"),
        ("access create a --role tenant-admin", 2, "--tenant"),
        ("access create a --role provisioner", 2, "--tenant"),
        (
            "access create a --role viewer --may-confer",
            1,
            "provisioners only",
        ),
        ("tenant put alpha --issuer https://a,b,email", 2, "userName"),
        ("tenant put alpha --issuer https://a,b,c,d", 2, "URL,CLAIM"),
        (
            "tenant put alpha --issuer https://a,email",
            2,
            "neither stable nor unique",
        ),
        ("tenant identity get none", 1, "none"),
        ("tenant identity put none", 1, "none"),
        (
            "tenant identity put alpha --login https://login.example",
            2,
            "URL,AUDIENCE",
        ),
        (
            "tenant identity put alpha --login http://login.example,ig",
            1,
            "https",
        ),
        ("tenant identity put alpha --file guard.toml", 2, "not JSON"),
        (
            "tenant identity put alpha --file a --admin-group b",
            2,
            "cannot be used with",
        ),
        ("step-up rotate --overlap 86401", 2, "86400"),
        ("step-up rotate --overlap 1 --force", 2, "cannot be used"),
        (
            "tenant put alpha --control-url http://example.com",
            2,
            "https",
        ),
        (
            "tenant list --admin-token-file guard.toml",
            2,
            "valid token",
        ),
        (
            "tenant list --control-url http://127.0.0.1:1",
            2,
            "does not answer",
        ),
        ("tenant list --control-url nonsense", 2, "not a URL"),
    ] {
        remote.ig(command).exits(code).says(word);
    }
    let mut bare = Command::new(env!("CARGO_BIN_EXE_ig"));
    bare.args(["tenant", "list"]).env_remove("IG_ADMIN_TOKEN");
    remote.work.run(&mut bare).exits(2).says("IG_ADMIN_TOKEN");
}

#[test]
fn a_token_is_made_used_and_revoked() {
    let remote = Remote::start();
    remote.fill();
    let made = remote.ig("access create reader --role viewer").ok().stdout;
    remote.work.write("token", &made);
    let with = "--admin-token-file token";
    remote.ig(&format!("graph list {with}")).ok().says("demo");
    remote
        .ig(&format!("snapshot publish demo {with}"))
        .exits(2)
        .says("publisher");
    remote.ig("access revoke reader").ok();
    remote.ig(&format!("graph list {with}")).exits(2);
}

#[test]
fn a_tenant_has_issuers_and_an_identity() {
    let remote = Remote::start();
    remote.fill();
    remote
        .ig(
            "tenant set alpha --issuer https://a --issuer https://b,oid \
             --issuer https://c,upn,userName",
        )
        .ok();
    let tenants = remote.ig("tenant list --json").ok().json();
    assert_eq!(
        tenants["alpha"]["issuers"],
        serde_json::json!({
            "https://a": {"claim": "sub", "attribute": "externalId"},
            "https://b": {"claim": "oid", "attribute": "externalId"},
            "https://c": {"claim": "upn", "attribute": "userName"},
        })
    );
    remote.ig("tenant list").ok().says("https://b");
    // Those of a file, too.
    let config = remote.work.read("guard.toml");
    let issuers = "[tenants.alpha.issuers.\"https://d\"]\nclaim = \"oid\"\n";
    remote.work.write("issuers.toml", &(config + issuers));
    remote.ig("tenant import issuers.toml").ok();
    let tenants = remote.ig("tenant list --json").ok().json();
    assert_eq!(tenants["alpha"]["issuers"]["https://d"]["claim"], "oid");

    let empty = remote.ig("tenant identity get alpha --json").ok().json();
    remote
        .ig(
            "tenant identity put alpha --privileged-group analysts --admin-group admins \
             --login https://a,ig --login https://b,ig,https://b/keys",
        )
        .ok();
    let identity = remote.ig("tenant identity get alpha --json").ok().stdout;
    remote.work.write("identity.json", &identity);
    remote
        .ig("tenant identity get alpha")
        .ok()
        .says("admin group")
        .says("https://b");
    remote.ig("tenant identity put alpha").ok();
    let now = remote.ig("tenant identity get alpha --json").ok().json();
    assert_eq!(now, empty);
    remote
        .ig("tenant identity put alpha --file identity.json")
        .ok();
    let now = remote.ig("tenant identity get alpha --json").ok();
    assert_eq!(now.stdout, identity);
    assert_eq!(now.json()["logins"][1]["jwks"], "https://b/keys");
}

/// Whoever changes one thing of a tenant has not said anything of the others.
#[test]
fn what_is_not_given_does_not_go_unseen() {
    let remote = Remote::start();
    remote.fill();
    remote
        .ig(
            "tenant put charlie --region eu-west-1 --purpose audit --group-purpose analyst=audit \
             --issuer https://a,oid --policy-mode shadow --rate-percent 200 --priority high",
        )
        .ok();
    let get = || remote.ig("tenant get charlie --json").ok();
    let whole = get();
    remote.work.write("charlie.json", &whole.stdout);
    remote
        .ig("tenant get charlie")
        .ok()
        .says("https://a")
        .says("shadow");
    let keys = [
        ("--region us-east-1", "region"),
        ("--purpose other", "purposes"),
        ("--group-purpose a=b", "purposesByGroup"),
        ("--issuer https://b", "issuers"),
        ("--step-up-mode shadow", "modes"),
        ("--rate-percent 50", "ratePercent"),
        ("--priority default", "priority"),
    ];
    for (flags, changed) in keys {
        // By `put`, all others would go: it says so, and does nothing.
        let refused = remote.ig(&format!("tenant put charlie {flags}")).exits(2);
        for (_, key) in keys.iter().filter(|(_, key)| *key != changed) {
            assert!(refused.stderr.contains(key), "{flags}: {}", refused.stderr);
        }
        assert_eq!(get().stdout, whole.stdout, "{flags}");
        // By `set`, one changes.
        remote.ig(&format!("tenant set charlie {flags}")).ok();
        let (mut before, mut after) = (whole.json(), get().json());
        assert_ne!(before, after, "{flags}");
        for tenant in [&mut before, &mut after] {
            tenant.as_object_mut().unwrap().remove(changed);
        }
        assert_eq!(before, after, "{flags}");
        remote.ig("tenant put charlie --file charlie.json").ok();
        assert_eq!(get().stdout, whole.stdout);
    }
    // A mode is a setting of its own.
    remote.ig("tenant set charlie --step-up-mode shadow").ok();
    let modes = get().json()["modes"].clone();
    assert_eq!(
        (&modes["policy"], &modes["stepUp"]),
        (&"shadow".into(), &"shadow".into())
    );
    for (setting, key) in [
        ("purpose", "purposes"),
        ("group-purpose", "purposesByGroup"),
        ("issuer", "issuers"),
        ("modes", "modes"),
        ("rate-percent", "ratePercent"),
        ("priority", "priority"),
        ("region", "region"),
    ] {
        remote
            .ig(&format!("tenant set charlie --unset {setting}"))
            .ok();
        let left = get().json()[key].clone();
        assert!(
            left.is_null() || left == serde_json::json!([]),
            "{key}: {left}"
        );
    }
    remote
        .ig("tenant set charlie")
        .exits(2)
        .says("nothing is given");
    remote
        .ig("tenant set charlie --unset issuer --issuer https://a")
        .exits(2);
    remote.ig("tenant set nobody --rate-percent 50").exits(1);
    remote.ig("tenant put charlie --purpose new").ok();
    remote.ig("tenant put charlie --replace").ok();
}

/// A gate that finds nobody has not found that all is well.
#[test]
fn no_proxy_is_no_success() {
    let remote = Remote::start();
    remote.fill();
    remote.ig("proxies").ok();
    remote
        .ig("proxies --exit-code")
        .exits(1)
        .says("no proxy is connected");
    let json = remote.ig("proxies --exit-code --json").exits(1);
    assert_eq!(json.json(), serde_json::json!([]));
    remote.ig("proxies --exit-code --wait 1").exits(1);
    remote.ig("proxies --wait 0").exits(2);
}

#[test]
fn a_provisioner_has_a_tenant_and_nothing_of_the_api() {
    let remote = Remote::start();
    remote.fill();
    remote
        .ig("access create more --role provisioner --tenant alpha --may-confer")
        .ok();
    let made = remote.ig("access create idp --role provisioner --tenant alpha");
    remote.work.write("token", &made.ok().stdout);
    remote
        .ig("tenant list --admin-token-file token")
        .exits(2)
        .says("403");
    let listed = remote.ig("access list").ok().stdout;
    let row = |name: &str| listed.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(
        row("more").contains("provisioner, may confer  alpha"),
        "{listed}"
    );
    assert!(!row("idp").contains("may confer"), "{listed}");
}

#[test]
fn the_key_of_step_up_tokens_is_changed() {
    let remote = Remote::start();
    remote.fill();
    let config = remote.work.read("guard.toml");
    let directory = "\n[directory]\ncluster = \"c\"\nauthority = \"a\"\n";
    remote.work.write("guard.toml", &(config + directory));
    remote
        .ig("graph put demo --settings guard.toml --schema-tag dev --bundle r1")
        .ok();
    remote.ig("snapshot publish demo").ok();
    let before = remote.ig("snapshot list demo --json").ok().json();
    remote
        .ig("step-up rotate --overlap 600")
        .ok()
        .says("signs from");
    remote.ig("step-up rotate").exits(1).says("409");
    let keys = remote.ig("step-up keys --json").ok().json();
    let states: Vec<_> = keys.as_array().unwrap().iter().collect();
    assert_eq!(states.len(), 2);
    assert_eq!(
        (&keys[0]["state"], &keys[1]["state"]),
        (&"next".into(), &"current".into())
    );
    let made = remote.ig("step-up rotate --force --json").ok().json();
    remote
        .ig("step-up keys")
        .ok()
        .says("current")
        .says(made["kid"].as_str().unwrap());
    // What only has other keys is no step back.
    let listed = remote.ig("snapshot list demo --json").ok().json();
    assert_eq!(listed[0]["publishedBy"], "system:step-up-keys");
    assert_eq!(listed[1]["publishedBy"], "system:step-up-keys");
    let back = remote.ig("snapshot rollback demo --json").ok().json();
    assert_eq!(
        back["revision"], before[1]["revision"],
        "without a directory"
    );
}
