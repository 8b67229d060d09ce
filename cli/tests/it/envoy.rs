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
            "envoy.filters.http.router"
        ]
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let work = Work::new();
    work.compile();
    work.ig("token keys").ok();
    work.ig(&format!("{RENDER} --flavour istio"))
        .exits(2)
        .says("not in this release");
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
