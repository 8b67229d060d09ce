//! From a number to an issue: the real Prometheus with the rules that are shipped, the
//! real Alertmanager with the configuration that is shipped, the webhook, the tracker.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use axum::Router;
use axum::routing::get;
use ig_control_plane::TrackerKind;
use serde_json::{Value, json};

use super::rules::{files, program};
use super::{Bench, Database, token_of, wait, workspace};

/// A program that ends with the value.
struct Running(Child);

impl Running {
    fn start(program: &Path, folder: &Path, arguments: &[String]) -> Self {
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Serves a text at `/metrics` until the process ends.
fn exporter(text: Arc<Mutex<String>>) -> SocketAddr {
    let (send, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            send.send(listener.local_addr().unwrap()).unwrap();
            let read = move || async move { text.lock().unwrap().clone() };
            let routes = Router::new().route("/metrics", get(read));
            axum::serve(listener, routes).await.unwrap();
        });
    });
    address.recv().unwrap()
}

/// Prometheus with the shipped rules, looking each second.
fn prometheus(
    folder: &Path,
    targets: &str,
    alertmanager: SocketAddr,
) -> Option<(Running, SocketAddr)> {
    let program = program("prometheus")?;
    let mut config = String::from("global:\n  scrape_interval: 1s\n  evaluation_interval: 1s\n");
    config.push_str("rule_files:\n");
    for file in files() {
        let _ = writeln!(config, "  - {}", file.display());
    }
    let _ = write!(
        config,
        "alerting:\n  alertmanagers:\n    - static_configs:\n        - targets: [\"{alertmanager}\"]\n\
         scrape_configs:\n{targets}"
    );
    std::fs::create_dir(folder).unwrap();
    let file = folder.join("prometheus.yaml");
    std::fs::write(&file, config).unwrap();
    let address = free();
    let arguments = [
        format!("--config.file={}", file.display()),
        format!("--storage.tsdb.path={}", folder.join("data").display()),
        format!("--web.listen-address={address}"),
    ];
    Some((Running::start(&program, folder, &arguments), address))
}

/// Alertmanager with the shipped configuration: another URL, another token's file, and
/// seconds for minutes.
fn alertmanager(folder: &Path, bench: &Bench) -> Option<(Running, SocketAddr)> {
    let program = program("prometheus-alertmanager")?;
    std::fs::create_dir(folder).unwrap();
    let token = folder.join("token");
    std::fs::write(&token, bench.notifier.strip_prefix("Bearer ").unwrap()).unwrap();
    let shipped = workspace("charts/ig-guard/files/alertmanager.yaml");
    let mut config = std::fs::read_to_string(shipped).unwrap();
    for (of, to) in [
        (
            "https://control-plane.example",
            format!("http://{}", bench.control.http),
        ),
        ("/etc/alertmanager/ig-token", token.display().to_string()),
        ("group_wait: 30s", "group_wait: 1s".into()),
        ("group_interval: 5m", "group_interval: 1s".into()),
        ("repeat_interval: 12h", "repeat_interval: 2s".into()),
    ] {
        assert!(config.contains(of), "{of}");
        config = config.replace(of, &to);
    }
    let file = folder.join("alertmanager.yaml");
    std::fs::write(&file, config).unwrap();
    let address = free();
    let arguments = [
        format!("--config.file={}", file.display()),
        format!("--storage.path={}", folder.join("data").display()),
        format!("--web.listen-address={address}"),
        "--cluster.listen-address=".to_owned(),
    ];
    Some((Running::start(&program, folder, &arguments), address))
}

fn states(issues: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let states = issues
        .iter()
        .map(|issue| (text(&issue["title"]), text(&issue["state"])));
    states.collect()
}

/// A month's cost crosses 80 % and 90 % of a budget, and a new price puts it below
/// again.
#[test]
fn a_surge_of_cost_has_an_issue_for_each_mark_until_it_is_over() {
    let bench = Bench::start(&Database::sqlite(), TrackerKind::Github);
    let used = |ratio: &str| {
        format!(
            "# TYPE ig_cost_budget_used_ratio gauge\n\
             ig_cost_budget_used_ratio{{budget=\"alpha\"}} {ratio}\nig_xds_streams 1\n"
        )
    };
    let text = Arc::new(Mutex::new(used("0.5")));
    let exporter = exporter(text.clone());
    let folder = bench.folder.path();
    let Some((_alertmanager, address)) = alertmanager(&folder.join("alertmanager"), &bench) else {
        return;
    };
    let targets =
        format!("  - job_name: ig\n    static_configs:\n      - targets: [\"{exporter}\"]\n");
    let Some((_prometheus, prometheus)) = prometheus(&folder.join("prometheus"), &targets, address)
    else {
        return;
    };
    // It has looked, and nothing fires.
    wait(|| {
        let query = "/api/v1/query?query=ig_cost_budget_used_ratio";
        let url = format!("http://{prometheus}");
        let (_, answer) = ig_e2e::call(&url, &[], "GET", query, b"").ok()?;
        (answer["data"]["result"][0]["value"][1] == "0.5").then_some(())
    });
    assert_eq!(bench.stub.own().len(), 0);
    let set = |ratio: &str| *text.lock().unwrap() = used(ratio);
    let expect = |expected: &[(&str, &str)]| until(&bench, "alpha", expected);
    set("0.81");
    expect(&[("80", "open")]);
    set("0.93");
    expect(&[("80", "open"), ("90", "open")]);
    // It is told of again and again, which changes nothing.
    let (writes, told) = (bench.stub.writes(), webhooks(&bench));
    wait(|| (webhooks(&bench) > told + 3).then_some(()));
    assert_eq!(bench.stub.writes(), writes);
    set("0.85");
    expect(&[("80", "open"), ("90", "closed")]);
    set("0.2");
    expect(&[("80", "closed"), ("90", "closed")]);
    // Again over it: the issue that was.
    set("0.88");
    expect(&[("80", "open"), ("90", "closed")]);
    bench.control.stop().unwrap();
}

/// The same from usage to the issue: what is read is what the control plane counts, by
/// prices, of what was used.
#[test]
fn usage_has_an_issue_for_each_mark_until_it_is_put_right() {
    let bench = Bench::start(&Database::sqlite(), TrackerKind::Gitea);
    let folder = bench.folder.path();
    let Some((_alertmanager, address)) = alertmanager(&folder.join("alertmanager"), &bench) else {
        return;
    };
    let viewer = token_of(&bench.control, "prometheus", "viewer");
    let targets = format!(
        "  - job_name: ig\n    authorization: {{credentials: \"{}\"}}\n    \
         static_configs:\n      - targets: [\"{}\"]\n",
        viewer.strip_prefix("Bearer ").unwrap(),
        bench.control.http
    );
    let Some((_prometheus, prometheus)) = prometheus(&folder.join("prometheus"), &targets, address)
    else {
        return;
    };
    let put = |path: &str, body: Value, expected: u16| {
        let (status, answer) = bench.control.call("PUT", path, body.to_string());
        assert_eq!(status, expected, "{path}: {answer}");
    };
    let prices = json!({
        "version": "v1", "currency": "EUR", "effectiveFrom": 0, "regions": {"*": {
            "cpuSecond": "0", "request": "0", "gbEgress": "0", "replicaHour": "1",
        }},
    });
    put("/cost/prices", prices, 201);
    let budget = json!({"period": "month", "amount": "100"});
    put("/cost/budgets/all", budget, 204);
    // One hour for all of it: what is said of it again replaces what was said.
    let hour = UNIX_EPOCH.elapsed().unwrap().as_secs() / 3600 * 3_600_000;
    let used = |hours: &str| {
        let row = json!({
            "hour": hour, "region": "eu-west-1", "resource": "replicaHour", "quantity": hours,
        });
        let report = json!({"source": "meter", "usage": [row]});
        let (status, answer) = bench
            .control
            .call("POST", "/cost/usage", report.to_string());
        assert_eq!(status, 204, "{answer}");
    };
    used("50");
    wait(|| {
        let query = "/api/v1/query?query=ig_cost_budget_used_ratio";
        let url = format!("http://{prometheus}");
        let (_, answer) = ig_e2e::call(&url, &[], "GET", query, b"").ok()?;
        (answer["data"]["result"][0]["value"][1] == "0.5").then_some(())
    });
    until(&bench, "all", &[]);
    used("81");
    until(&bench, "all", &[("80", "open")]);
    used("93");
    until(&bench, "all", &[("80", "open"), ("90", "open")]);
    used("20");
    until(&bench, "all", &[("80", "closed"), ("90", "closed")]);
    bench.control.stop().unwrap();
}

/// Waits until a budget has these issues, by mark and state, and no others.
fn until(bench: &Bench, budget: &str, expected: &[(&str, &str)]) {
    wait(|| {
        let states = states(&bench.stub.own());
        let is_so = |(mark, state): &(&str, &str)| {
            let of = format!(
                "IgBudget{mark}: budget={budget}: {mark} % of the budget {budget} are used"
            );
            states.contains(&(of, (*state).to_owned()))
        };
        (states.len() == expected.len() && expected.iter().all(is_so)).then_some(())
    });
}

/// Messages that the control plane has taken.
fn webhooks(bench: &Bench) -> u64 {
    let (_, metrics) = bench.control.call("GET", "/metrics", "");
    let text = metrics.as_str().unwrap();
    let mut lines = text.lines();
    let line = lines.find_map(|line| line.strip_prefix("ig_alert_webhooks_total "));
    line.unwrap().parse().unwrap()
}
