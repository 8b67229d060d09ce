use std::collections::BTreeMap;

use ig_contract::Snapshot;
use ig_contract::snapshot::{Head, SnapshotSource};
use serde_json::{Value, json};

use crate::{COMPILE, Work};

const RENDER: &str = "envoy render --snapshot guard.igsnap --module /guard/ig_guard.wasm \
     --upstream 127.0.0.1:4000 --jwks target/dev/keys/jwks.json --issuer https://issuer.localhost";

#[test]
fn a_static_bootstrap() {
    let work = Work::new();
    work.compile();
    work.ig("token keys").ok();
    let value = work.ig(RENDER).ok().json();
    let manager = value
        .pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
        .unwrap();
    let names: Vec<_> = manager["http_filters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| &f["name"])
        .collect();
    assert_eq!(
        names,
        [
            "envoy.filters.http.jwt_authn",
            "ig.guard",
            "envoy.filters.http.admission_control",
            "envoy.filters.http.router"
        ]
    );
}

#[test]
fn spans_go_where_it_is_said() {
    let work = Work::new();
    work.compile();
    work.ig("token keys").ok();
    let manager = |more: &str| {
        let value = work.ig(&format!("{RENDER} {more}")).ok().json();
        let manager = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
        value.pointer(manager).unwrap().clone()
    };
    assert!(manager("").get("tracing").is_none());
    let local = "--tracing 127.0.0.1:4317";
    let percent = |more: &str| manager(more)["tracing"]["random_sampling"]["value"].clone();
    assert_eq!(percent(local), json!(1.0));
    assert_eq!(
        percent(&format!("{local} --tracing-sampling 0.5")),
        json!(0.5)
    );
    assert_eq!(manager(local)["http_filters"][0]["name"], "ig.trace");
    manager("--tracing otel.example:4317 --tracing-ca /etc/ca.pem --tracing-service edge");
    for (more, said) in [
        ("--tracing otel.example:4317", "--tracing-ca"),
        ("--tracing otel.example", "host:port"),
        ("--tracing-sampling 5", "--tracing"),
        (
            "--tracing 127.0.0.1:4317 --tracing-sampling 101",
            "from 0 to 100",
        ),
        (
            "--tracing 127.0.0.1:4317 --tracing-sampling NaN",
            "from 0 to 100",
        ),
    ] {
        work.ig(&format!("{RENDER} {more}")).exits(2).says(said);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let work = Work::new();
    work.compile();
    work.ig("token keys").ok();
    work.ig(&RENDER.replace("--upstream 127.0.0.1:4000", ""))
        .exits(2)
        .says("with --upstream");
    work.ig(&format!("{RENDER} --namespace edge"))
        .exits(2)
        .says("--namespace is for --flavour istio");
    work.ig(&format!("{RENDER} --text-store texts=texts:80"))
        .exits(2)
        .says("embeds its texts");
    work.ig(&RENDER.replace(":4000", ""))
        .exits(2)
        .says("host:port");
    work.ig(&RENDER.replace("jwks.json", "issuer.pem"))
        .exits(2)
        .says("is not JSON");
    work.write("private.json", r#"{"keys": [{"kty": "EC", "d": "x"}]}"#);
    work.ig(&RENDER.replace("target/dev/keys/jwks.json", "private.json"))
        .exits(2)
        .says("give public keys");
    let store = COMPILE.replace("guard.toml", "store.toml");
    work.ig(&format!("{store} --texts texts")).ok();
    work.ig(RENDER)
        .exits(2)
        .says("--text-store texts=HOST:PORT");
    work.ig(&format!("{RENDER} --text-store texts=texts.local:80"))
        .ok()
        .says("\"texts\"");
}

#[test]
fn keys_by_address_are_followed_over_tls_only() {
    let work = Work::new();
    work.compile();
    let from = |url: &str| RENDER.replace("target/dev/keys/jwks.json", url);
    let value = work.ig(&from("https://login.example/keys")).ok().json();
    let text = value.to_string();
    assert!(
        text.contains(r#""uri":"https://login.example/keys""#),
        "{text}"
    );
    let clusters = value.pointer("/static_resources/clusters").unwrap();
    let keys = clusters
        .as_array()
        .unwrap()
        .iter()
        .find(|cluster| cluster["name"] == "jwks_issuer");
    let tls = &keys.unwrap()["transport_socket"]["typed_config"];
    assert_eq!(tls["sni"], "login.example");
    assert_eq!(
        tls.pointer("/common_tls_context/validation_context/trusted_ca/filename")
            .unwrap(),
        "/etc/ssl/certs/ca-certificates.crt"
    );
    work.ig(&from("http://127.0.0.1:9000/keys")).ok();
    work.ig(&from("http://login.example/keys"))
        .exits(2)
        .says("give an https URL");
    work.ig(&from("https:///keys")).exits(2);
}

#[test]
fn each_issuer_has_its_keys() {
    let work = Work::new();
    work.compile();
    work.ig("token keys").ok();
    let more = "--issuer https://login.example --jwks https://login.example/keys --audience ig";
    let value = work.ig(&format!("{RENDER} {more}")).ok().json();
    let jwt = value
        .pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
        .and_then(|manager| manager.pointer("/http_filters/0/typed_config"))
        .unwrap();
    let providers = jwt["providers"].as_object().unwrap();
    let found: Vec<_> = providers
        .iter()
        .map(|(name, one)| {
            let keys = ["local_jwks", "remote_jwks"].map(|kind| !one[kind].is_null());
            (name.as_str(), one["issuer"].as_str().unwrap(), keys)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("issuer", "https://issuer.localhost", [true, false]),
            ("issuer2", "https://login.example", [false, true]),
        ]
    );
    assert!(providers.values().all(|one| one["audiences"][0] == "ig"));
    let any = jwt.pointer("/rules/0/requires/requires_any/requirements");
    assert_eq!(any.unwrap().as_array().unwrap().len(), 3);
    work.ig(&format!("{RENDER} --issuer https://login.example"))
        .exits(2)
        .says("one --jwks for each --issuer");
    let twice = "--issuer https://issuer.localhost --jwks https://login.example/keys";
    work.ig(&format!("{RENDER} {twice}"))
        .exits(2)
        .says("is given twice");
}

#[test]
fn a_directory_comes_with_its_control_plane() {
    let work = Work::new();
    work.compile();
    work.ig("token keys").ok();
    let config = work.read("guard.toml");
    let directory = "\n[directory]\ncluster = \"control-plane\"\nauthority = \"control\"\n";
    work.write("directory.toml", &(config + directory));
    work.ig(&COMPILE.replace("guard.toml", "directory.toml"))
        .ok();
    work.ig(RENDER).exits(2).says("with --control-plane");
}

/// The compiled snapshot with more in its head.
fn with_head(work: &Work, name: &str, edit: Value) {
    let bytes = std::fs::read(work.file("guard.igsnap")).unwrap();
    let snapshot = Snapshot::decode(bytes).unwrap();
    let mut head = serde_json::to_value(snapshot.head()).unwrap();
    let members = head.as_object_mut().unwrap();
    members.extend(edit.as_object().unwrap().clone());
    let head: Head = serde_json::from_value(head).unwrap();
    let source = SnapshotSource {
        head,
        program: Vec::new(),
        documents: BTreeMap::new(),
        aliases: BTreeMap::new(),
    };
    std::fs::write(work.file(name), source.encode().unwrap()).unwrap();
}

/// `regions.igsnap`, with three regions.
pub(crate) fn with_regions(work: &Work) {
    let regions = json!({
        "eu": {"primary": ["10.0.0.1:4000"], "replicas": ["10.0.0.2:4000"]},
        "us": {"primary": ["10.1.0.1:4000"], "gateways": ["us.example:443"]},
        "ap": {"replicas": ["10.2.0.2:4000"]},
    });
    let residency = json!({"residency": {"foreign": "forward", "regions": regions}});
    with_head(work, "regions.igsnap", residency);
}

#[test]
fn a_region_has_its_own_hosts() {
    let work = Work::new();
    work.compile();
    work.ig("token keys").ok();
    with_regions(&work);
    let upstream = RENDER.replace("guard.igsnap", "regions.igsnap");
    work.ig(&upstream).exits(2).says("there is ap, eu, us");
    let render = upstream.replace("--upstream 127.0.0.1:4000", "--region eu");
    work.ig(&render)
        .exits(2)
        .says("give --gateway-ca and --gateway-name");
    let secured = format!("{render} --gateway-ca /ca.pem --gateway-name gateway.example");
    let value = work.ig(&secured).ok().json();
    assert_eq!(value.pointer("/node/locality/region").unwrap(), "eu");
    let text = value.to_string();
    for (host, is_there) in [
        ("10.0.0.1", true),
        ("10.0.0.2", true),
        ("us.example", true),
        ("10.1.0.1", false),
        ("10.2.0.2", false),
    ] {
        assert_eq!(text.contains(&format!("\"{host}\"")), is_there, "{host}");
    }
    let checked = work.ig(&format!("{secured} --health-path /health")).ok();
    checked.says("\"health_checks\"");
    let soon = " --health-path /health --health-interval 300 --health-timeout 200";
    let soon = work.ig(&format!("{secured}{soon}")).ok();
    soon.says("\"interval\": \"0.300000000s\"")
        .says("\"timeout\": \"0.200000000s\"");
    let alone = format!("{secured} --health-timeout 200");
    work.ig(&alone).exits(2).says("--health-path");
    for (from, to, said) in [
        ("--region eu", "--region mars", "there is ap, eu, us"),
        ("--region eu", "--region ap", "has no primary"),
        (
            "--region eu",
            "--region eu --upstream a:1",
            "cannot be used with",
        ),
        ("regions.igsnap", "guard.igsnap", "has no residency"),
        ("--gateway-name gateway.example", "", "--gateway-name"),
    ] {
        work.ig(&secured.replace(from, to)).exits(2).says(said);
    }
}

#[test]
fn limits_of_the_fleet_need_a_control_plane() {
    let work = Work::new();
    work.compile();
    work.ig("token keys").ok();
    let fleet = json!([{"cost": 1000, "seconds": 60, "burst": 100}]);
    let limits = json!({"rateLimit": {"classes": {"query": {"fleet": fleet}}}});
    with_head(&work, "limits.igsnap", limits);
    work.ig(&RENDER.replace("guard.igsnap", "limits.igsnap"))
        .exits(2)
        .says("with --control-plane");
}

#[test]
fn a_configuration_says_what_its_snapshots_need() {
    let work = Work::new();
    work.ig("token keys").ok();
    let config = work.read("guard.toml");
    let larger = "\n[limits]\nmax-body-bytes = 2000000\n";
    work.write("larger.toml", &(config + larger));
    let render = RENDER.replace(
        "--snapshot guard.igsnap",
        "--control-plane 127.0.0.1:18000 --graph demo",
    );
    let listener = |arguments: &str| {
        let value = work.ig(arguments).ok().json();
        value
            .pointer("/static_resources/listeners/0/per_connection_buffer_limit_bytes")
            .cloned()
            .unwrap()
    };
    assert_eq!(listener(&render), 1024 * 1024);
    assert_eq!(
        listener(&format!("{render} --config larger.toml")),
        2_000_000
    );
    let region = render.replace("--upstream 127.0.0.1:4000", "--region eu");
    work.ig(&region).exits(2).says("--config guard.toml");
    work.ig(&format!("{region} --config guard.toml"))
        .exits(2)
        .says("has no residency");
    work.ig(&format!("{RENDER} --config guard.toml"))
        .exits(2)
        .says("--control-plane");
}

/// Two clusters of one name are one for Envoy, or none.
#[test]
fn a_store_of_texts_has_a_name_of_its_own() {
    let work = Work::new();
    work.ig("token keys").ok();
    let render = RENDER.replace(
        "--snapshot guard.igsnap",
        "--control-plane 127.0.0.1:18000 --graph demo",
    );
    for name in [
        "control-plane",
        "jwks_issuer",
        "upstream",
        "gateway-eu",
        "traces",
    ] {
        work.ig(&format!("{render} --text-store {name}=127.0.0.1:80"))
            .exits(2)
            .says("give the store another name");
    }
    work.ig(&format!("{render} --text-store texts=127.0.0.1:80"))
        .ok();
}

/// The files by which Envoy reads certificates again are written where it looks for them.
#[test]
fn certificates_that_are_renewed() {
    let work = Work::new();
    work.ig("token keys").ok();
    let render = RENDER.replace(
        "--snapshot guard.igsnap",
        "--control-plane cp.example:18000 --graph demo --control-plane-ca ca.crt \
         --proxy-certificate tls.crt --proxy-key tls.key",
    );
    let bootstrap = work.ig(&format!("{render} --sds pod/sds")).ok().stdout;
    for name in [
        "control-plane-authority.json",
        "control-plane-certificate.json",
    ] {
        assert!(bootstrap.contains(&format!("pod/sds/{name}")), "{name}");
        let file = std::fs::read(work.file(&format!("pod/sds/{name}"))).unwrap();
        let file: Value = serde_json::from_slice(&file).unwrap();
        let named = file.pointer("/resources/0/name").and_then(Value::as_str);
        assert_eq!(named, name.strip_suffix(".json"));
    }
    // There is nothing to renew.
    let plain = RENDER.replace(
        "--snapshot guard.igsnap",
        "--control-plane 127.0.0.1:18000 --graph demo",
    );
    work.ig(&format!("{plain} --sds pod"))
        .exits(2)
        .says("leave out --sds");
}

/// What the golden files of `ig-envoy` are made of.
const FED: &str = "envoy render --namespace edge \
     --control-plane ig-control-plane.ig-system.svc:18000 --graph demo \
     --control-plane-ca /var/run/secrets/ig/ca.crt \
     --proxy-certificate /var/run/secrets/ig/tls.crt --proxy-key /var/run/secrets/ig/tls.key \
     --module /var/lib/ig/ig_guard.wasm \
     --jwks jwks.json --issuer https://login.example --audience graph";

#[test]
fn objects_are_those_of_the_golden_files() {
    let work = Work::new();
    let testdata = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../envoy/testdata");
    let recorded = |name: &str| std::fs::read_to_string(testdata.join(name)).unwrap();
    // The keys that they have.
    let istio: Value = yaml_serde::from_str(&recorded("istio.yaml")).unwrap();
    let patches = istio["spec"]["configPatches"].as_array().unwrap();
    let keys = patches.iter().find_map(|patch| {
        let keys = "/patch/value/typed_config/providers/issuer/local_jwks/inline_string";
        patch.pointer(keys)?.as_str()
    });
    work.write("jwks.json", keys.unwrap());
    for (more, name) in [
        ("--flavour istio --label istio=ingressgateway", "istio.yaml"),
        (
            "--flavour istio --attach sidecar --label istio=ingressgateway --port 4000",
            "istio-sidecar.yaml",
        ),
        (
            "--flavour istio --attach waypoint --service graph",
            "istio-waypoint.yaml",
        ),
        (
            "--flavour envoy-gateway --gateway graph --listener http --gateway-class eg \
             --upstream graph:4000",
            "envoy-gateway.yaml",
        ),
    ] {
        let rendered = work.ig(&format!("{FED} {more}")).ok().stdout;
        assert!(rendered == recorded(name), "{name} is not what ig renders");
    }
}

#[test]
fn what_a_mesh_does_not_take_is_refused() {
    let work = Work::new();
    work.compile();
    work.ig("token keys").ok();
    with_regions(&work);
    let keys = "target/dev/keys/jwks.json";
    let fed = FED.replace("jwks.json", keys);
    let embedded = RENDER.replace("--upstream 127.0.0.1:4000", "");
    let istio = "--flavour istio --label app=graph";
    let gateway = "--flavour envoy-gateway --gateway graph --listener http";
    work.ig(&format!("{embedded} {istio}"))
        .ok()
        .says("EnvoyFilter");
    for (command, said) in [
        (format!("{fed} --flavour istio"), "say which proxies"),
        (
            format!("{fed} {istio} --attach waypoint"),
            "say which waypoint",
        ),
        (
            format!("{fed} --flavour istio --attach sidecar --gateway graph"),
            "chosen by their labels",
        ),
        (
            format!("{fed} --flavour istio --service graph"),
            "--attach waypoint",
        ),
        (
            format!("{fed} {istio} --listener http"),
            "--flavour envoy-gateway",
        ),
        (
            format!("{fed} {istio} --tracing 127.0.0.1:4317"),
            "--tracing is for --flavour envoy",
        ),
        (
            format!("{fed} {istio} --listen 127.0.0.1:1"),
            "--listen is for",
        ),
        (format!("{fed} {istio} --node edge"), "--node is for"),
        (format!("{fed} {istio} --upstream a:1"), "--upstream"),
        (format!("{fed} {istio} --region eu"), "--region is for"),
        (format!("{fed} {istio} --name Graph"), "lower-case"),
        (
            format!("{fed} {gateway} --attach sidecar"),
            "--flavour istio",
        ),
        (
            format!("{fed} --flavour envoy-gateway --gateway graph"),
            "with --listener",
        ),
        (
            format!("{fed} {gateway} --gateway-class eg --upstream a.b:1"),
            "a Service of the Gateway's namespace",
        ),
        (fed.replace("--namespace edge", gateway), "with --namespace"),
        (
            format!(
                "{} {istio}",
                embedded.replace("guard.igsnap", "regions.igsnap")
            ),
            "put an Envoy of its own there",
        ),
        (
            fed.replace("ca.crt", "ca.crt --config guard.toml") + " " + istio,
            "",
        ),
    ] {
        let ran = work.ig(&command);
        match said {
            "" => drop(ran.ok()),
            _ => drop(ran.exits(2).says(said)),
        }
    }
}
