//! Nothing of a change judges it: programs, inputs, reports, exceptions, operations.

use super::action::ALL;
use super::*;

/// Without tools of its own a runner builds them from the revision of the
/// action, with its toolchain and its lock file, whatever its path has.
#[test]
fn tools_are_built_from_the_pinned_revision() {
    let sandbox = Sandbox::new();
    let bare = sandbox.runner.path().join("bare");
    fs::create_dir(&bare).unwrap();
    let write = |name: &str, script: &str| {
        fs::write(bare.join(name), script).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(bare.join(name), executable).unwrap();
    };
    let ig = sandbox.tools().join("ig");
    write(
        "cargo",
        &format!(
            "#!/bin/sh\necho \"$PWD $*\" >>\"$RUNNER_TEMP/cargo.log\"\n\
             mkdir -p \"$RUNNER_TEMP/ig/bin\"; cp {} \"$RUNNER_TEMP/ig/bin/\"\n",
            ig.display()
        ),
    );
    write("ig", "#!/bin/sh\necho of another day\n");
    let gates = sandbox.runner.path().join("gates");
    fs::create_dir(&gates).unwrap();
    fs::copy(Path::new(ROOT).join("Cargo.toml"), gates.join("Cargo.toml")).unwrap();
    sandbox.tools_step(&gates, &[bare]).ok();
    let log = fs::read_to_string(sandbox.runner.path().join("cargo.log")).unwrap();
    let source = sandbox.runner.path().join("ig/source");
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    for (line, path) in lines.iter().zip(["cli", "cli/verify"]) {
        assert!(
            line.starts_with(&format!("{} install --locked", source.display())),
            "{log}"
        );
        assert!(line.ends_with(&format!(" --path {path}")), "{log}");
    }
    let path = fs::read_to_string(sandbox.runner.path().join("path")).unwrap();
    assert!(path.trim_end().ends_with("/ig/bin"), "{path}");
}

/// What lies above the action's checkout is the change itself: none of it is read.
#[test]
fn what_is_above_the_gates_does_not_build_them() {
    let sandbox = Sandbox::new();
    let work = &sandbox.work;
    let version = env!("CARGO_PKG_VERSION");
    for folder in [".cargo", ".gates/cli/src", ".gates/cli/verify/src"] {
        fs::create_dir_all(work.file(folder)).unwrap();
    }
    let evil = work.file("evil");
    fs::write(
        &evil,
        format!("#!/bin/sh\ntouch {0}.ran\nexec \"$@\"\n", evil.display()),
    )
    .unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&evil, executable).unwrap();
    let config = format!("[build]\nrustc-wrapper = \"{}\"\n", evil.display());
    work.write(".cargo/config.toml", &config);
    work.write("rust-toolchain.toml", "[toolchain]\nchannel = \"1.0.0\"\n");
    work.write(
        ".gates/Cargo.toml",
        &format!(
            "[workspace]\nresolver = \"3\"\nmembers = [\"cli\", \"cli/verify\"]\n\
             [workspace.package]\nversion = \"{version}\"\n"
        ),
    );
    let mut lock = "version = 4\n".to_owned();
    for (folder, name) in [("cli", "ig"), ("cli/verify", "ig-verify")] {
        work.write(
            &format!(".gates/{folder}/Cargo.toml"),
            &format!(
                "[package]\nname = \"{name}\"\nversion.workspace = true\nedition = \"2024\"\n"
            ),
        );
        work.write(
            &format!(".gates/{folder}/src/main.rs"),
            &format!("fn main() {{ println!(\"{name} {version}\"); }}\n"),
        );
        lock += &format!("\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n");
    }
    work.write(".gates/Cargo.lock", &lock);
    work.write(".gates/rust-toolchain.toml", &read("rust-toolchain.toml"));
    sandbox.tools_step(&work.file(".gates"), &[]).ok();
    for tool in ["ig", "ig-verify"] {
        assert!(
            sandbox.runner.path().join("ig/bin").join(tool).exists(),
            "{tool}"
        );
    }
    assert!(
        !work.file("evil.ran").exists(),
        "the change built what judges it"
    );
}

/// Inputs that would leave a gate out, or let the change judge itself.
#[test]
fn inputs_that_make_no_sense_are_refused() {
    let cases: [(&[(&str, &str)], &str); 18] = [
        (
            &[("schema", "api//schema.graphql")],
            "schema must be a path",
        ),
        (&[("schema", "./schema.graphql")], "schema must be a path"),
        (
            &[("schema", "api/../schema.graphql")],
            "schema must be a path",
        ),
        (&[("schema", "/schema.graphql")], "schema must be a path"),
        (&[("schema", "-o")], "schema must be a path"),
        (
            &[("schema", "schema.graphql\n::error::")],
            "schema must be a path",
        ),
        (&[("policies", "policies/.")], "policies must be a path"),
        (
            &[("schema", "schema.graphql"), ("base", "")],
            "base is not known",
        ),
        (
            &[("schema", "schema.graphql"), ("base", "nowhere")],
            "no revision nowhere",
        ),
        (
            &[("schema", "schema.graphql"), ("base", "--all")],
            "no revision --all",
        ),
        (&[("catalogue", "operations")], "give schema"),
        (&[("exceptions", "exceptions.toml")], "give schema"),
        (
            &[("schema", "schema.graphql"), ("usage", "usage.json")],
            "give catalogue",
        ),
        (
            &[("artifact", "build/manifest.json"), ("key", "release.pub")],
            "bundle is not given",
        ),
        (
            &[("bundle", "build/manifest.sigstore.json")],
            "artifact is not given",
        ),
        (&[("tools", "tools")], "tools must not be in the repository"),
        (&[("reports", "link/reports")], "reports leads elsewhere"),
        (
            &[("reports", "policies")],
            "policies is part of the repository",
        ),
    ];
    for (given, says) in cases {
        let sandbox = Sandbox::new();
        symlink(sandbox.runner.path(), sandbox.work.file("link")).unwrap();
        let job = sandbox.action(given);
        assert_eq!(job.ran, ["Inputs"], "{given:?}\n{}", job.log);
        assert_eq!(job.failed, ["Inputs"], "{given:?}\n{}", job.log);
        assert!(job.log.contains(says), "{given:?}\n{}", job.log);
        assert!(job.log.starts_with("== Inputs: 2\n"), "{}", job.log);
        assert!(sandbox.work.file("policies").exists());
    }
}

/// A link above a file makes it new to Git, in the change or in the base.
#[test]
fn links_on_the_way_are_refused() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.work.file("api")).unwrap();
    let schema = sandbox.work.read("schema.graphql");
    sandbox.work.write("api/schema.graphql", &schema);
    commit(&sandbox.work);
    let given = [("schema", "api/schema.graphql"), ("base", "HEAD")];
    let job = sandbox.action(&given);
    assert_eq!(job.failed, [""; 0], "{}", job.log);
    fs::rename(sandbox.work.file("api"), sandbox.work.file("real")).unwrap();
    symlink("real", sandbox.work.file("api")).unwrap();
    let job = sandbox.action(&given);
    assert_eq!(job.failed, ["Inputs"], "{}", job.log);
    commit(&sandbox.work);
    fs::remove_file(sandbox.work.file("api")).unwrap();
    fs::rename(sandbox.work.file("real"), sandbox.work.file("api")).unwrap();
    let job = sandbox.action(&given);
    assert_eq!(job.failed, ["Inputs"], "{}", job.log);
    assert!(job.log.contains("a link in the base, api"), "{}", job.log);
}

/// What lies where reports go is none of this run.
#[test]
fn reports_are_of_this_run() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.work.file("reports")).unwrap();
    sandbox
        .work
        .write("reports/schema-diff.json", "{\"conclusion\": \"success\"}");
    let job = sandbox.action(&ALL[..1]);
    assert_eq!(job.failed, [""; 0], "{}", job.log);
    assert_eq!(sandbox.reports(), ["schema-check.json"]);
    fs::remove_dir_all(sandbox.work.file("reports")).unwrap();
    symlink(sandbox.runner.path(), sandbox.work.file("reports")).unwrap();
    let job = sandbox.action(&ALL[..1]);
    assert_eq!(job.failed, ["Inputs"], "{}", job.log);
    assert!(sandbox.tools().exists());
}

/// How an operation goes out of sight.
type Removal = (&'static str, fn(&Sandbox));

/// What clients send is what the base has, wherever the change puts it.
#[test]
fn operations_of_the_base_are_judged_too() {
    let removals: [Removal; 4] = [
        ("removed", |sandbox| {
            fs::remove_file(sandbox.work.file("operations/CaseTitle.graphql")).unwrap();
        }),
        ("hidden", |sandbox| {
            fs::create_dir(sandbox.work.file("operations/.old")).unwrap();
            let to = sandbox.work.file("operations/.old/CaseTitle.graphql");
            fs::rename(sandbox.work.file("operations/CaseTitle.graphql"), to).unwrap();
        }),
        ("renamed", |sandbox| {
            let to = sandbox.work.file("operations/CaseTitle.txt");
            fs::rename(sandbox.work.file("operations/CaseTitle.graphql"), to).unwrap();
        }),
        ("edited", |sandbox| {
            edit(&sandbox.work, "operations/CaseTitle.graphql", "title", "id");
        }),
    ];
    for (name, remove) in removals {
        let sandbox = Sandbox::new();
        sandbox.work.write(
            "operations/CaseTitle.graphql",
            "query CaseTitle($id: ID!) { case(id: $id) { title } }\n",
        );
        sandbox.work.write(
            "operations/CaseById.graphql",
            "query CaseById($id: ID!) { case(id: $id) { id } }\n",
        );
        commit(&sandbox.work);
        // Attributes are no way to hide one either.
        let ignored = "operations/CaseTitle.graphql export-ignore\n";
        sandbox.work.write(".gitattributes", ignored);
        commit(&sandbox.work);
        edit(&sandbox.work, "schema.graphql", "  title: String\n", "");
        remove(&sandbox);
        let job = sandbox.action(&ALL[..3]);
        assert_eq!(job.failed, ["Change of the schema"], "{name}\n{}", job.log);
        assert!(job.log.contains("CaseTitle"), "{name}\n{}", job.log);
    }
    // One that is added is judged as well, and what is in both counts once.
    let sandbox = Sandbox::new();
    let job = sandbox.action(&ALL[..3]);
    assert!(job.log.contains("of 2 operations"), "{}", job.log);
    // A link is nothing that a gate looks past.
    let file = sandbox.work.file("operations/Link.graphql");
    symlink(sandbox.work.file("schema.graphql"), file).unwrap();
    let job = sandbox.action(&ALL[..3]);
    assert_eq!(
        job.failed,
        ["Change of the schema", "Operations"],
        "{}",
        job.log
    );
}

/// Exceptions and keys count once they are in the base.
#[test]
fn a_change_excuses_nothing_of_its_own() {
    let sandbox = Sandbox::new();
    edit(
        &sandbox.work,
        "schema.graphql",
        ", \"audit\"",
        ", \"audit\", \"x\"",
    );
    sandbox
        .work
        .write("exceptions.toml", &super::inputs::exception());
    let given = [&ALL[..2], &[("exceptions", "exceptions.toml")]].concat();
    let job = sandbox.action(&given);
    assert_eq!(job.failed, ["Change of the schema"], "{}", job.log);
    assert!(job.log.contains("so nothing is excused"), "{}", job.log);
    if !has_verify() {
        return;
    }
    let key = PrivateKey::generate().unwrap();
    let digest = Sha256::of(sandbox.work.read("build/manifest.json").as_bytes());
    let bundle = Bundle::sign(&key, digest).unwrap().to_bytes();
    fs::write(sandbox.work.file("build/manifest.sigstore.json"), bundle).unwrap();
    sandbox.work.write("release.pub", &key.public().to_pem());
    sandbox.work.write("new.pub", &key.public().to_pem());
    for name in ["release.pub", "new.pub"] {
        let given = [&ALL[1..2], &ALL[5..7], &[("key", name)]].concat();
        let job = sandbox.action(&given);
        assert_eq!(job.failed[0], "Signature", "{name}\n{}", job.log);
    }
    // Without a base, there is only what is here.
    let job = sandbox.action(&ALL[5..]);
    assert_eq!(job.failed, [""; 0], "{}", job.log);
}

/// Tools of a runner are taken only if they are those that are wanted, and no
/// gate runs with others.
#[test]
fn tools_of_a_runner_are_the_ones_that_are_wanted() {
    let version = env!("CARGO_PKG_VERSION");
    let cases = [
        ("", version, ""),
        ("", "0.0.1", "and 0.0.1 is wanted"),
        ("/nowhere", "", "/nowhere has no ig that runs"),
    ];
    for (tools, version, says) in cases {
        let sandbox = Sandbox::new();
        let folder = sandbox.tools().display().to_string();
        let tools = if tools.is_empty() { &folder } else { tools };
        let job = sandbox.action(&[
            ("schema", "schema.graphql"),
            ("tools", tools),
            ("version", version),
        ]);
        match says {
            "" => assert_eq!(job.failed, [""; 0], "{}", job.log),
            says => {
                assert_eq!(job.failed, ["Tools", "Reports"], "{}", job.log);
                assert_eq!(job.ran, ["Inputs", "Tools", "Reports"]);
                assert!(job.log.contains(says), "{}", job.log);
            }
        }
    }
}
