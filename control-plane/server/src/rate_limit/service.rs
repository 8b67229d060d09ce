//! Envoy's rate-limit service.
//!
//! Whatever is not limited passes: a domain that no publication is of, a tenant
//! or class that the publication does not name, a class without limits of the
//! fleet. An error is for what a person has to mend; Envoy counts it
//! (`ratelimit.…error`), and its `failure_mode_deny` says what becomes of the
//! request.

use std::time::Instant;

use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::{
    RateLimitService, RateLimitServiceServer,
};
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use ig_contract::Mode;
use ig_rate_limit::{FleetCharge, Refusal};
use tonic::{Request, Response, Status};

use super::limits::{Limit, Limits};
use super::request::{self, Asked};
use super::{Charge, answer};
use crate::app::App;
use crate::{tls, xds};

/// The rate-limit service.
pub(crate) struct RateLimits {
    app: App,
}

impl RateLimits {
    pub(crate) fn service(app: App) -> RateLimitServiceServer<Self> {
        RateLimitServiceServer::new(Self { app }).max_decoding_message_size(request::MAX_BYTES)
    }
}

#[tonic::async_trait]
impl RateLimitService for RateLimits {
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        let started = Instant::now();
        let identity = tls::peer(&request);
        let request = request.into_inner();
        let is_own = {
            let published = self.app.published.watch();
            let published = published.borrow();
            let publication = published.get(&request.domain);
            publication.map(|one| one.is_for(identity.as_deref()))
        };
        // Names that proxies make up must not become time series.
        let graph = match is_own {
            None => "unknown",
            Some(true) => xds::graph(&request.domain).unwrap_or("unknown"),
            Some(false) => return Err(Status::permission_denied("another graph's limits")),
        };
        let asked = request::read(&request).map_err(Status::invalid_argument)?;
        let answer = self.answer(&request.domain, graph, &asked).await;
        self.app.metrics.rate_limit.asked(graph, started.elapsed());
        Ok(Response::new(answer))
    }
}

impl RateLimits {
    async fn answer(&self, domain: &str, graph: &str, asked: &[Asked<'_>]) -> RateLimitResponse {
        let metrics = &self.app.metrics.rate_limit;
        let Some(limits) = self.app.fleet.graphs.get(domain) else {
            return answer::ok(asked.len());
        };
        let draws = Draw::all(&limits, asked);
        let charges = draws.iter().map(|draw| draw.charge(graph));
        let taken = match charges.collect::<Result<Vec<_>, _>>() {
            Ok(charges) if charges.is_empty() => return answer::ok(asked.len()),
            Ok(charges) => {
                let (verdict, is_degraded) = self.app.fleet.take(&charges).await;
                if is_degraded {
                    metrics.degraded(graph);
                }
                verdict.map_err(|refused| (draws.get(refused.charge), refused.refusal))
            }
            Err((draw, refusal)) => Err((Some(draw), refusal)),
        };
        let Err((Some(draw), refusal)) = taken else {
            return answer::ok(asked.len());
        };
        metrics.over(graph, draw.limit.tenant.mode);
        match draw.limit.tenant.mode {
            Mode::Shadow => answer::ok(asked.len()),
            Mode::Enforce => answer::over(&refusal, asked.iter().map(|one| draw.is_of(one))),
        }
    }
}

/// What descriptors take from one bucket.
struct Draw<'a> {
    tenant: &'a str,
    limit: Limit<'a>,
    cost: u32,
}

impl<'a> Draw<'a> {
    /// By bucket: a script that takes from one twice would have to remember.
    fn all(limits: &'a Limits, asked: &[Asked<'a>]) -> Vec<Self> {
        let mut draws = Vec::<Self>::new();
        for one in asked {
            if let Some(same) = draws.iter_mut().find(|draw| draw.is_of(one)) {
                same.cost = same.cost.saturating_add(one.cost);
            } else if let Some(limit) = limits.of(one.tenant, one.class) {
                draws.push(Self {
                    tenant: one.tenant,
                    limit,
                    cost: one.cost,
                });
            }
        }
        draws
    }

    fn is_of(&self, asked: &Asked<'_>) -> bool {
        self.tenant == asked.tenant && self.limit.class.as_str() == asked.class
    }

    fn charge(&self, graph: &str) -> Result<Charge, (&Self, Refusal)> {
        let Limit {
            tenant,
            class,
            rates,
        } = &self.limit;
        let charge = FleetCharge::new(*class, rates, tenant.percent, self.cost);
        Ok(Charge {
            key: key(graph, self.tenant, class.as_str()),
            charge: charge.map_err(|refusal| (self, refusal))?,
        })
    }
}

/// Name of a bucket. A graph's are in one slot of a cluster, where one script
/// can take from several; neither a graph nor a class has a colon.
pub(super) fn key(graph: &str, tenant: &str, class: &str) -> String {
    format!("ig:rl:{{{graph}}}:{tenant}:{class}")
}
