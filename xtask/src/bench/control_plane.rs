//! `cargo xtask bench --control-plane`: publishing under load, and many streams.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};

use super::load::{self, Load, Request, Script};
use super::outcome::Places;
use super::{GRACE, READY, machine, today, upstream, usage};
use crate::background::Background;
use crate::process::Process;
use crate::stack::{Control, GRAPH, Materials, Rendered};
use crate::{net, tools, workspace};

/// Publications that are measured.
const PUBLICATIONS: usize = 100;
/// Streams of the second part.
const STREAMS: usize = 1000;
/// Workers of Envoy.
const WORKERS: u32 = 2;
/// Probes in a row, each a connection of its own, that must be answered anew:
/// the kernel spreads connections over workers.
const PROBES: usize = 10;
const PATIENCE: Duration = Duration::from_secs(20);

/// What was measured.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Figures {
    date: String,
    machine: String,
    publications: usize,
    /// Of the load meanwhile.
    requests_per_second: f64,
    /// Anything but 200.
    failed_requests: u64,
    requests: u64,
    /// Milliseconds: p50, p99 and the longest.
    publish: Spread,
    accepted: Spread,
    enforced: Spread,
    decisions_lost: u64,
    streams: usize,
    streams_reached: Spread,
    streams_opened_millis: f64,
    streams_cpu_millis: f64,
    streams_added_bytes: i64,
}

/// Milliseconds.
#[derive(Serialize)]
struct Spread {
    p50: f64,
    p99: f64,
    max: f64,
}

impl Spread {
    fn of(mut millis: Vec<f64>) -> Self {
        millis.sort_by(f64::total_cmp);
        let at = |part: usize| {
            let index = (millis.len() * part).div_ceil(100).max(1) - 1;
            millis.get(index).copied().unwrap_or(f64::NAN)
        };
        Self {
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} | {:.0} | {:.0}", self.p50, self.p99, self.max)
    }
}

/// Measures, prints, and writes the page and JSON if asked to.
pub(super) fn run(root: &Path, places: &Places) -> Result<bool> {
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let materials = Materials::make(root, folder.path(), false)?;
    let control = Control::start(root, folder.path(), net::free_port()?, net::free_port()?)?;
    control.fill(&materials.config())?;
    let bench = Bench {
        root,
        folder: folder.path(),
        materials,
        control,
    };
    let published = bench.publish_under_load()?;
    let figures = bench.streams(published)?;
    bench.control.stop();
    let page = page(&figures);
    places.tell(&page, &page, &figures)?;
    Ok(figures.failed_requests == 0)
}

struct Bench<'a> {
    root: &'a Path,
    folder: &'a Path,
    materials: Materials,
    control: Control,
}

/// What the first part measured.
struct Published {
    loads: Vec<Load>,
    rounds: Vec<Round>,
    decisions_lost: u64,
}

/// Milliseconds of one publication: until the API answered, and from then until
/// the proxy accepted, and until every probe was answered anew.
struct Round {
    publish: f64,
    accepted: f64,
    enforced: f64,
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

impl Bench<'_> {
    fn publish_under_load(&self) -> Result<Published> {
        let (graphql, authz) = (net::free_port()?, net::free_port()?);
        let _upstream = upstream::start(self.folder, graphql, authz, None)?;
        let (gateway, admin) = (net::free_port()?, net::free_port()?);
        let envoy = self.envoy(graphql, gateway, admin)?;
        self.control.wait_for_proxy()?;
        let script = self.script("a@alpha.io")?;
        let over = AtomicBool::new(false);
        let published = thread::scope(|scope| {
            let loading = scope.spawn(|| -> Result<Vec<Load>> {
                let mut loads = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    loads.push(load::run(gateway, &script, Duration::from_secs(5))?);
                }
                Ok(loads)
            });
            let rounds = (0..PUBLICATIONS)
                .map(|round| self.round(round, gateway))
                .collect::<Result<Vec<_>>>();
            over.store(true, Ordering::Relaxed);
            let loads = loading.join().ok().context("the load ended")??;
            anyhow::Ok((loads, rounds?))
        });
        let (loads, rounds) = published?;
        let metrics = self.call("GET", "/metrics", &Value::Null)?.1;
        let lost = metrics
            .lines()
            .find_map(|line| line.strip_prefix("ig_decisions_lost_total "));
        envoy.stop(GRACE);
        Ok(Published {
            loads,
            rounds,
            decisions_lost: lost.and_then(|lost| lost.trim().parse().ok()).unwrap_or(0),
        })
    }

    fn envoy(&self, upstream: u16, gateway: u16, admin: u16) -> Result<Background> {
        let config = self.folder.join("envoy.json");
        let rendered = Rendered {
            control_plane: Some(self.control.grpc_port),
            snapshot: None,
            text_store: None,
            upstream: SocketAddr::from(([127, 0, 0, 1], upstream)),
            gateway_port: gateway,
            admin_port: admin,
            access_log: Path::new("/dev/null"),
            tracing: None,
        };
        self.materials.render(&config, &rendered)?;
        let envoy = Process::new(tools::envoy(self.root)?.path)
            .arg("--config-path")
            .arg(&config)
            .args(["--concurrency", &WORKERS.to_string()])
            .args(["--disable-hot-restart", "--log-level", "warning"]);
        let log = self.folder.join("envoy.log");
        let envoy = Background::start(envoy, &log)?;
        net::wait_for_http(&format!("http://127.0.0.1:{admin}/ready"), READY)
            .with_context(|| format!("see {}", log.display()))?;
        Ok(envoy)
    }

    fn script(&self, user: &str) -> Result<std::path::PathBuf> {
        let manifest = std::fs::read(self.root.join("persisted-queries/manifest.json"))?;
        let manifest: Value = serde_json::from_slice(&manifest)?;
        let id = |name: &str| {
            let all = manifest["operations"].as_array().into_iter().flatten();
            let one = all
                .filter(|one| one["name"] == name)
                .find_map(|one| one["id"].as_str());
            one.map(ToOwned::to_owned)
                .with_context(|| format!("{name} is not catalogued"))
        };
        let (token, read_id) = (self.materials.token(user)?, id("AssetsByCase")?);
        let script = Script {
            token: &token,
            read_id: &read_id,
            write_id: &read_id,
        };
        script.write(self.folder, Request::Read, &[])
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Result<(u16, String)> {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.control.url))
            .header("authorization", format!("Bearer {}", self.control.token))
            .header("content-type", "application/json")
            .body(body.to_string())?;
        let mut answer = net::agent(PATIENCE).run(request)?;
        let text = answer.body_mut().read_to_string()?;
        Ok((answer.status().as_u16(), text))
    }

    /// Bravo may, or may not: what others are answered does not change.
    fn round(&self, round: usize, gateway: u16) -> Result<Round> {
        let may = round % 2 == 1;
        let purposes: &[&str] = if may { &["investigation"] } else { &[] };
        let tenant = json!({"region": "us-east-1", "purposes": purposes});
        let (status, said) = self.call("PUT", "/tenants/bravo", &tenant)?;
        ensure!(status == 204, "{status} {said}");
        let asked = Instant::now();
        let (status, said) = self.call("POST", &format!("/snapshots/{GRAPH}"), &json!({}))?;
        ensure!(status == 200, "{status} {said}");
        let publish = millis(asked);
        let answered = Instant::now();
        let revision = serde_json::from_str::<Value>(&said)?["revision"].clone();
        // Both are looked at side by side: each takes its own time.
        thread::scope(|scope| {
            let accepted = scope.spawn(|| self.until_accepted(&revision, answered));
            let enforced = self.until_enforced(may, gateway, answered)?;
            let accepted = accepted.join().ok().context("the watch ended")??;
            Ok(Round {
                publish,
                accepted,
                enforced,
            })
        })
    }

    fn until_accepted(&self, revision: &Value, answered: Instant) -> Result<f64> {
        loop {
            let (_, proxies) = self.call("GET", "/proxies", &Value::Null)?;
            let proxies: Value = serde_json::from_str(&proxies)?;
            if proxies[0]["accepted"] == *revision {
                return Ok(millis(answered));
            }
            ensure!(answered.elapsed() < PATIENCE, "never accepted: {proxies}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// When the first of the probes was made that were all answered anew.
    fn until_enforced(&self, may: bool, gateway: u16, answered: Instant) -> Result<f64> {
        let token = self.materials.token("b@bravo.io")?;
        let body = std::fs::read_to_string(self.folder.join("read.lua"))?;
        let body = body
            .lines()
            .find_map(|line| line.strip_prefix("wrk.body = '"));
        let body = body.context("no body")?.trim_end_matches('\'').to_owned();
        let expected = if may { 200 } else { 403 };
        let (mut right, mut since) = (0, 0.0);
        while right < PROBES {
            ensure!(answered.elapsed() < PATIENCE, "never enforced");
            let sent = millis(answered);
            let request = http::Request::post(format!("http://127.0.0.1:{gateway}/graphql"))
                .header("authorization", format!("Bearer {token}"))
                .header("x-ig-purpose", "investigation")
                .header("content-type", "application/json")
                .body(body.clone())?;
            let status = net::agent(PATIENCE).run(request)?.status().as_u16();
            if status != expected {
                right = 0;
                continue;
            }
            if right == 0 {
                since = sent;
            }
            right += 1;
        }
        Ok(since)
    }

    fn streams(&self, published: Published) -> Result<Figures> {
        workspace::build(self.root, workspace::Target::Example, &["streams"])?;
        let id = self.control.id().context("the control plane ended")?;
        let (cpu, memory) = (usage::cpu_time(id)?, usage::resident_bytes(id)?);
        let example = self.root.join("target/debug/examples/streams");
        let peak = AtomicBool::new(false);
        let (said, most) = thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let mut most = memory;
                while !peak.load(Ordering::Relaxed) {
                    most = most.max(usage::resident_bytes(id).unwrap_or(0));
                    thread::sleep(Duration::from_millis(20));
                }
                most
            });
            let said = Process::new(&example)
                .args(["--api", &self.control.url])
                .args([
                    "--grpc",
                    &format!("http://127.0.0.1:{}", self.control.grpc_port),
                ])
                .args(["--graph", GRAPH, "--streams", &STREAMS.to_string()])
                .env("IG_ADMIN_TOKEN", &self.control.token)
                .capture();
            peak.store(true, Ordering::Relaxed);
            (said, watching.join().unwrap_or(memory))
        });
        let said: Value = serde_json::from_str(&said?.stdout)?;
        let rounds = said["rounds"].as_array().cloned().unwrap_or_default();
        let spent = usage::cpu_time(id)?.saturating_sub(cpu);
        let requests = published.loads.iter().map(|one| one.requests).sum();
        let seconds: f64 = published.loads.iter().map(|one| one.seconds).sum();
        let spread = |of: fn(&Round) -> f64| Spread::of(published.rounds.iter().map(of).collect());
        Ok(Figures {
            date: today(),
            machine: machine(),
            publications: PUBLICATIONS,
            requests_per_second: requests as f64 / seconds,
            failed_requests: published.loads.iter().map(|one| one.errors).sum(),
            requests,
            publish: spread(|one| one.publish),
            accepted: spread(|one| one.accepted),
            enforced: spread(|one| one.enforced),
            decisions_lost: published.decisions_lost,
            streams: STREAMS,
            streams_reached: Spread::of(
                rounds
                    .iter()
                    .filter_map(|one| one["reachedAllMillis"].as_f64())
                    .collect(),
            ),
            streams_opened_millis: said["openedMillis"].as_f64().unwrap_or(f64::NAN),
            streams_cpu_millis: spent.as_secs_f64() * 1e3,
            streams_added_bytes: most as i64 - memory as i64,
        })
    }
}

fn page(figures: &Figures) -> String {
    let mut out = format!(
        "# Benchmarks of the control plane\n\n\
         The last run of `cargo xtask bench --control-plane --write`; do not edit by hand.\n\n\
         {}, {}, control plane without optimisation of its own code, SQLite.\n\n\
         {} publications while Envoy ({WORKERS} workers) answers {:.0} requests/s at full load, \
         and sends every decision:\n\n\
         | milliseconds | p50 | p99 | longest |\n|---|---|---|---|\n",
        figures.date, figures.machine, figures.publications, figures.requests_per_second,
    );
    let rows = [
        (
            "compile and publish, until the API answers",
            &figures.publish,
        ),
        ("from then until the proxy has accepted", &figures.accepted),
        (
            "from then until every worker enforces it",
            &figures.enforced,
        ),
    ];
    for (name, spread) in rows {
        let _ = writeln!(out, "| {name} | {spread} |");
    }
    let _ = writeln!(
        out,
        "\n{} of {} requests were not answered with 200; {} decisions were lost.\n\n\
         {} delta streams, each a connection: open, with the first snapshot, after {:.0} ms. A \
         new one had reached all of them {:.0} ms after the API's answer (longest of five; half \
         of them within {:.0} ms). The control plane spent {:.0} ms of CPU on all of that, and \
         {:.1} MiB of memory.\n",
        figures.failed_requests,
        figures.requests,
        figures.decisions_lost,
        figures.streams,
        figures.streams_opened_millis,
        figures.streams_reached.max,
        figures.streams_reached.p50,
        figures.streams_cpu_millis,
        figures.streams_added_bytes as f64 / (1024.0 * 1024.0),
    );
    out.push_str(METHOD);
    out
}

const METHOD: &str = "\
## How it is measured

wrk (one thread, eight connections) asks for one operation as tenant alpha without a pause, through
the demo's configuration, before nginx with a constant answer. Each publication changes what tenant
bravo may; it is enforced once ten requests of bravo in a row, each on a connection of its own, are
answered anew, and the time is that of the first of these ten. All processes share the machine, so
these are times under overload. The streams are opened by one process
(`control-plane/server/examples/streams.rs`) on the same machine.
";
