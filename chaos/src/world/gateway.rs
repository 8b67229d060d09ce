//! A region's gateway: an Envoy that is killed, stopped and started where it was.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ig_e2e::Envoy;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::fault::Filter;

/// How long its admin interface may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// From when it is asked until its access log is written: another thread does it.
const WRITES: Duration = Duration::from_millis(200);

/// A gateway.
pub struct Gateway {
    envoy: Option<Envoy>,
    workers: u32,
    bootstrap: Value,
    /// Where clients connect.
    pub address: SocketAddr,
    /// Its admin interface.
    pub admin: SocketAddr,
    /// How it names itself.
    pub node: String,
    /// Its access log.
    pub access_log: PathBuf,
}

impl Gateway {
    /// Starts one.
    ///
    /// # Errors
    /// If it does not get ready.
    pub async fn start(
        workers: u32,
        address: SocketAddr,
        admin: SocketAddr,
        node: String,
        access_log: PathBuf,
        bootstrap: Value,
    ) -> Result<Self> {
        let mut this = Self {
            envoy: None,
            workers,
            bootstrap,
            address,
            admin,
            node,
            access_log,
        };
        this.start_again().await?;
        Ok(this)
    }

    /// Its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.envoy.as_ref().and_then(Envoy::id)
    }

    /// Starts it again where it was, if it is not running.
    ///
    /// # Errors
    /// If it does not get ready.
    pub async fn start_again(&mut self) -> Result<()> {
        if self.envoy.is_none() {
            let workers = self.workers;
            let started =
                Envoy::start_on(workers, self.address, self.admin, &self.bootstrap).await?;
            self.envoy = Some(started);
        }
        Ok(())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// If it is not there.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let envoy = self.envoy.as_ref().context("it is not running")?;
        let id = envoy.id().context("it has ended")?;
        let pid = Pid::from_raw(i32::try_from(id)?).context("no process id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Ends it by a signal, once it has written what it kept of its access log until
    /// then: up to ten seconds of it.
    ///
    /// # Errors
    /// If it is not there, or does not answer.
    pub async fn end(&mut self, signal: Signal) -> Result<()> {
        self.flush().await?;
        tokio::time::sleep(WRITES).await;
        self.signal(signal)?;
        if signal == Signal::TERM {
            // What it has to do before it ends; the value's end kills it.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.envoy = None;
        Ok(())
    }

    /// Has its fault filter do something.
    ///
    /// # Errors
    /// If it does not answer, or does not know the filter.
    pub async fn filter(&self, filter: Filter) -> Result<()> {
        if let Some(envoy) = &self.envoy {
            let said = envoy.post_admin(&filter.path()).await?;
            ensure!(said.contains(" 200 "), "{said}");
        }
        Ok(())
    }

    /// Envoy's own log.
    pub fn log(&self) -> String {
        self.envoy.as_ref().map(Envoy::log).unwrap_or_default()
    }

    /// Has it write what it still keeps of the access log.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn flush(&self) -> Result<()> {
        if let Some(envoy) = &self.envoy {
            let asked = envoy.post_admin("/reopen_logs");
            let asked = tokio::time::timeout(PATIENCE, asked).await;
            let said = asked.context("its admin interface does not answer")??;
            ensure!(said.contains(" 200 "), "{said}");
        }
        Ok(())
    }
}
