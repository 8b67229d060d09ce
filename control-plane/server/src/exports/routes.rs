//! The routes of exports.

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::StatusCode;
use ig_signing::manifest::Item;
use tokio::time::timeout;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::asked::{Head, NewExport};
use super::make::answer;
use super::shown::Export;
use super::{MAX_BODY_BYTES, MAX_STREAM_BYTES, items, keys, shown, trust};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::Json;

/// How long a list of hashes may be on its way: it holds a seat meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every route.
pub(crate) fn routes() -> OpenApiRouter<App> {
    let hashed = OpenApiRouter::new()
        .routes(routes!(create_of_files))
        .layer(DefaultBodyLimit::max(MAX_STREAM_BYTES));
    OpenApiRouter::new()
        .routes(routes!(create, shown::list))
        .routes(routes!(shown::get))
        .routes(routes!(shown::manifest))
        .routes(routes!(shown::bundle))
        .routes(routes!(keys::list, keys::rotate))
        .routes(routes!(keys::get, keys::retire))
        .routes(routes!(trust::root))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .merge(hashed)
}

/// Sign an export of assets that are named by their hashes.
///
/// A user asks with an access token of the tenant's issuer, `x-ig-purpose` and a
/// step-up token for the action, `x-ig-step-up`. A service behind a gateway asks with
/// a token of the role `exporter`, and relays `x-ig-tenant`, `x-ig-actor`,
/// `x-ig-purpose`, `x-ig-authority` and `x-ig-decision-id` as the gateway sent them.
/// The answer comes once the ledger has the export. The same key with the same
/// request has the same answer, for ever.
#[utoipa::path(post, path = "/exports", tag = "exports",
    security(("bearer" = ["user", "exporter"])),
    params(
        ("idempotency-key" = String, Header, description = "Of your choice, one an export"),
        ("x-ig-purpose" = Option<String>, Header, description = "What the data is for"),
        ("x-ig-authority" = Option<String>, Header, description = "The legal basis"),
        ("x-ig-step-up" = Option<String>, Header, description = "A user's step-up token"),
        ("x-ig-tenant" = Option<String>, Header, description = "Relayed by a service"),
        ("x-ig-actor" = Option<String>, Header, description = "Relayed by a service"),
        ("x-ig-decision-id" = Option<String>, Header, description = "Relayed by a service"),
    ),
    request_body = NewExport,
    responses(
        (status = 201, body = Export),
        (status = 409, description = "The key is under way, or the decision used", body = Problem),
        (status = 429, description = "Too many calls without a valid token, at once, or denied",
            body = Problem),
    ))]
pub(crate) async fn create(
    State(app): State<App>,
    head: Head,
    request: Request,
) -> Result<(StatusCode, Json<Export>), ApiError> {
    // Before the body comes.
    let seat = app.exports.lists.take(&head);
    let _seat = seat.inspect_err(|error| app.metrics.exports.not_made(error))?;
    let listed = listed(&app, request).await;
    let (new, items) = listed.inspect_err(|error| app.metrics.exports.not_made(error))?;
    answer(&app, head, new, items).await
}

async fn listed(app: &App, request: Request) -> Result<(NewExport, Vec<Item>), ApiError> {
    let body = timeout(PATIENCE, Json::from_request(request, app)).await;
    let Json(new): Json<NewExport> = body.map_err(|_| ApiError::Timeout)??;
    new.check()?;
    let items = new.items()?;
    Ok((new, items))
}

/// Sign an export of files, which are hashed as they come, and not kept.
///
/// As `POST /exports`, as `multipart/form-data`: the first part is named `export` and
/// is the JSON of that request without `items`; each part after it is a file, and
/// its name the id of the asset. All of it has to come while the proof of presence
/// counts.
#[utoipa::path(post, path = "/exports/items", tag = "exports",
    security(("bearer" = ["user", "exporter"])),
    params(
        ("idempotency-key" = String, Header, description = "Of your choice, one an export"),
        ("x-ig-purpose" = Option<String>, Header, description = "What the data is for"),
        ("x-ig-authority" = Option<String>, Header, description = "The legal basis"),
        ("x-ig-step-up" = Option<String>, Header, description = "A user's step-up token"),
        ("x-ig-tenant" = Option<String>, Header, description = "Relayed by a service"),
        ("x-ig-actor" = Option<String>, Header, description = "Relayed by a service"),
        ("x-ig-decision-id" = Option<String>, Header, description = "Relayed by a service"),
    ),
    request_body(content = Object, content_type = "multipart/form-data"),
    responses(
        (status = 201, body = Export),
        (status = 409, description = "The key is under way, or the decision used", body = Problem),
        (status = 429, description = "Too many calls without a valid token, at once, or denied",
            body = Problem),
    ))]
pub(crate) async fn create_of_files(
    State(app): State<App>,
    head: Head,
    request: Request,
) -> Result<(StatusCode, Json<Export>), ApiError> {
    let seat = app.exports.files.take(&head);
    let _seat = seat.inspect_err(|error| app.metrics.exports.not_made(error))?;
    let read = items::read(request).await;
    let (new, items) = read.inspect_err(|error| app.metrics.exports.not_made(error))?;
    answer(&app, head, new, items).await
}
