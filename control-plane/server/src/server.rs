//! Both listeners, from start to shutdown.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use envoy_types::pb::envoy::service::extension::v3::extension_config_discovery_service_server::ExtensionConfigDiscoveryServiceServer;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;

use crate::app::App;
use crate::error::ApiError;
use crate::proxies::{self, Proxies};
use crate::snapshots::{self, Published};
use crate::store::Store;
use crate::xds::Ecds;
use crate::{Config, audit, auth, catalogue, graphs, policies, schemas, tenants};

/// Why the server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum CannotServe {
    /// No database.
    #[error(transparent)]
    Store(#[from] crate::store::CannotOpen),
    /// No first token.
    #[error(transparent)]
    Bootstrap(#[from] auth::CannotBootstrap),
    /// What is published cannot be read.
    #[error("what is published cannot be read")]
    Published(#[source] sqlx::Error),
    /// An address is taken, or not ours.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// HTTP ended.
    #[error("the HTTP listener failed")]
    Http(#[source] std::io::Error),
    /// gRPC ended.
    #[error("the gRPC listener failed")]
    Grpc(#[source] tonic::transport::Error),
}

/// Largest body: a catalogue or SDL of a large graph.
const MAX_BODY_BYTES: usize = 64 << 20;
/// How often a replica looks for what others published.
const POLL: Duration = Duration::from_millis(250);

/// A server that listens but does not answer yet.
pub struct Server {
    app: App,
    http: TcpListener,
    grpc: TcpListener,
    /// The first admin token, if this start made it.
    pub bootstrap_token: Option<String>,
}

impl Server {
    /// Opens the database, migrates it, and takes both addresses.
    ///
    /// # Errors
    /// [`CannotServe`]
    pub async fn bind(config: &Config) -> Result<Self, CannotServe> {
        let store = Store::open(&config.database).await?;
        let bootstrap_token = auth::bootstrap(&store).await?;
        let published = Published::new();
        published
            .follow(&store)
            .await
            .map_err(CannotServe::Published)?;
        let listen = async |address: SocketAddr| {
            TcpListener::bind(address)
                .await
                .map_err(|error| CannotServe::Listen(address, error))
        };
        Ok(Self {
            http: listen(config.listen).await?,
            grpc: listen(config.grpc_listen).await?,
            app: App {
                store,
                published: Arc::new(published),
                proxies: Arc::new(Proxies::default()),
                closing: Arc::new(watch::Sender::new(false)),
                module: Arc::new(config.module.clone()),
            },
            bootstrap_token,
        })
    }

    /// Where both listen: HTTP, gRPC.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn addresses(&self) -> std::io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.http.local_addr()?, self.grpc.local_addr()?))
    }

    /// Serves until `shutdown`, then lets requests end.
    ///
    /// # Errors
    /// When a listener fails.
    pub async fn serve(
        self,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), CannotServe> {
        let closing = self.app.closing.clone();
        let until = {
            let closing = closing.clone();
            move || {
                let mut closing = closing.subscribe();
                async move {
                    let _ = closing.wait_for(|closing| *closing).await;
                }
            }
        };
        tokio::spawn(async move {
            shutdown.await;
            closing.send_replace(true);
        });
        let store = self.app.store.clone();
        let follower = tokio::spawn(follow(self.app.clone()));
        let http = axum::serve(self.http, routes(self.app.clone())).with_graceful_shutdown(until());
        let grpc = tonic::transport::Server::builder()
            .add_service(ExtensionConfigDiscoveryServiceServer::new(Ecds::new(
                self.app,
            )))
            .serve_with_incoming_shutdown(TcpListenerStream::new(self.grpc), until());
        let http = async { http.await.map_err(CannotServe::Http) };
        let grpc = async { grpc.await.map_err(CannotServe::Grpc) };
        let ended = tokio::try_join!(http, grpc);
        follower.abort();
        store.close().await;
        ended.map(drop)
    }
}

/// Follows what other replicas publish.
async fn follow(app: App) {
    let mut ticks = tokio::time::interval(POLL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = app.published.follow(&app.store).await {
            tracing::error!(%error, "what is published cannot be read");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

fn routes(app: App) -> Router {
    Router::new()
        .route("/healthz", get(|| async { StatusCode::OK }))
        .route("/readyz", get(ready))
        .route("/schemas/{graph}", get(schemas::list))
        .route(
            "/schemas/{graph}/{tag}",
            put(schemas::push).get(schemas::get),
        )
        .route(
            "/catalogue/{graph}",
            post(catalogue::push).get(catalogue::list),
        )
        .route("/catalogue/{graph}/{id}", delete(catalogue::retire))
        .route(
            "/policies/bundles",
            post(policies::push).get(policies::list),
        )
        .route("/policies/bundles/{revision}", get(policies::get))
        .route("/graphs/{graph}", put(graphs::put).get(graphs::get))
        .route("/tenants", get(tenants::list))
        .route(
            "/tenants/{tenant}",
            put(tenants::put).delete(tenants::delete),
        )
        .route(
            "/snapshots/{graph}",
            post(snapshots::publish).get(snapshots::list),
        )
        .route("/snapshots/{graph}/{revision}", get(snapshots::get))
        .route("/proxies", get(proxies::list))
        .route("/audit", get(audit::list))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(app)
}

/// `GET /readyz`: whether the database answers.
async fn ready(State(app): State<App>) -> Result<Json<serde_json::Value>, ApiError> {
    sqlx::query("SELECT 1").execute(app.store.read()).await?;
    Ok(Json(json!({"status": "ready"})))
}
