//! Buckets in Redis, which all replicas share: one script takes from them, by
//! one clock. While Redis is away nobody waits for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo as _, RedisError, Script, ScriptInvocation,
};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Charge, RedisUrl, Refused, Verdict};

/// How often a Redis that is away is tried.
const PROBE: Duration = Duration::from_millis(500);
/// How long a connection may take.
const CONNECT: Duration = Duration::from_millis(500);
/// A bucket of nobody.
const PROBE_KEY: &str = "ig:rl:probe";

/// The script that takes.
pub(super) const SCRIPT: &str = include_str!("take.lua");

/// Buckets in Redis.
pub(super) struct Shared {
    client: Client,
    script: Script,
    timeout: Duration,
    link: Mutex<Link>,
    lost: Notify,
}

/// The connection, while there is one, and which it is.
#[derive(Default)]
struct Link {
    number: u64,
    connection: Option<MultiplexedConnection>,
}

impl Link {
    fn set(&mut self, connection: MultiplexedConnection) {
        self.number += 1;
        self.connection = Some(connection);
    }
}

impl Shared {
    pub(super) fn new(url: &RedisUrl, timeout: Duration) -> Result<Self, RedisError> {
        // Requests that are in flight at once must not wait for each other.
        let at_once = TcpSettings::default().set_nodelay(true);
        let redis = url.as_str().into_connection_info()?;
        Ok(Self {
            client: Client::open(redis.set_tcp_settings(at_once))?,
            script: Script::new(SCRIPT),
            timeout,
            link: Mutex::default(),
            lost: Notify::new(),
        })
    }

    /// The verdict; none where Redis does not give one.
    pub(super) async fn take(&self, charges: &[Charge]) -> Option<Verdict> {
        let (number, mut connection) = {
            let link = self.link();
            (link.number, link.connection.clone()?)
        };
        let call = call(&self.script, charges);
        let asked = within(self.timeout, call.invoke_async(&mut connection)).await;
        let judged = asked.and_then(|answer| {
            verdict(charges, answer).ok_or_else(|| "an answer that is none".to_owned())
        });
        judged.map_err(|reason| self.lose(number, &reason)).ok()
    }

    /// Connects, and again whenever the connection is lost; for ever.
    pub(super) async fn keep(&self) {
        let mut is_told = false;
        loop {
            match within(CONNECT, self.connect()).await {
                Ok(connection) => {
                    tracing::info!("limits of the fleet are kept in Redis");
                    self.link().set(connection);
                    // Whoever loses it tells.
                    self.lost.notified().await;
                }
                Err(reason) if !is_told => tracing::warn!(reason, "{AWAY}"),
                Err(_) => {}
            }
            is_told = true;
            tokio::time::sleep(PROBE).await;
        }
    }

    /// A connection to a Redis that takes: a replica answers, and so does one
    /// that has no memory left.
    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            // Whoever asks looks at the time.
            .set_response_timeout(None);
        let client = &self.client;
        let connected = client.get_multiplexed_async_connection_with_config(&settings);
        let mut connection = connected.await?;
        let mut call = self.script.prepare_invoke();
        call.key(PROBE_KEY).arg(&[0_u64; 4]);
        let _: Vec<u64> = call.invoke_async(&mut connection).await?;
        Ok(connection)
    }

    /// One that is lost already, or another by now, stays as it is.
    fn lose(&self, number: u64, reason: &str) {
        let mut link = self.link();
        if link.number == number && link.connection.take().is_some() {
            tracing::warn!(reason, "{AWAY}");
            self.lost.notify_one();
        }
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const AWAY: &str = "Redis is away: each replica limits by itself";

/// What Redis answers in time, or why it does not.
async fn within<T>(
    time: Duration,
    asked: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, String> {
    match timeout(time, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer in {} ms", time.as_millis())),
    }
}

/// A call of the script.
pub(super) fn call<'a>(script: &'a Script, charges: &[Charge]) -> ScriptInvocation<'a> {
    let mut call = script.prepare_invoke();
    for Charge { key, charge } in charges {
        call.key(key).arg(charge.times().as_flattened());
    }
    call
}

/// What the script's answer says; none where it says nothing of these charges.
pub(super) fn verdict(charges: &[Charge], answer: Vec<u64>) -> Option<Verdict> {
    let [number, rate, full_in] = match answer[..] {
        [] => return Some(Ok(())),
        [number, rate, full_in] => [number, rate, full_in],
        _ => return None,
    };
    // Lua counts from one.
    let from_zero = |number: u64| usize::try_from(number).ok()?.checked_sub(1);
    let number = from_zero(number)?;
    let refusal = charges
        .get(number)?
        .charge
        .refusal(from_zero(rate)?, full_in)?;
    Some(Err(Refused {
        charge: number,
        refusal,
    }))
}
