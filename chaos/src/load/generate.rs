//! Sends requests when they are due, whatever became of those before: an open loop.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use ig_e2e::{Connection, LoadRequest, RawSocket};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use super::measured::{Answer, Measured, Path};
use super::profile::{Arrivals, Stage};
use crate::numbers::Numbers;
use crate::world::{REGIONS, TENANTS, World, analyst};

/// Most requests under way at a time; one more is dropped, and counted.
const MOST: usize = 4_096;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a connection that nobody needs is kept: as clients' pools do, and for less
/// time than a gateway keeps it.
const IDLE: Duration = Duration::from_secs(5);

/// Seconds for which access tokens are good: longer than any load takes.
const GOOD_FOR: i64 = 25 * 3600;

/// Of a hundred requests, how many write and subscribe. The rest read.
const WRITES: usize = 15;
const SUBSCRIPTIONS: usize = 5;
const WEBSOCKETS: usize = 5;

/// What an answer with data begins with, and an event's text.
const DATA: &[u8] = b"{\"data\":{";

/// Clients of the gateways.
pub struct Clients {
    bodies: [(Path, Bytes); 4],
    tokens: Vec<String>,
    gateways: Vec<Arc<Pool>>,
}

/// Connections to a gateway that nobody uses at the moment: who was used last is last.
struct Pool {
    to: SocketAddr,
    idle: Mutex<VecDeque<(Instant, Connection)>>,
}

impl Pool {
    fn idle(&self) -> MutexGuard<'_, VecDeque<(Instant, Connection)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Connection {
        let last = self.idle().pop_back().map(|(_, connection)| connection);
        last.unwrap_or_else(|| Connection::new(self.to))
    }

    /// Keeps one, and ends those that a moment of queueing needed and nobody since.
    fn put(&self, connection: Connection) {
        let mut idle = self.idle();
        idle.push_back((Instant::now(), connection));
        while idle.front().is_some_and(|(at, _)| at.elapsed() > IDLE) {
            idle.pop_front();
        }
    }
}

impl Clients {
    /// Those of a world's tenants.
    ///
    /// # Errors
    /// If the demo lacks an operation.
    pub fn of(world: &World) -> Result<Self> {
        let asset = json!({"caseId": "case-1", "label": "a", "retention": "short-30d"});
        let events = World::by_id("CaseEvents", json!({"caseId": "case-1"}))?;
        let bodies = [
            (
                Path::Read,
                World::by_id("CaseById", json!({"id": "case-1"}))?,
            ),
            (
                Path::Write,
                World::by_id("CreateAsset", json!({"input": asset}))?,
            ),
            (Path::Subscription, events.clone()),
            (Path::WebSocket, events),
        ];
        let token = |tenant| world.tokens().of(tenant, &analyst(tenant), GOOD_FOR);
        let gateways = world.gateways.iter().map(|gateway| {
            Arc::new(Pool {
                to: gateway.address,
                idle: Mutex::default(),
            })
        });
        Ok(Self {
            bodies: bodies.map(|(path, body)| (path, Bytes::from(body))),
            tokens: (0..TENANTS).map(token).collect(),
            gateways: gateways.collect(),
        })
    }

    /// A request of a tenant, to its region's gateway.
    fn request(&self, path: Path, tenant: usize) -> Result<LoadRequest> {
        let body = self.bodies.iter().find(|(of, _)| *of == path);
        let (_, body) = body.context("no such path")?;
        let token = self.tokens.get(tenant).context("no such tenant")?;
        let accept = match path {
            Path::Subscription => "text/event-stream",
            Path::Read | Path::Write | Path::WebSocket => "application/json",
        };
        let request = http::Request::post("/graphql")
            .header("host", "edge")
            .header("content-type", "application/json")
            .header("accept", accept)
            .header("x-ig-purpose", "investigation")
            .header("authorization", format!("Bearer {token}"));
        Ok(request.body(Full::new(body.clone()))?)
    }

    fn any(&self, numbers: &mut Numbers) -> Result<(Path, Arc<Pool>, LoadRequest)> {
        let path = match numbers.below(100) {
            share if share < WRITES => Path::Write,
            share if share < WRITES + SUBSCRIPTIONS => Path::Subscription,
            share if share < WRITES + SUBSCRIPTIONS + WEBSOCKETS => Path::WebSocket,
            _ => Path::Read,
        };
        let tenant = numbers.below(TENANTS);
        let pool = self.gateways.get(tenant % REGIONS.len());
        let pool = pool.context("no gateway")?.clone();
        Ok((path, pool, self.request(path, tenant)?))
    }

    /// Ends all connections that nobody uses.
    pub fn hang_up(&self) {
        for pool in &self.gateways {
            pool.idle().clear();
        }
    }

    /// Requests a second that are served while so many wait at a time, each for its
    /// answer: what there is at most.
    ///
    /// # Errors
    /// If a lane panics, or nothing is served.
    pub async fn capacity(&self, lanes: u64, time: Duration) -> Result<f64> {
        let started = Instant::now();
        let mut running = tokio::task::JoinSet::new();
        for lane in 0..lanes {
            let mut requests = Vec::new();
            let mut numbers = Numbers::new(lane);
            for _ in 0..64 {
                requests.push(self.any(&mut numbers)?);
            }
            running.spawn(async move {
                let mut served = 0_u64;
                for (path, pool, request) in requests.iter().cycle() {
                    if started.elapsed() > time {
                        break;
                    }
                    let sent = send(pool, *path, request.clone()).await;
                    served += u64::from(sent.1);
                }
                served
            });
        }
        let mut served = 0;
        while let Some(one) = running.join_next().await {
            served += one?;
        }
        anyhow::ensure!(served > 0, "nothing is served");
        Ok(served as f64 / started.elapsed().as_secs_f64())
    }
}

/// What became of a request, and whether it was served.
async fn send(pool: &Pool, path: Path, request: LoadRequest) -> (String, bool) {
    if path == Path::WebSocket {
        let sent = tokio::time::timeout(PATIENCE, subscribe(pool.to, request)).await;
        return match sent {
            Ok(Ok(outcome)) => outcome,
            _ => ("none".to_owned(), false),
        };
    }
    let mut connection = pool.take();
    let sent = tokio::time::timeout(PATIENCE, connection.send(request)).await;
    let Ok(Ok((head, body))) = sent else {
        return ("none".to_owned(), false);
    };
    pool.put(connection);
    let status = head.status.as_u16();
    let is_whole = match path {
        // One that is complete without an event was not served.
        Path::Subscription => {
            body.ends_with(b"event: complete\ndata:\n\n")
                && body.windows(DATA.len()).any(|part| part == DATA)
        }
        Path::Read | Path::Write | Path::WebSocket => body.starts_with(DATA),
    };
    if status == 200 && is_whole {
        return ("200".to_owned(), true);
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let code = body["errors"][0]["extensions"]["code"].as_str();
    let outcome = code.map_or_else(|| status.to_string(), ToOwned::to_owned);
    (outcome, false)
}

/// Sends a request over a WebSocket of its own, until the operation is complete.
async fn subscribe(to: SocketAddr, request: LoadRequest) -> Result<(String, bool)> {
    let (head, body) = request.into_parts();
    let payload: Value = serde_json::from_slice(&body.collect().await?.to_bytes())?;
    let mut headers = vec![("sec-websocket-protocol", "graphql-transport-ws")];
    for name in ["authorization", "x-ig-purpose"] {
        let value = head.headers.get(name).context("nobody asks")?;
        headers.push((name, value.to_str()?));
    }
    let mut socket = RawSocket::open(to, &headers).await?;
    socket.init(json!({})).await?;
    let begin = json!({"id": "1", "type": "subscribe", "payload": payload});
    socket.send(&begin).await?;
    let mut results = 0;
    loop {
        let message = socket.message().await?;
        match message["type"].as_str() {
            Some("next") => results += i32::from(message["payload"]["data"].is_object()),
            Some("complete") if results > 0 => return Ok(("200".to_owned(), true)),
            _ => {
                let code = message["payload"][0]["extensions"]["code"].as_str();
                return Ok((code.unwrap_or("none").to_owned(), false));
            }
        }
    }
}

/// Sends what is due at the stages' rates, and counts what is answered.
///
/// # Errors
/// If a request cannot be made.
pub async fn generate(clients: &Clients, stages: Vec<Stage>, seed: u64) -> Result<Measured> {
    let mut numbers = Numbers::new(seed);
    let seats = Arc::new(Semaphore::new(MOST));
    let (tell, mut told) = mpsc::unbounded_channel();
    let counting = tokio::spawn(async move {
        let mut measured = Measured::new()?;
        while let Some(answer) = told.recv().await {
            measured.count(&answer)?;
        }
        anyhow::Ok(measured)
    });
    let mut dropped = 0;
    let started = Instant::now();
    for due in Arrivals::new(stages) {
        tokio::time::sleep_until((started + due).into()).await;
        let Ok(seat) = seats.clone().try_acquire_owned() else {
            dropped += 1;
            continue;
        };
        let (path, pool, request) = clients.any(&mut numbers)?;
        let tell = tell.clone();
        tokio::spawn(async move {
            let (outcome, is_served) = send(&pool, path, request).await;
            drop(seat);
            let _ = tell.send(Answer {
                path,
                due,
                took: started.elapsed().saturating_sub(due),
                outcome,
                is_served,
            });
        });
    }
    drop(tell);
    let mut measured = counting.await??;
    measured.dropped = dropped;
    Ok(measured)
}
