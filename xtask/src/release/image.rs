//! Images of a release, built by Buildah and copied by Skopeo: neither needs a
//! daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};

use super::artifact::Artifact;
use super::base::Base;
use super::dist::{commit, rfc3339, source};
use super::{MODULE, PROGRAMS};
use crate::process::Process;
use crate::tools;

/// Builds the images of `cargo xtask dist`'s folder, and puts them somewhere.
///
/// Three: `ig-control-plane`, which has the programs and the module;
/// `ig-guard`, the module as the OCI artefact that Istio and Envoy Gateway fetch;
/// and `ig-guard` with the tag `<version>-image`, whose only file is /plugin.wasm, to be mounted.
/// The same folder and commit give the same digests, which are printed.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    cargo xtask image --to oci:target/images --base gcr.io/distroless/cc-debian13@sha256:…\n  \
    cargo xtask image --to docker://127.0.0.1:5000/try --plain-http --base scratch")]
pub struct Args {
    /// Folder that `cargo xtask dist` wrote
    #[arg(long, default_value = "target/dist")]
    dist: PathBuf,
    /// `docker://REGISTRY/NAMESPACE`, or `oci:FOLDER` for image layouts
    #[arg(long, value_name = "DESTINATION")]
    to: Destination,
    /// Tag; by default the workspace's version
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"))]
    tag: String,
    /// Base of the control plane's image: a reference with its digest, `oci:FOLDER` or `scratch`
    #[arg(long)]
    base: Base,
    /// The registry speaks HTTP without TLS
    #[arg(long)]
    plain_http: bool,
}

/// Where images go.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Destination {
    Registry(String),
    Folder(PathBuf),
}

impl std::str::FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |rest: &str| !rest.is_empty() && !rest.ends_with('/');
        if let Some(rest) = text.strip_prefix("docker://").filter(|rest| named(rest)) {
            return Ok(Self::Registry(rest.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("oci:").filter(|rest| named(rest)) {
            return Ok(Self::Folder(rest.into()));
        }
        Err("expected docker://REGISTRY/NAMESPACE or oci:FOLDER".into())
    }
}

impl Destination {
    /// As Skopeo names an image there.
    fn of(&self, root: &Path, image: &str, tag: &str) -> Result<String> {
        match self {
            Self::Registry(namespace) => Ok(format!("docker://{namespace}/{image}:{tag}")),
            Self::Folder(folder) => {
                let folder = root.join(folder);
                fs::create_dir_all(&folder)
                    .with_context(|| format!("cannot make {}", folder.display()))?;
                let layout = folder.join(image);
                Ok(format!("oci:{}:{tag}", layout.display()))
            }
        }
    }
}

/// Runs `cargo xtask image`.
///
/// # Errors
/// When a file of the release is missing, or Buildah or Skopeo fails.
pub fn run(args: &Args) -> Result<ExitCode> {
    let root = tools::root();
    let dist = root.join(&args.dist);
    let programs = PROGRAMS.map(|(_, name)| name);
    for name in programs.into_iter().chain([MODULE]) {
        ensure!(
            dist.join(name).is_file(),
            "no {name} in {}: cargo xtask dist",
            dist.display()
        );
    }
    let work = tempfile::tempdir().context("no folder to build in")?;
    let (revision, time) = commit(&root)?;
    let builder = Builder {
        args,
        root: &root,
        dist: &dist,
        work: work.path(),
        revision: &revision,
        time,
    };
    let control = builder.image(
        "ig-control-plane",
        &args.tag,
        "control-plane/Dockerfile",
        Some(args.base.as_str()),
    )?;
    let artifact = builder.artifact()?;
    let plain = format!("{}-image", args.tag);
    let module = builder.image("ig-guard", &plain, "filters/wasm/Dockerfile", None)?;
    for (name, tag, digest) in [
        ("ig-control-plane", &args.tag, control),
        ("ig-guard", &args.tag, artifact),
        ("ig-guard", &plain, module),
    ] {
        println!("{name}:{tag}@{digest}");
    }
    Ok(ExitCode::SUCCESS)
}

/// What all images of one run share.
struct Builder<'a> {
    args: &'a Args,
    root: &'a Path,
    dist: &'a Path,
    work: &'a Path,
    revision: &'a str,
    /// Of the commit, seconds since 1970.
    time: u64,
}

impl Builder<'_> {
    /// Builds by a Dockerfile, whose context is the release's folder.
    fn image(&self, name: &str, tag: &str, file: &str, base: Option<&str>) -> Result<String> {
        let local = format!("localhost/{name}:{tag}");
        let mut build = self.buildah("bud");
        build = build.args(["--isolation", "chroot", "--format", "oci"]);
        // Times of files and of the image: those of the commit.
        build = build.arg(format!("--timestamp={}", self.time));
        let source = source();
        let labels = [
            ("licenses", env!("CARGO_PKG_LICENSE")),
            ("revision", self.revision),
            ("source", &source),
            ("version", &self.args.tag),
        ];
        for (label, value) in labels {
            build = build.arg(format!("--label=org.opencontainers.image.{label}={value}"));
        }
        if let Some(base) = base {
            build = build.arg(format!("--build-arg=BASE={base}"));
        }
        build
            .arg("--file")
            .arg(self.root.join(file))
            .args(["--tag", &local])
            .arg(self.dist)
            .inherit_as_log()?;
        let digest = self.work.join(format!("{name}-{tag}.digest"));
        let mut push = self.buildah("push").args(["--format", "oci"]);
        if self.args.plain_http {
            push = push.arg("--tls-verify=false");
        }
        push.arg("--digestfile")
            .arg(&digest)
            .arg(&local)
            .arg(self.args.to.of(self.root, name, tag)?)
            .inherit_as_log()?;
        let digest = fs::read_to_string(&digest).context("Buildah wrote no digest")?;
        Ok(digest.trim().to_owned())
    }

    fn buildah(&self, command: &str) -> Process {
        // Its own storage, so that nothing of this machine gets into an image.
        Process::new("buildah")
            .arg("--root")
            .arg(self.work.join("storage"))
            .arg("--runroot")
            .arg(self.work.join("run"))
            .args(["--storage-driver", "vfs", command])
    }

    fn artifact(&self) -> Result<String> {
        let module = fs::read(self.dist.join(MODULE)).context("cannot read the module")?;
        let layout = self.work.join("artifact");
        let created = rfc3339(self.time)?;
        let artifact = Artifact {
            module: &module,
            version: &self.args.tag,
            revision: self.revision,
            created: &created,
        };
        let digest = artifact.write(&layout)?;
        let mut copy = Process::new("skopeo").args(["copy", "--preserve-digests"]);
        if self.args.plain_http {
            copy = copy.arg("--dest-tls-verify=false");
        }
        copy.arg(format!("oci:{}:{}", layout.display(), self.args.tag))
            .arg(self.args.to.of(self.root, "ig-guard", &self.args.tag)?)
            .inherit_as_log()?;
        Ok(digest)
    }
}
