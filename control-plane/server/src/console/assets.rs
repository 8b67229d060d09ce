//! The one script and the one style sheet. Their names have their hashes, so
//! browsers may keep them for ever.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use super::refusal::Refused;

const SCRIPT: &str = include_str!("console.js");
const STYLE: &str = include_str!("console.css");
const FOR_EVER: &str = "public, max-age=31536000, immutable";

static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| name(SCRIPT, "js"));
static STYLE_NAME: LazyLock<String> = LazyLock::new(|| name(STYLE, "css"));

fn name(text: &str, ending: &str) -> String {
    let hash = hex::encode(Sha256::digest(text));
    let short: String = hash.chars().take(16).collect();
    format!("console-{short}.{ending}")
}

pub(super) fn script() -> String {
    format!("/console/assets/{}", *SCRIPT_NAME)
}

pub(super) fn style() -> String {
    format!("/console/assets/{}", *STYLE_NAME)
}

pub(super) async fn get(Path(file): Path<String>) -> Response {
    let (media_type, text) = match file {
        file if file == *SCRIPT_NAME => ("text/javascript; charset=utf-8", SCRIPT),
        file if file == *STYLE_NAME => ("text/css; charset=utf-8", STYLE),
        _ => return Refused::new(StatusCode::NOT_FOUND, "There is no such file.").into_response(),
    };
    let headers = [(CONTENT_TYPE, media_type), (CACHE_CONTROL, FOR_EVER)];
    (headers, text).into_response()
}
