//! All Envoys of a benchmark, side by side, so that rounds can alternate.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::arms::{self, Arm, Filters, Telling};
use super::load::{Request, Script};
use super::records::Receiver;
use super::{GRACE, READY, upstream};
use crate::background::Background;
use crate::process::Process;
use crate::stack::{Materials, Rendered};
use crate::{net, tools, wasm};

/// Upstream and one Envoy per arm.
pub(super) struct Fleet {
    root: PathBuf,
    folder: PathBuf,
    pub(super) materials: Materials,
    graphql: u16,
    authz: u16,
    traces: u16,
    /// Where an arm tells one.
    receiver: Option<Receiver>,
    _upstream: Background,
    pub(super) running: Vec<Running>,
    pub(super) read: PathBuf,
    pub(super) write: PathBuf,
    /// Id of the query.
    pub(super) read_id: String,
}

/// An Envoy that is ready.
pub(super) struct Running {
    pub(super) arm: &'static Arm,
    pub(super) port: u16,
    pub(super) id: u32,
    process: Background,
}

impl Fleet {
    /// Starts everything.
    pub(super) fn start(
        root: &Path,
        folder: &Path,
        arms: &[&'static Arm],
        other: &Path,
    ) -> Result<Self> {
        let materials = Materials::make(root, folder, false)?;
        let (graphql, authz) = (net::free_port()?, net::free_port()?);
        let traces = net::free_port()?;
        let upstream = upstream::start(folder, graphql, authz, Some(traces))?;
        let token = materials.token("a@alpha.io")?;
        let manifest = std::fs::read(root.join("persisted-queries/manifest.json"))?;
        let manifest: Value = serde_json::from_slice(&manifest)?;
        let id = |name: &str| -> Result<String> {
            let operations = manifest["operations"].as_array();
            let found = operations.and_then(|all| all.iter().find(|one| one["name"] == name));
            let id = found.and_then(|one| one["id"].as_str());
            Ok(id
                .with_context(|| format!("{name} is not catalogued"))?
                .to_owned())
        };
        let (read_id, write_id) = (id("AssetsByCase")?, id("CreateAsset")?);
        let script = Script {
            token: &token,
            read_id: &read_id,
            write_id: &write_id,
        };
        let read = script.write(folder, Request::Read, &[])?;
        let write = script.write(folder, Request::Write, &[])?;
        let is_told = arms
            .iter()
            .any(|arm| arm.whom() == Some(Telling::ControlPlane));
        let receiver = match is_told {
            true => Some(Receiver::start(root, folder, &materials)?),
            false => None,
        };
        let mut fleet = Self {
            root: root.to_owned(),
            folder: folder.to_owned(),
            materials,
            graphql,
            authz,
            traces,
            receiver,
            _upstream: upstream,
            running: Vec::new(),
            read,
            write,
            read_id,
        };
        for (number, arm) in arms.iter().enumerate() {
            let running = fleet.envoy(arm, number, other, None)?;
            fleet.running.push(running);
        }
        Ok(fleet)
    }

    /// Starts one more, with this snapshot.
    pub(super) fn add(&mut self, arm: &'static Arm, snapshot: &Path) -> Result<()> {
        let number = self.running.len();
        let running = self.envoy(arm, number, Path::new(""), Some(snapshot))?;
        self.running.push(running);
        Ok(())
    }

    /// What the stopwatch says of its work.
    pub(super) fn stopwatch(&self, work: &Value) -> Result<Value> {
        let (port, admin) = (net::free_port()?, net::free_port()?);
        let file = self.folder.join("stopwatch.json");
        self.render(&file, port, admin, None)?;
        let mut config: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        arms::with_stopwatch(&mut config, &wasm::output_dir(&self.root), work)?;
        std::fs::write(&file, serde_json::to_vec(&config)?)?;
        let process = self.run(&file, 1, admin, "stopwatch.log")?;
        let agent = net::agent(READY);
        let ask = || -> Result<Value> {
            let mut answer = agent.get(format!("http://127.0.0.1:{port}/")).call()?;
            Ok(serde_json::from_str(&answer.body_mut().read_to_string()?)?)
        };
        // V8 optimises what runs often.
        ask()?;
        let times = ask();
        process.stop(GRACE);
        times
    }

    fn envoy(
        &self,
        arm: &'static Arm,
        number: usize,
        other: &Path,
        snapshot: Option<&Path>,
    ) -> Result<Running> {
        let (port, admin) = (net::free_port()?, net::free_port()?);
        let file = self.folder.join(format!("arm-{number}.json"));
        let whom = arm.whom();
        self.render_telling(&file, port, admin, None, whom)?;
        let mut config: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        arm.configure(
            &mut config,
            &wasm::output_dir(&self.root),
            other,
            self.authz,
        );
        if let Filters::GuardWith(more) = arm.filters {
            arms::with_more(&mut config, more, self.upstream())?;
        }
        if whom == Some(Telling::Nobody) {
            arms::without_log(&mut config)?;
        }
        if let Some(snapshot) = snapshot {
            arms::with_directory(&mut config, &std::fs::read(snapshot)?, self.graphql)?;
        }
        std::fs::write(&file, serde_json::to_vec(&config)?)?;
        let process = self.run(&file, arm.workers, admin, &format!("arm-{number}.log"))?;
        let id = process.id().context("Envoy ended")?;
        if let Some(receiver) = self.receiver(arm) {
            receiver.wait_for_proxy()?;
        }
        Ok(Running {
            arm,
            port,
            id,
            process,
        })
    }

    /// The control plane that an arm tells.
    pub(super) fn receiver(&self, arm: &Arm) -> Option<&Receiver> {
        let is_told = arm.whom() == Some(Telling::ControlPlane);
        self.receiver.as_ref().filter(|_| is_told)
    }

    fn render(&self, file: &Path, port: u16, admin: u16, snapshot: Option<&Path>) -> Result<()> {
        self.render_telling(file, port, admin, snapshot, None)
    }

    fn render_telling(
        &self,
        file: &Path,
        port: u16,
        admin: u16,
        snapshot: Option<&Path>,
        whom: Option<Telling>,
    ) -> Result<()> {
        let log = match whom {
            Some(Telling::Readers) => file.with_extension("access.log"),
            _ => "/dev/null".into(),
        };
        let store = format!("texts=127.0.0.1:{}", self.graphql);
        let rendered = Rendered {
            control_plane: match whom {
                Some(Telling::ControlPlane) => self.receiver.as_ref().map(Receiver::grpc_port),
                _ => None,
            },
            snapshot,
            text_store: snapshot.is_some().then_some(store.as_str()),
            upstream: self.upstream(),
            gateway_port: port,
            admin_port: admin,
            access_log: &log,
            tracing: match whom {
                Some(Telling::Collector(percent)) => Some((self.traces, percent)),
                _ => None,
            },
        };
        self.materials.render(file, &rendered)
    }

    fn upstream(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.graphql))
    }

    fn run(&self, config: &Path, workers: u32, admin: u16, log: &str) -> Result<Background> {
        let log = self.folder.join(log);
        let envoy = Process::new(tools::envoy(&self.root)?.path)
            .arg("--config-path")
            .arg(config)
            .args(["--concurrency", &workers.to_string()])
            .args(["--disable-hot-restart", "--log-level", "warning"])
            .args(["--component-log-level", "wasm:info"]);
        let process = Background::start(envoy, &log)?;
        net::wait_for_http(&format!("http://127.0.0.1:{admin}/ready"), READY)
            .with_context(|| format!("see {}", log.display()))?;
        Ok(process)
    }

    /// Starts an Envoy, with another snapshot if one is given; the longest time one VM took to
    /// take it over, in milliseconds.
    pub(super) fn load(&self, snapshot: Option<&Path>, workers: u32) -> Result<(Background, f64)> {
        let (port, admin) = (net::free_port()?, net::free_port()?);
        let file = self.folder.join("load.json");
        self.render(&file, port, admin, snapshot)?;
        let process = self.run(&file, workers, admin, "load.log")?;
        // One request, so that the worker's VM is surely there.
        let answer = net::agent(READY)
            .post(format!("http://127.0.0.1:{port}/graphql"))
            .header("content-type", "application/json")
            .send("{}")?;
        anyhow::ensure!(answer.status() == 401, "no guard: {}", answer.status());
        let log = std::fs::read_to_string(self.folder.join("load.log"))?;
        let millis = log
            .lines()
            .filter_map(|line| line.split_once(" operations in ")?.1.strip_suffix(" ms"))
            .filter_map(|millis| millis.parse().ok())
            .reduce(f64::max)
            .context("Envoy's log does not say how long the snapshot took")?;
        Ok((process, millis))
    }

    /// Ends the Envoys, and whom they tell.
    pub(super) fn stop(&mut self) {
        for running in self.running.drain(..) {
            running.process.stop(GRACE);
        }
        if let Some(receiver) = self.receiver.take() {
            receiver.stop();
        }
    }
}
