//! A steady workload, legal and illegal, and changes at the control plane, for as long
//! as a run lasts. It notes what it did and was answered, and judges nothing.

mod breakers;
mod changes;
mod exports;
mod operations;
mod requests;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;

use crate::history::{History, Kind, Micros};
use crate::numbers::Numbers;
use crate::world::World;

pub use self::changes::{Controls, User};
pub use self::requests::PATIENCE;

/// Lanes that send requests.
const LANES: u64 = 4;

/// Writes of a burst.
const BURST: usize = 64;

/// Time from one request of a lane to the next.
const GAP: Duration = Duration::from_millis(40);

/// A running workload.
pub struct Workload {
    shared: Arc<Shared>,
    first: u64,
    lanes: JoinSet<()>,
    numbers: Numbers,
}

/// What lanes know of each other.
pub struct Shared {
    history: History,
    is_over: AtomicBool,
    next: AtomicU64,
    /// When a legal request failed last.
    last_failure: AtomicU64,
    /// Gateways, a bit each, that had a breaker open when somebody looked last.
    open: AtomicU64,
    /// Who was deactivated.
    deactivated: Mutex<Vec<User>>,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn failed(&self, at: Micros) {
        self.last_failure.fetch_max(at, Ordering::Relaxed);
    }

    fn saw_breakers(&self, gateway: usize, is_open: bool) {
        let bit = 1_u64 << (gateway % 64);
        match is_open {
            true => self.open.fetch_or(bit, Ordering::Relaxed),
            false => self.open.fetch_and(!bit, Ordering::Relaxed),
        };
    }

    fn deactivated(&self) -> std::sync::MutexGuard<'_, Vec<User>> {
        let lock = self.deactivated.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workload {
    /// Starts it; it is the same for the same seed, but for the time things take.
    ///
    /// # Errors
    /// If the demo lacks an operation.
    pub fn start(world: &World, seed: u64) -> Result<Self> {
        let mut numbers = Numbers::new(seed);
        // Numbers of requests are of one workload: none before it is that old.
        let first = world.history.now() + 1;
        let shared = Arc::new(Shared {
            history: world.history.clone(),
            is_over: AtomicBool::new(false),
            next: AtomicU64::new(first),
            last_failure: AtomicU64::new(0),
            open: AtomicU64::new(0),
            deactivated: Mutex::default(),
        });
        let mut lanes = JoinSet::new();
        for lane in 0..LANES {
            let client = requests::Client::new(world, shared.clone(), numbers.fork())?;
            lanes.spawn(async move {
                tokio::time::sleep(GAP.mul_f64(lane as f64 / LANES as f64)).await;
                client.run(GAP).await;
            });
        }
        let controls = Controls::of(world);
        lanes.spawn(changes::users(
            controls.clone(),
            shared.clone(),
            numbers.fork(),
        ));
        lanes.spawn(changes::publications(
            controls.clone(),
            shared.clone(),
            numbers.fork(),
        ));
        lanes.spawn(changes::watch(controls.clone(), shared.clone()));
        let client = requests::Client::new(world, shared.clone(), numbers.fork())?;
        lanes.spawn(changes::deactivations(
            controls.clone(),
            shared.clone(),
            client,
        ));
        lanes.spawn(operations::run(controls.clone(), shared.clone()));
        let exporter = world.exporter.clone();
        lanes.spawn(exports::run(controls, shared.clone(), exporter));
        let admins = world.gateways.iter().map(|gateway| gateway.admin);
        lanes.spawn(breakers::watch(admins.collect(), shared.clone()));
        Ok(Self {
            shared,
            first,
            lanes,
            numbers,
        })
    }

    /// More writes of a region's tenants at once than its gateway lets wait.
    ///
    /// # Errors
    /// If the demo lacks an operation.
    pub fn burst(&mut self, world: &World, region: usize) -> Result<()> {
        let numbers = self.numbers.fork();
        let mut first = requests::Client::new(world, self.shared.clone(), numbers)?;
        for _ in 0..BURST {
            let mut client = first.fork();
            self.lanes.spawn(async move {
                let user = client.analyst(region, Kind::Write);
                client.ask_as(&user, Kind::Write, region).await;
            });
        }
        Ok(())
    }

    /// When a legal request failed last.
    pub fn last_failure(&self) -> Micros {
        self.shared.last_failure.load(Ordering::Relaxed)
    }

    /// Whether every breaker was closed when somebody looked last.
    pub fn is_closed(&self) -> bool {
        self.shared.open.load(Ordering::Relaxed) == 0
    }

    /// The number of its first request.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Ends it, once what is under way is answered.
    ///
    /// # Errors
    /// If a lane panicked.
    pub async fn stop(mut self) -> Result<()> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.lanes.join_next().await {
            ended?;
        }
        Ok(())
    }
}
