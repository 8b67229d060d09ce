//! Clients of the control plane: users that come and go, snapshots that are published,
//! and what proxies run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use ig_e2e::{Scim, ScimAnswer};
use serde_json::{Value, json};

use super::Shared;
use super::requests::Client;
use crate::history::{Change, Event, Kind, Micros, Running, What, sha256};
use crate::numbers::Numbers;
use crate::world::{REGIONS, TENANTS, Tokens, World, person, tenant_name};

/// Somebody who asks.
#[derive(Clone, Debug)]
pub struct User {
    /// Whose.
    pub tenant: usize,
    /// `userName`.
    pub name: String,
    /// Access token.
    pub token: String,
    /// Id of the SCIM resource.
    pub id: String,
}

/// How the control plane is reached.
#[derive(Clone)]
pub struct Controls {
    http: Vec<SocketAddr>,
    /// By replica, by tenant.
    scim: Vec<Vec<Scim>>,
    bearer: String,
    tokens: Tokens,
}

impl Controls {
    /// Of a world.
    pub fn of(world: &World) -> Self {
        let http: Vec<_> = world.replicas.iter().map(|replica| replica.http).collect();
        let scim = http.iter().map(|http| {
            let base = format!("http://{http}/scim/v2");
            let of = |scim: &Scim| Scim::new(base.clone(), scim.token.clone());
            world.scim.iter().map(of).collect()
        });
        let scim = scim.collect();
        Self {
            http,
            scim,
            bearer: format!("Bearer {}", world.token),
            tokens: world.tokens(),
        }
    }

    /// Status and body from a replica; status 0 is no answer.
    pub async fn call(
        &self,
        replica: usize,
        method: &'static str,
        path: String,
        body: String,
    ) -> (u16, Value) {
        let headers = vec![("authorization", self.bearer.clone())];
        self.call_with(replica, headers, method, path, body).await
    }

    /// The same with these headers.
    pub(super) async fn call_with(
        &self,
        replica: usize,
        headers: Vec<(&'static str, String)>,
        method: &'static str,
        path: String,
        body: String,
    ) -> (u16, Value) {
        let url = format!("http://{}", self.http[replica]);
        let call = move || {
            let headers: Vec<_> = headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            ig_e2e::call(&url, &headers, method, &path, body.as_bytes())
        };
        match tokio::task::spawn_blocking(call).await {
            Ok(Ok(answer)) => answer,
            _ => (0, Value::Null),
        }
    }

    /// An answer to a SCIM request from a replica.
    pub async fn scim(
        &self,
        replica: usize,
        tenant: usize,
        method: &'static str,
        path: String,
        body: Value,
    ) -> ScimAnswer {
        let scim = self.scim[replica][tenant].clone();
        let body = match body.is_null() {
            true => Vec::new(),
            false => body.to_string().into_bytes(),
        };
        let send = move || scim.send(method, &path, &[], &body);
        let sent = tokio::task::spawn_blocking(send).await;
        sent.unwrap_or_else(|_| ScimAnswer {
            status: 0,
            headers: http::HeaderMap::new(),
            text: String::new(),
            body: Value::Null,
        })
    }

    /// How many users of a name a tenant has.
    ///
    /// # Errors
    /// If nobody says so.
    pub async fn count(&self, tenant: usize, name: &str) -> Result<usize> {
        let path = format!("/Users?filter=userName%20eq%20%22{name}%22");
        crate::world::until("users", Duration::from_secs(30), async || {
            let found = self.scim(0, tenant, "GET", path.clone(), Value::Null).await;
            (found.status == 200).then(|| found.each("/id").len())
        })
        .await
    }

    /// Gives the graph settings that it did not have, so that the next publication is
    /// another revision; whether that was acknowledged. A comment is in no snapshot.
    pub(crate) async fn vary(&self, replica: usize, at: Micros) -> bool {
        let path = || "/graphs/demo".to_owned();
        let (status, mut graph) = self.call(replica, "GET", path(), String::new()).await;
        if status != 200 {
            return false;
        }
        let settings = graph["settings"].as_str().unwrap_or_default();
        let settings = settings.split(VARIED).next().unwrap_or_default();
        // Nobody has as many connections as any of these numbers. After a quarter of an hour
        // they come again, and so would a revision; the other setting counts the quarters.
        let (idle, most) = (60 + at / 900_000_000, 10_000 + at / 1_000 % 900_000);
        let varied = format!("max-connections = {most}\nidle-timeout-seconds = {idle}\n");
        graph["settings"] = json!(format!("{settings}{VARIED}\n{varied}"));
        let put = self.call(replica, "PUT", path(), graph.to_string());
        put.await.0 == 204
    }

    /// Proxies by their node, and the revision that each runs, as a replica knows it.
    pub(crate) async fn accepted(&self, replica: usize) -> Vec<(String, String)> {
        let path = "/proxies".to_owned();
        let (_, said) = self.call(replica, "GET", path, String::new()).await;
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let all = said.as_array().into_iter().flatten();
        all.filter_map(|one| Some((text(&one["node"])?, text(&one["accepted"])?)))
            .collect()
    }

    pub(super) fn other(&self, replica: usize) -> usize {
        (replica + 1) % self.http.len()
    }
}

/// The setting that differs from one publication to the next: the last of them.
const VARIED: &str = "[subscriptions]";

/// Attempts at one change, at one replica after the other.
pub(super) const ATTEMPTS: usize = 200;

pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// Users are made, one after the other.
pub(super) async fn users(controls: Controls, shared: Arc<Shared>, mut numbers: Numbers) {
    for number in 0.. {
        if shared.is_over() {
            return;
        }
        let tenant = numbers.below(TENANTS);
        let name = format!(
            "w-{number}-{}-{}",
            shared.history.now(),
            tenant_name(tenant)
        );
        make(
            &controls,
            &shared,
            tenant,
            &name,
            numbers.below(controls.http.len()),
        )
        .await;
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
}

/// Makes a user, however often that takes; its id, if it is there.
async fn make(
    controls: &Controls,
    shared: &Shared,
    tenant: usize,
    name: &str,
    mut replica: usize,
) -> Option<String> {
    let at = shared.history.now();
    let mut id = None;
    for _ in 0..ATTEMPTS {
        let answer = controls
            .scim(replica, tenant, "POST", "/Users".to_owned(), person(name))
            .await;
        match answer.status {
            201 => id = Some(answer.id()),
            // An earlier attempt made it, and its answer was lost.
            409 => id = find(controls, replica, tenant, name).await,
            _ => {}
        }
        if id.is_some() || shared.is_over() {
            break;
        }
        replica = controls.other(replica);
        tokio::time::sleep(PAUSE).await;
    }
    shared.history.push(Event::Change(Change {
        what: What::User,
        key: format!("{tenant}/{name}"),
        at,
        acknowledged: id.is_some().then(|| shared.history.now()),
        entry: None,
    }));
    id
}

async fn find(controls: &Controls, replica: usize, tenant: usize, name: &str) -> Option<String> {
    let path = format!("/Users?filter=userName%20eq%20%22{name}%22");
    let found = controls
        .scim(replica, tenant, "GET", path, Value::Null)
        .await;
    found.each("/id").into_iter().next()
}

/// A user is made, is served, is deactivated; then the next.
pub(super) async fn deactivations(controls: Controls, shared: Arc<Shared>, mut client: Client) {
    let mut groups = vec![None; TENANTS];
    for number in 0.. {
        if shared.is_over() {
            return;
        }
        let tenant = number % TENANTS;
        let name = format!("victim-{number}-{}", shared.history.now());
        deactivate(
            &controls,
            &shared,
            &mut client,
            &mut groups[tenant],
            tenant,
            &name,
        )
        .await;
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
}

async fn deactivate(
    controls: &Controls,
    shared: &Shared,
    client: &mut Client,
    group: &mut Option<String>,
    tenant: usize,
    name: &str,
) -> Option<()> {
    let id = make(controls, shared, tenant, name, 0).await?;
    if group.is_none() {
        let path = "/Groups?filter=displayName%20eq%20%22analyst%22".to_owned();
        let found = controls.scim(0, tenant, "GET", path, Value::Null).await;
        *group = found.each("/id").into_iter().next();
    }
    let path = format!("/Groups/{}", group.as_ref()?);
    let add = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "add", "path": "members", "value": [{"value": id}]}],
    });
    controls.scim(0, tenant, "PATCH", path, add).await;
    let user = User {
        tenant,
        name: name.to_owned(),
        token: controls.tokens.of(tenant, name, 7200),
        id,
    };
    // Guards know them before they go.
    for gateway in 0..REGIONS.len() {
        client.ask_as(&user, Kind::Newcomer, gateway).await;
    }
    let at = shared.history.now();
    let patch = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": false}],
    });
    let mut replica = 0;
    let mut acknowledged = None;
    for _ in 0..ATTEMPTS {
        let path = format!("/Users/{}", user.id);
        let answer = controls
            .scim(replica, tenant, "PATCH", path, patch.clone())
            .await;
        if answer.status == 200 || answer.status == 204 {
            acknowledged = Some(shared.history.now());
            break;
        }
        if shared.is_over() {
            break;
        }
        replica = controls.other(replica);
        tokio::time::sleep(PAUSE).await;
    }
    shared.history.push(Event::Change(Change {
        what: What::Deactivation,
        key: user.name.clone(),
        at,
        acknowledged,
        entry: None,
    }));
    if acknowledged.is_some() {
        shared.deactivated().push(user);
    }
    Some(())
}

/// Snapshots are published, one after the other.
pub(super) async fn publications(controls: Controls, shared: Arc<Shared>, mut numbers: Numbers) {
    while !shared.is_over() {
        let replica = numbers.below(controls.http.len());
        if controls.vary(replica, shared.history.now()).await {
            publish(&controls, &shared, replica).await;
        }
        tokio::time::sleep(Duration::from_millis(1500)).await;
    }
}

async fn publish(controls: &Controls, shared: &Shared, replica: usize) {
    let at = shared.history.now();
    let (status, said) = controls
        .call(replica, "POST", "/snapshots/demo".to_owned(), String::new())
        .await;
    let revision = said["revision"].as_str().unwrap_or_default();
    shared.history.push(Event::Change(Change {
        what: What::Publication,
        key: revision.to_owned(),
        at,
        acknowledged: (status == 200).then(|| shared.history.now()),
        entry: Some(sha256(format!(
            r#"{{"kind":"release/v1","sha256":"{revision}"}}"#
        ))),
    }));
}

/// What proxies run, as the control plane knows it.
pub(super) async fn watch(controls: Controls, shared: Arc<Shared>) {
    while !shared.is_over() {
        for replica in 0..controls.http.len() {
            for (node, revision) in controls.accepted(replica).await {
                shared.history.push(Event::Running(Running {
                    node,
                    revision,
                    at: shared.history.now(),
                }));
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
