//! Whether every panel of every dashboard shows something: a real Prometheus reads
//! the demo under load, and is asked what Grafana would ask.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use ig_authenticator::Authenticator;
use serde_json::{Value, json};

use super::tour::Tour;
use super::{exports, plot};
use crate::background::Background;
use crate::process::Process;
use crate::stack::{Stack, come_and_go};
use crate::{net, tools};

const READY: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(3);
/// Of requests of every kind, before and after exports.
const LOAD: Duration = Duration::from_secs(15);
/// How much of the time before now a panel shows, in seconds.
const SHOWN: u64 = 60;

/// Panels that the demo has nothing for, and why.
const EMPTY: [(&str, &str); 0] = [];

/// A Prometheus beside the demo.
pub(super) struct Watch {
    process: Background,
    url: String,
}

/// What a query of a panel gave.
pub(super) struct Shown {
    dashboard: String,
    panel: String,
    query: String,
    /// Name, and values with their seconds.
    series: Vec<plot::Series>,
}

impl Watch {
    /// Starts one in a folder. It reads control plane and Envoy each second.
    pub(super) fn start(stack: &Stack, folder: &Path) -> Result<Self> {
        let program = tools::find_program("prometheus")
            .context("no prometheus: cargo xtask setup --with prometheus")?;
        let folder = folder.join("prometheus");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let token = stack.control.call(
            "POST",
            "/tokens",
            &json!({"name": "prometheus", "role": "viewer"}),
        )?;
        let token = token["token"].as_str().context("no token was made")?;
        let host = |url: &str| url.trim_start_matches("http://").to_owned();
        let job = |name: &str, path: &str, url: &str| {
            json!({
                "job_name": name, "metrics_path": path,
                "static_configs": [{"targets": [host(url)]}],
            })
        };
        let mut control = job("control-plane", "/metrics", &stack.control.url);
        control["authorization"] = json!({"credentials": token});
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [tools::root().join("charts/ig-guard/files/rules/*.yaml")],
            "scrape_configs": [control, job("gateway", "/stats/prometheus", &stack.admin_url)],
        });
        // JSON is YAML.
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, config.to_string())?;
        let address = format!("127.0.0.1:{}", net::free_port()?);
        let process = Process::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn");
        let log = folder.join("log");
        let process = Background::start(process, &log)?;
        let url = format!("http://{address}");
        net::wait_for_http(&format!("{url}/-/ready"), READY)
            .with_context(|| format!("see {}", log.display()))?;
        Ok(Self { process, url })
    }

    /// Load, and what else leaves its mark on a dashboard.
    pub(super) fn load(&self, tour: &Tour<'_>, key: &mut Authenticator) -> Result<()> {
        let control = &tour.stack.control;
        spend(tour.stack)?;
        tour.repeat(LOAD)?;
        // What is counted for the first time now is seen to grow then.
        exports::run(tour, key)?;
        come_and_go(control)?;
        control
            .ig(&["snapshot", "publish", crate::stack::GRAPH])
            .capture()?;
        tour.repeat(LOAD)
    }

    /// What each query of each panel gives.
    pub(super) fn ask(&self) -> Result<Vec<Shown>> {
        let mut shown = Vec::new();
        for file in dashboards()? {
            let text = std::fs::read_to_string(&file)?;
            let dashboard: Value = serde_json::from_str(&text)
                .with_context(|| format!("{} is no JSON", file.display()))?;
            for panel in dashboard["panels"].as_array().into_iter().flatten() {
                for target in panel["targets"].as_array().into_iter().flatten() {
                    let query = target["expr"].as_str().context("a target has no query")?;
                    let query = query.replace("$graph", ".*");
                    shown.push(Shown {
                        dashboard: dashboard["title"].as_str().unwrap_or_default().to_owned(),
                        panel: panel["title"].as_str().unwrap_or_default().to_owned(),
                        series: self.query(&query)?,
                        query,
                    });
                }
            }
        }
        Ok(shown)
    }

    fn query(&self, query: &str) -> Result<Vec<plot::Series>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let url = format!("{}/api/v1/query_range", self.url);
        let mut answer = net::agent(READY).post(&url).send_form([
            ("query", query),
            ("start", &(now - SHOWN).to_string()),
            ("end", &now.to_string()),
            ("step", "1"),
        ])?;
        let said: Value = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
        ensure!(said["status"] == "success", "{query}: {}", said["error"]);
        let result = said["data"]["result"].as_array();
        Ok(result.into_iter().flatten().map(series).collect())
    }

    pub(super) fn stop(self) {
        self.process.stop(GRACE);
    }
}

fn dashboards() -> Result<Vec<PathBuf>> {
    let folder = tools::root().join("charts/ig-guard/files/dashboards");
    let files = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut files = files.collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// One series: its labels, and the values that are numbers.
fn series(one: &Value) -> plot::Series {
    let labels = one["metric"].as_object().into_iter().flatten();
    let labels = labels.filter(|(name, _)| *name != "__name__");
    let name = labels.map(|(_, value)| value.as_str().unwrap_or_default());
    let values = one["values"].as_array().into_iter().flatten();
    let point = |pair: &Value| {
        let value: f64 = pair[1].as_str()?.parse().ok()?;
        Some((pair[0].as_f64()?, value)).filter(|(_, value)| value.is_finite())
    };
    plot::Series {
        name: name.collect::<Vec<_>>().join(" "),
        points: values.filter_map(point).collect(),
    }
}

/// Prices, usage and a budget, so that requests cost something.
fn spend(stack: &Stack) -> Result<()> {
    let hour = 3_600_000;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let now = u64::try_from(now)? / hour * hour;
    let prices = json!({
        "version": "demo", "currency": "EUR", "effectiveFrom": now - hour,
        "regions": {"*": {
            "cpuSecond": "0.000015", "request": "0.0000002", "gbEgress": "0.12", "replicaHour": "0.05",
        }},
    });
    let control = &stack.control;
    control.call("PUT", "/cost/prices", &prices)?;
    let used = |resource: &str, quantity: &str| json!({"hour": now, "region": "eu-west-1", "resource": resource, "quantity": quantity});
    let usage = json!({
        "source": "demo", "usage": [used("cpuSecond", "90"), used("replicaHour", "1")],
    });
    control.call("POST", "/cost/usage", &usage)?;
    let budget = json!({"tenant": "alpha", "period": "month", "amount": "1"});
    control.call("PUT", "/cost/budgets/alpha", &budget)?;
    Ok(())
}

/// Prints each panel, writes the page, and says whether none is empty that the demo
/// has something for.
pub(super) fn report(shown: &[Shown], page: &Path) -> Result<bool> {
    let mut are_all_there = true;
    let mut charts = Vec::new();
    println!();
    for one in shown {
        let points: usize = one.series.iter().map(|series| series.points.len()).sum();
        let excuse = EMPTY.iter().find(|(panel, _)| *panel == one.panel);
        let (mark, detail) = match (points, excuse) {
            (0, Some((_, why))) => ("    ", format!("nothing: {why}")),
            (0, None) => ("FAIL", format!("nothing: {}", one.query)),
            (_, Some(_)) => (
                "FAIL",
                "has something: the list of empty panels is old".to_owned(),
            ),
            (_, None) => ("ok  ", format!("{} series", one.series.len())),
        };
        are_all_there &= mark != "FAIL";
        println!("{mark} {}: {}: {detail}", one.dashboard, one.panel);
        charts.push((
            format!("{}: {}", one.dashboard, one.panel),
            &one.query,
            &one.series,
        ));
    }
    if let Some(folder) = page.parent() {
        std::fs::create_dir_all(folder).context("cannot make the page's folder")?;
    }
    std::fs::write(page, plot::page("Dashboards over the demo", &charts))
        .with_context(|| format!("cannot write {}", page.display()))?;
    println!("{}", page.display());
    Ok(are_all_there)
}
