//! The OpenAPI document: committed, and the one that is served.

use std::path::Path;

use ig_control_plane::document;

use crate::databases::Database;

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let generated = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("IG_BLESS").is_some() {
        std::fs::write(&file, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == generated,
        "the API changed: IG_BLESS=1 cargo test -p ig-control-plane document"
    );
    let database = Database::sqlite();
    let control = database.start();
    let (status, served) = control.call("GET", "/openapi.json", "");
    assert_eq!(status, 200);
    assert_eq!(
        served,
        serde_json::from_str::<serde_json::Value>(&committed).unwrap()
    );
    assert_eq!(served["openapi"], "3.1.0");
    control.stop().unwrap();
}
