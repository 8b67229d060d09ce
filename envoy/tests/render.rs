//! What is rendered, and that Envoy takes it.

#![allow(clippy::unwrap_used, reason = "tests, helpers included")]

mod envoy;

use std::path::Path;
use std::process::Command;

use ig_contract::snapshot::Residency;
use ig_envoy::{
    AccessLog, Address, ControlPlane, Endpoints, GlobalLimits, Guard, HealthCheck, Jwks,
    JwtProvider, LocalRegion, StaticOptions, TextStore, Tracing, Upstream, UpstreamTls, render,
};
use serde_json::json;

const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","alg":"ES256","use":"sig","kid":"test","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

fn issuer(name: &str, jwks: Jwks) -> JwtProvider {
    JwtProvider {
        name: name.into(),
        issuer: format!("https://{name}.example"),
        audiences: vec!["ig".into()],
        jwks,
        clock_skew_seconds: 60,
    }
}

/// The demo's shape.
fn small(module: &Path) -> StaticOptions {
    let mut options = StaticOptions::new(
        Address::new("127.0.0.1", 10000),
        Address::new("127.0.0.1", 9901),
        Upstream::plain([Address::new("127.0.0.1", 4000)]),
    );
    options
        .guards
        .push(Guard::new(module, b"snapshot".to_vec()));
    options
        .jwt_providers
        .push(issuer("dev", Jwks::Inline(KEYS.into())));
    options
}

/// Everything at once.
fn large(module: &Path, authorities: &Path) -> StaticOptions {
    let mut options = small(module);
    let mut second = Guard::new(module, b"other".to_vec());
    second.name = "ig.policy".into();
    second.vm_id = "ig.policy".into();
    second.root_id = "policy".into();
    options.guards.push(second);
    options.jwt_providers.push(issuer(
        "remote",
        Jwks::Remote {
            uri: "https://login.example/jwks.json".into(),
            endpoints: Endpoints {
                addresses: vec![Address::new("login.example", 443)],
                tls: Some(UpstreamTls {
                    server_name: "login.example".into(),
                    trusted_ca: authorities.into(),
                    identity: None,
                }),
            },
        },
    ));
    options.text_store = Some(TextStore {
        cluster: "texts".into(),
        endpoints: Endpoints::plain([Address::new("texts.local", 80)]),
    });
    options.access_log = AccessLog::File("access.log".into());
    options
}

/// Fed by the control plane.
fn discovered(module: &Path, authorities: &Path) -> StaticOptions {
    let mut options = small(module);
    options.guards = vec![Guard::of_graph(module, "demo")];
    options.control_plane = Some(ControlPlane {
        endpoints: Endpoints {
            addresses: vec![Address::new("control-plane.local", 18000)],
            tls: Some(UpstreamTls {
                server_name: "control-plane.local".into(),
                trusted_ca: authorities.into(),
                identity: None,
            }),
        },
        node: "edge-1".into(),
    });
    options
}

/// One of three regions, with limits of the fleet.
fn regional(module: &Path, authorities: &Path) -> StaticOptions {
    let residency = json!({
        "foreign": "forward",
        "regions": {
            "eu": {
                "primary": ["127.0.0.1:4000"],
                "replicas": ["127.0.0.1:4001", "127.0.0.1:4002"],
            },
            "us": {
                "gateways": ["us.example:443"],
                "primary": ["10.1.0.1:4000"],
                "replicas": ["10.1.0.2:4000"],
            },
            "ap": {"primary": ["ap.internal:4000"]},
        },
    });
    let residency: Residency = serde_json::from_value(residency).unwrap();
    let mut region = LocalRegion::of(&residency, "eu").unwrap();
    region.gateway_tls = Some(UpstreamTls {
        server_name: "gateway.example".into(),
        trusted_ca: authorities.into(),
        identity: None,
    });
    let mut options = discovered(module, authorities);
    options.region = Some(region);
    options.global_limits = Some(GlobalLimits::default());
    options.backpressure.health_check = Some(HealthCheck::new("/health"));
    options
}

/// With spans.
fn traced(module: &Path, authorities: &Path) -> StaticOptions {
    let mut options = discovered(module, authorities);
    let mut tracing = Tracing::new(Endpoints::plain([Address::new("collector.local", 4317)]));
    tracing.sampling_percent = 12.5;
    options.tracing = Some(tracing);
    options
}

#[test]
fn rendering_is_as_recorded() {
    let module = Path::new("guard.wasm");
    for (name, options) in [
        ("small", small(module)),
        ("large", large(module, Path::new("authorities.pem"))),
        (
            "discovered",
            discovered(module, Path::new("authorities.pem")),
        ),
        ("regional", regional(module, Path::new("authorities.pem"))),
        ("traced", traced(module, Path::new("authorities.pem"))),
    ] {
        let rendered = render(&options);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/{name}.json"));
        if std::env::var_os("IG_BLESS").is_some() {
            std::fs::write(&path, format!("{rendered:#}\n")).unwrap();
        }
        // Compared as values: the order of members depends on what else is in
        // a build, by a feature of serde_json.
        let recorded = std::fs::read_to_string(&path).unwrap_or_default();
        let recorded: serde_json::Value = serde_json::from_str(&recorded).unwrap_or_default();
        assert!(
            rendered == recorded,
            "{} differs from what is rendered; set IG_BLESS=1 to record it, and review the diff",
            path.display()
        );
    }
}

#[test]
fn an_access_log_line_is_json() {
    let rendered = render(&small(Path::new("guard.wasm")));
    let line = rendered
        .pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/access_log/0/typed_config/log_format/text_format_source/inline_string")
        .and_then(serde_json::Value::as_str)
        .unwrap();
    let decisions = "%FILTER_STATE(wasm.ig.decision:PLAIN)%";
    for records in ["", "{\"a\":1}", "{\"a\":1},{\"a\":2}"] {
        let line = line
            .replace(decisions, records)
            .replace("%RESPONSE_CODE%", "200")
            .replace("%DURATION%", "1")
            .replace("%BYTES_RECEIVED%", "0")
            .replace("%BYTES_SENT%", "0");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(line["decisions"].is_array());
    }
}

/// A module with the least that Envoy asks of one.
const NO_OP: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024))"#;

#[test]
fn envoy_accepts_it() {
    let Some(envoy) = envoy::find() else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let module = directory.path().join("no-op.wasm");
    std::fs::write(&module, wat::parse_str(NO_OP).unwrap()).unwrap();
    let authorities = directory.path().join("authorities.pem");
    std::fs::write(&authorities, include_str!("../testdata/authority.pem")).unwrap();
    for (name, mut options) in [
        ("small", small(&module)),
        ("large", large(&module, &authorities)),
        ("discovered", discovered(&module, &authorities)),
        ("regional", regional(&module, &authorities)),
        ("traced", traced(&module, &authorities)),
    ] {
        // Validation opens the log.
        if options.access_log != AccessLog::Stdout {
            options.access_log = AccessLog::File(directory.path().join("access.log"));
        }
        let path = directory.path().join(format!("{name}.json"));
        std::fs::write(&path, render(&options).to_string()).unwrap();
        let output = Command::new(&envoy)
            .args([
                "--mode",
                "validate",
                "--log-level",
                "warning",
                "--concurrency",
                "1",
                "-c",
            ])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {said}");
        for word in ["deprecated", "Deprecated", "unknown field"] {
            assert!(!said.contains(word), "{name}: {said}");
        }
    }
}
