//! Both listeners, from start to shutdown.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::middleware::from_fn_with_state;
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_server::AccessLogServiceServer;
use envoy_types::pb::envoy::service::extension::v3::extension_config_discovery_service_server::ExtensionConfigDiscoveryServiceServer;
use sqlx::postgres::PgListener;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tonic::transport::server::TcpIncoming;

use crate::app::App;
use crate::auth::{Failures, Logins, Oidc};
use crate::cost::{self, Meter, Spans};
use crate::decisions::{AccessLog, Writer};
use crate::directory::{self, Directory};
use crate::exports::Exports;
use crate::ledger::{CannotPrepare, Ledger};
use crate::metrics::Metrics;
use crate::proxies::{self, Proxies};
use crate::rate_limit::{self, Fleet, RateLimits};
use crate::snapshots::{Publications, Rekeying};
use crate::store::Store;
use crate::tls::{Peer, TlsListener};
use crate::xds::Ecds;
use crate::{Config, alerts, api, auth, break_glass, console, step_up, telemetry, webauthn};

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
    /// Changes of users and groups cannot be read.
    #[error("the directory cannot be read")]
    Directory(#[source] sqlx::Error),
    /// The site of passkeys is none.
    #[error("the site that passkeys are of is not valid")]
    Webauthn(#[source] webauthn_rs::prelude::WebauthnError),
    /// It cannot be known whose the ledger is.
    #[error(transparent)]
    Ledger(#[from] CannotPrepare),
    /// Exports cannot be signed.
    #[error("exports cannot be signed")]
    Exports(#[from] crate::exports::CannotSign),
    /// The address of Redis is none.
    #[error("the fleet's limits cannot be kept in Redis")]
    Redis(#[source] redis::RedisError),
    /// An address is taken, or not ours.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// Certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] crate::tls::InvalidTls),
    /// HTTP ended.
    #[error("the HTTP listener failed")]
    Http(#[source] std::io::Error),
    /// gRPC ended.
    #[error("the gRPC listener failed")]
    Grpc(#[source] tonic::transport::Error),
}

/// How often a replica looks for what others published, beside being told.
const POLL: Duration = Duration::from_millis(500);
/// How often it is looked whether keys have begun or ended.
const REKEY: Duration = Duration::from_secs(1);
/// How often old changes of users and groups are forgotten.
const PRUNE: Duration = Duration::from_secs(600);
/// How long requests may take to end once the server is to end.
const GRACE: Duration = Duration::from_secs(10);
/// Silence after which a proxy's connection is tried, and how long it may take
/// to answer: a proxy that is gone without a word must not stay in `/proxies`.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(10);

/// A server that listens but does not answer yet.
pub struct Server {
    app: App,
    writer: Writer,
    config: Config,
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
        // Of the whole process: the client that asks for an issuer's keys
        // takes it from there. It is there already in a test's second server.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let listen = async |address: SocketAddr| {
            TcpListener::bind(address)
                .await
                .map_err(|error| CannotServe::Listen(address, error))
        };
        let (http, grpc) = (
            listen(config.listen).await?,
            listen(config.grpc_listen).await?,
        );
        let store = Store::open(config.database.as_str(), config.database_patience).await?;
        let bootstrap_token = auth::bootstrap(&store).await?;
        let published = Publications::new(config.module.clone());
        published
            .follow(&store)
            .await
            .map_err(CannotServe::Published)?;
        let fleet = Fleet::new(&config.rate_limit, &published).map_err(CannotServe::Redis)?;
        let directory = Directory::new(&store)
            .await
            .map_err(CannotServe::Directory)?;
        let secret = store.secret("cursor").await;
        let secret = secret.map_err(CannotServe::Directory)?;
        let login_secret = store.secret("console").await;
        let login_secret = login_secret.map_err(CannotServe::Directory)?;
        step_up::prepare(&store)
            .await
            .map_err(CannotServe::Directory)?;
        let break_glass = break_glass::Keys::prepare(&store, &config.webauthn.rp_name)
            .await
            .map_err(CannotServe::Directory)?;
        let exports = Exports::prepare(&store, &config.exports).await?;
        let webauthn = webauthn::verifier(&config.webauthn).map_err(CannotServe::Webauthn)?;
        let issuer = config.public_url.clone();
        let issuer = issuer.or_else(|| config.webauthn.origins.first().cloned());
        let origins = config.webauthn.origins.iter();
        let origins = origins.map(|origin| origin.trim_end_matches('/').to_owned());
        let metrics = Arc::new(Metrics::new());
        let ledger = Ledger::prepare(
            &store,
            &config.ledger,
            config.public_url.as_deref(),
            config.login_ca.clone(),
            metrics.ledger.clone(),
        )
        .await?;
        let (decisions, writer) = Writer::new(store.clone(), metrics.clone(), config.decisions);
        Ok(Self {
            app: App {
                store,
                published: Arc::new(published),
                proxies: Arc::new(Proxies::new()),
                fleet: Arc::new(fleet),
                closing: Arc::new(watch::Sender::new(false)),
                oidc: config.oidc.clone().map(Oidc::new).map(Arc::new),
                failures: Arc::new(Failures::new(config.failed_logins_per_minute)),
                logins: Arc::new(Logins::new(config.login_ca.clone())),
                metrics,
                cost: Arc::new(Meter::new()),
                cost_config: Arc::new(config.cost.clone()),
                decisions: Arc::new(decisions),
                directory: Arc::new(directory),
                searches: Arc::default(),
                ledger: Arc::new(ledger),
                secret: Arc::new(secret),
                break_glass: Arc::new(break_glass),
                webauthn,
                origins: origins.collect(),
                login_secret: Arc::new(login_secret),
                exports: Arc::new(exports),
                issues: config.issues.clone().map(Arc::new),
                alerts_told: Arc::new(Notify::new()),
                issuer: issuer.unwrap_or_default().into(),
                public_url: config.public_url.as_deref().map(Into::into),
                follows_callers: config.telemetry.follow_callers,
                is_https: config.tls.is_some(),
            },
            writer,
            config: config.clone(),
            http,
            grpc,
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
        tokio::spawn({
            let closing = closing.clone();
            async move {
                shutdown.await;
                closing.send_replace(true);
            }
        });
        let store = self.app.store.clone();
        let follower = tokio::spawn(follow(self.app.clone()));
        let teller = tokio::spawn(tell(self.app.clone()));
        let rekeyer = tokio::spawn(rekey(self.app.clone()));
        let limiter = tokio::spawn(rate_limit::run(self.app.clone()));
        let meter = tokio::spawn(cost::run(self.app.clone()));
        let (cost, costs) = (
            self.app.cost.clone(),
            tokio::spawn(cost::watch(self.app.clone())),
        );
        let sequencer = tokio::spawn(self.app.ledger.clone().run());
        let opener = tokio::spawn(alerts::run(self.app.clone()));
        let writer = tokio::spawn(self.writer.run());
        let http = serve_http(self.http, self.config.tls, self.app.clone());
        let grpc = serve_grpc(self.grpc, self.config.grpc_tls, self.app);
        let both = async { tokio::try_join!(http, grpc) };
        // A client that does not end its request must not hold us for ever.
        let overdue = async {
            closed(&closing).await;
            tokio::time::sleep(GRACE).await;
        };
        let ended = tokio::select! {
            ended = both => ended.map(drop),
            () = overdue => Ok(()),
        };
        follower.abort();
        teller.abort();
        rekeyer.abort();
        limiter.abort();
        meter.abort();
        costs.abort();
        let _ = meter.await;
        sequencer.abort();
        opener.abort();
        // Its queue ends with the last handle of the application.
        let _ = tokio::time::timeout(GRACE, writer).await;
        if !matches!(
            tokio::time::timeout(GRACE, cost.flush(&store)).await,
            Ok(Ok(()))
        ) {
            tracing::error!("the last counts of costs are not written");
        }
        store.close().await;
        ended
    }
}

async fn closed(closing: &watch::Sender<bool>) {
    let mut closing = closing.subscribe();
    let _ = closing.wait_for(|closing| *closing).await;
}

async fn serve_http(
    listener: TcpListener,
    tls: Option<crate::TlsFiles>,
    app: App,
) -> Result<(), CannotServe> {
    let closing = app.closing.clone();
    let until = async move { closed(&closing).await };
    let routes = api::routes(app).into_make_service_with_connect_info::<Peer>();
    let served = match tls {
        None => {
            axum::serve(listener, routes)
                .with_graceful_shutdown(until)
                .await
        }
        Some(files) => {
            let listener = TlsListener::start(listener, files)?;
            axum::serve(listener, routes)
                .with_graceful_shutdown(until)
                .await
        }
    };
    served.map_err(CannotServe::Http)
}

async fn serve_grpc(
    listener: TcpListener,
    tls: Option<crate::TlsFiles>,
    app: App,
) -> Result<(), CannotServe> {
    let closing = app.closing.clone();
    let until = async move { closed(&closing).await };
    let services = tonic::service::Routes::new(ExtensionConfigDiscoveryServiceServer::new(
        Ecds::new(app.clone()),
    ))
    .add_service(AccessLogServiceServer::new(AccessLog::new(app.clone())))
    .add_service(RateLimits::service(app.clone()))
    .add_service(Spans::service(app.clone()));
    let routes = services.into_axum_router();
    let routes = routes.merge(directory::routes(app.clone()));
    let routes = routes.layer(from_fn_with_state(app, telemetry::of_proxies));
    let router = tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_ANSWER))
        .add_routes(routes.into());
    let served = match tls {
        None => {
            // Proxies wait 50 ms for limits, and a delayed acknowledgement takes 40.
            let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
            router.serve_with_incoming_shutdown(incoming, until).await
        }
        Some(files) => {
            let mut listener = TlsListener::start(listener, files)?;
            let (sender, receiver) = tokio::sync::mpsc::channel(1);
            tokio::spawn(async move {
                while let Some(stream) = listener.next().await {
                    if sender.send(Ok::<_, std::io::Error>(stream)).await.is_err() {
                        return;
                    }
                }
            });
            let incoming = tokio_stream::wrappers::ReceiverStream::new(receiver);
            router.serve_with_incoming_shutdown(incoming, until).await
        }
    };
    served.map_err(CannotServe::Grpc)
}

/// Follows what other replicas publish: told by the database, and looking
/// again and again, since a message may be lost.
async fn follow(app: App) {
    let mut listener: Option<PgListener> = None;
    let mut pruned = Instant::now();
    loop {
        if pruned.elapsed() > PRUNE {
            pruned = Instant::now();
            if let Err(error) = directory::prune(&app.store).await {
                tracing::warn!(%error, "old changes of users and groups are not forgotten");
            }
            if let Err(error) = step_up::prune(&app.store).await {
                tracing::warn!(%error, "old step-up tokens are not forgotten");
            }
            if let Err(error) = break_glass::prune(&app.store).await {
                tracing::warn!(%error, "what is over of break-glass is not forgotten");
            }
            if let Err(error) = cost::prune(&app).await {
                tracing::warn!(%error, "old counts of costs are not deleted");
            }
            if let Err(error) = alerts::prune(&app.store).await {
                tracing::warn!(%error, "groups of alerts that are over are not forgotten");
            }
            if let Err(error) = console::prune(&app.store).await {
                tracing::warn!(%error, "old sessions are not forgotten");
            }
        }
        if listener.is_none() {
            listener = app.store.listen().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "no messages of other replicas; looking instead");
                None
            });
        }
        if let Err(error) = app.published.follow(&app.store).await {
            tracing::error!(%error, "what is published cannot be read");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        if let Err(error) = app.directory.follow(&app.store).await {
            tracing::error!(%error, "changes of users and groups cannot be read");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let told = async {
            match &mut listener {
                Some(listener) => listener.recv().await.map(drop),
                None => std::future::pending().await,
            }
        };
        if let Ok(Err(error)) = tokio::time::timeout(POLL, told).await {
            tracing::warn!(%error, "no messages of other replicas");
            listener = None;
        }
    }
}

/// Gives what is published new keys when they begin or end.
async fn rekey(app: App) {
    let mut rekeying = Rekeying::default();
    let mut ticks = tokio::time::interval(REKEY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = rekeying.look(&app).await {
            error.log();
            tracing::warn!(%error, "what is published may have keys of before");
        }
    }
}

/// Tells other replicas of the proxies of this one.
async fn tell(app: App) {
    if !app.store.is_shared() {
        return;
    }
    let mut ticks = tokio::time::interval(proxies::TELL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = app.proxies.tell(&app.store).await {
            tracing::warn!(%error, "other replicas are not told of proxies");
        }
    }
}
