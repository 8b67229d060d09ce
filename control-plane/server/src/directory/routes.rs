//! What proxies call, beside the streams of snapshots: the same listener, the
//! same certificates.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, State};
use axum::routing::post;
use axum::{Json, Router};
use ig_contract::directory::{CHANGES, Changes, ChangesRequest, FACTS, Facts, FactsRequest};
use ig_contract::step_up::{SPEND, SpendRequest, Spent};
use tonic::transport::server::{TcpConnectInfo, TlsConnectInfo};

use super::facts::facts;
use crate::app::App;
use crate::auth::Principal;
use crate::error::ApiError;
use crate::{step_up, tls, xds};

/// Where guards look by default.
const PREFIX: &str = "/directory/v1/";
const MAX_BODY_BYTES: usize = 64 * 1024;

/// How a proxy is connected, where that is TLS.
type Peer = Option<Extension<TlsConnectInfo<TcpConnectInfo>>>;

/// Routes for proxies.
pub(crate) fn routes(app: App) -> Router {
    Router::new()
        .route(&format!("{PREFIX}{FACTS}"), post(answer_facts))
        .route(&format!("{PREFIX}{CHANGES}"), post(answer_changes))
        .route(&format!("{PREFIX}{SPEND}"), post(answer_spend))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(app)
}

/// A proxy asks for graphs whose snapshots it may have.
fn authorise(app: &App, peer: Peer, graph: &str) -> Result<Principal, ApiError> {
    let certificates = peer.and_then(|Extension(peer)| peer.peer_certs());
    let identity = certificates.and_then(|certificates| tls::identity(certificates.first()?));
    let published = app.published.watch().borrow().clone();
    let publication = published.get(&xds::name(graph));
    let publication =
        publication.ok_or_else(|| ApiError::NotFound(format!("the graph {graph}")))?;
    match publication.is_for(identity.as_deref()) {
        true => {
            let identity = identity.as_deref().unwrap_or("without-certificate");
            Ok(Principal::of_system(&format!("proxy:{identity}")))
        }
        false => Err(ApiError::Forbidden("a proxy of the graph")),
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &Bytes) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(ApiError::invalid)
}

async fn answer_facts(
    State(app): State<App>,
    peer: Peer,
    body: Bytes,
) -> Result<Json<Facts>, ApiError> {
    let request: FactsRequest = read(&body)?;
    let by = authorise(&app, peer, &request.graph)?;
    Ok(Json(facts(&app, &by, &request).await?))
}

async fn answer_spend(
    State(app): State<App>,
    peer: Peer,
    body: Bytes,
) -> Result<Json<Spent>, ApiError> {
    let request: SpendRequest = read(&body)?;
    authorise(&app, peer, &request.graph)?;
    Ok(Json(step_up::answer_spend(&app, &request).await?))
}

async fn answer_changes(
    State(app): State<App>,
    peer: Peer,
    body: Bytes,
) -> Result<Json<Changes>, ApiError> {
    let request: ChangesRequest = read(&body)?;
    authorise(&app, peer, &request.graph)?;
    if app.directory.is_behind(request.after) {
        // Another replica told it already.
        super::tell(&app).await;
    }
    let wait = Duration::from_millis(request.wait_ms.into());
    let mut closing = app.closing.subscribe();
    let changes = app.directory.changes(request.after, wait);
    tokio::select! {
        changes = changes => Ok(Json(changes)),
        // Another replica may go on at once.
        _ = closing.wait_for(|closing| *closing) => Err(ApiError::Timeout),
    }
}
