//! What is done to the system, and what is promised all the same: a table.

mod anything;

use std::time::Duration;

use rustix::process::Signal;

use crate::check::Promises;
use crate::fault::{Filter, Toxics};
use crate::numbers::Numbers;
use crate::world::{CONTROL_LINKS, PEER_LINKS, UPSTREAM_LINKS};

/// One thing that is done, for a while.
#[derive(Clone, Debug)]
pub enum Act {
    /// A gateway's process ends, and is started again.
    EndGateway(usize, Signal),
    /// A gateway's process is stopped, and goes on.
    PauseGateway(usize),
    /// A replica of the control plane ends, and is started again.
    EndReplica(usize, Signal),
    /// A replica is stopped, and goes on.
    PauseReplica(usize),
    /// An upstream's process ends.
    EndUpstream(usize),
    /// An upstream takes requests and does not answer.
    PauseUpstream(usize),
    /// A region's primary does not answer, and more is written than may wait for it.
    Burst(usize),
    /// Redis ends, and comes back empty.
    EndRedis,
    /// Redis is told to end, and comes back empty.
    TerminateRedis,
    /// Redis is stopped.
    PauseRedis,
    /// PostgreSQL ends as `kill -9` ends it, and recovers.
    EndPostgres,
    /// PostgreSQL is told to end: it lets nobody new in, and then sends everybody away.
    TerminatePostgres,
    /// All of PostgreSQL is stopped, and goes on.
    PausePostgres,
    /// The database's disk is full.
    FillDisk,
    /// A snapshot that is broken is published behind the control plane's back.
    Poison,
    /// The control plane's certificate has ended, and connections to it end.
    EndCertificate,
    /// Names are not resolved, and a gateway starts anew meanwhile.
    LoseNames(usize),
    /// A gateway's fault filter does something.
    Filter(usize, Filter),
    /// Links are disturbed.
    Links(&'static [&'static str], Toxics),
}

/// An act, and for how long.
#[derive(Clone, Debug)]
pub struct Step {
    /// What.
    pub act: Act,
    /// Links that are disturbed meanwhile.
    pub beside: Option<(&'static [&'static str], Toxics)>,
    /// For how long.
    pub time: Duration,
}

/// A scenario.
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What is promised.
    pub promises: Promises,
    /// What is done, one after the other, in so much time.
    pub steps: fn(&mut Numbers, Duration) -> Vec<Step>,
}

const PROMISES: Promises = Promises {
    gateways_go: false,
    directory_goes: false,
    recovery_ms: 5_000,
    p95_ms: None,
    breakers_open: false,
};

static ALL_LINKS: [&str; 12] = [
    "eu-primary",
    "eu-replica-1",
    "eu-replica-2",
    "us-primary",
    "us-replica-1",
    "us-replica-2",
    "peer-eu",
    "peer-us",
    "control-0",
    "control-1",
    "postgres",
    "redis",
];

/// So much later in each direction, and up to a quarter more.
const fn latency(milliseconds: u64) -> Toxics {
    Toxics {
        latency: Duration::from_millis(milliseconds),
        jitter: Duration::from_millis(milliseconds / 4),
        ..NOTHING
    }
}

const NOTHING: Toxics = Toxics {
    latency: Duration::ZERO,
    jitter: Duration::ZERO,
    loss: 0.0,
    bandwidth: None,
    slow_close: Duration::ZERO,
    reset_peer: false,
    down: false,
    timeout: false,
};
const DOWN: Toxics = Toxics {
    down: true,
    ..NOTHING
};
/// Connections end at once, as by a peer that forgot them.
pub(crate) const RESET: Toxics = Toxics {
    reset_peer: true,
    ..NOTHING
};
const PARTITION: Toxics = Toxics {
    timeout: true,
    ..NOTHING
};
const LOSS: Toxics = Toxics {
    loss: 0.1,
    ..NOTHING
};
const NARROW: Toxics = Toxics {
    bandwidth: Some(64 << 10),
    ..NOTHING
};
const SLOW_CLOSE: Toxics = Toxics {
    slow_close: Duration::from_secs(2),
    ..NOTHING
};

fn one(act: Act, time: Duration) -> Vec<Step> {
    vec![Step {
        act,
        beside: None,
        time,
    }]
}

fn rounds(count: u32, time: Duration, mut act: impl FnMut(u32) -> Act) -> Vec<Step> {
    let time = time / count;
    (0..count)
        .map(|round| Step {
            act: act(round),
            beside: None,
            time,
        })
        .collect()
}

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "gateway-kill",
        about: "a gateway is killed and comes back: it denies until it has its snapshot again",
        promises: Promises {
            gateways_go: true,
            ..PROMISES
        },
        steps: |numbers, time| rounds(2, time, |_| Act::EndGateway(numbers.below(2), Signal::KILL)),
    },
    Scenario {
        name: "gateway-terminate",
        about: "a gateway is told to end, as by an orchestrator",
        promises: Promises {
            gateways_go: true,
            ..PROMISES
        },
        steps: |numbers, time| one(Act::EndGateway(numbers.below(2), Signal::TERM), time),
    },
    Scenario {
        name: "gateway-pause",
        about: "a gateway's process is stopped and goes on with what it knew",
        promises: Promises {
            gateways_go: true,
            directory_goes: true,
            ..PROMISES
        },
        steps: |numbers, time| one(Act::PauseGateway(numbers.below(2)), time),
    },
    Scenario {
        name: "control-plane-kill",
        about: "replicas of the control plane are killed in turn, in the midst of writes",
        promises: Promises {
            directory_goes: true,
            ..PROMISES
        },
        steps: |_, time| {
            rounds(4, time, |round| {
                Act::EndReplica(round as usize % 2, Signal::KILL)
            })
        },
    },
    Scenario {
        name: "control-plane-terminate",
        about: "replicas of the control plane are told to end, in turn, in the midst of writes",
        promises: Promises {
            directory_goes: true,
            ..PROMISES
        },
        // Each takes its time to end.
        steps: |_, time| {
            rounds(2, time, |round| {
                Act::EndReplica(round as usize % 2, Signal::TERM)
            })
        },
    },
    Scenario {
        name: "control-plane-pause",
        about: "a replica is stopped: it holds its connections and says nothing",
        promises: Promises {
            directory_goes: true,
            ..PROMISES
        },
        steps: |numbers, time| one(Act::PauseReplica(numbers.below(2)), time),
    },
    Scenario {
        name: "control-plane-partition",
        about: "gateways are cut off from both replicas, and nobody is told",
        promises: Promises {
            directory_goes: true,
            recovery_ms: 15_000,
            ..PROMISES
        },
        steps: |_, time| one(Act::Links(&CONTROL_LINKS, PARTITION), time),
    },
    Scenario {
        name: "postgres-kill",
        about: "the database is killed and recovers from its log",
        promises: Promises {
            directory_goes: true,
            recovery_ms: 15_000,
            ..PROMISES
        },
        steps: |_, time| rounds(2, time, |_| Act::EndPostgres),
    },
    Scenario {
        name: "postgres-terminate",
        about: "the database is told to end: it lets nobody new in, then sends everybody away",
        promises: Promises {
            directory_goes: true,
            recovery_ms: 15_000,
            ..PROMISES
        },
        steps: |_, time| one(Act::TerminatePostgres, time),
    },
    Scenario {
        name: "postgres-pause",
        about: "the database is stopped: it holds its connections and says nothing",
        promises: Promises {
            directory_goes: true,
            recovery_ms: 15_000,
            ..PROMISES
        },
        steps: |_, time| one(Act::PausePostgres, time),
    },
    Scenario {
        name: "postgres-slow",
        about: "the database is far away, and loses segments",
        promises: Promises {
            directory_goes: true,
            ..PROMISES
        },
        steps: |_, time| {
            let toxics = Toxics {
                loss: 0.05,
                ..latency(50)
            };
            one(Act::Links(&["postgres"], toxics), time)
        },
    },
    Scenario {
        name: "disk-full",
        about: "the database's disk is full: what cannot be kept is not acknowledged",
        promises: Promises {
            directory_goes: true,
            recovery_ms: 15_000,
            ..PROMISES
        },
        steps: |_, time| one(Act::FillDisk, time),
    },
    Scenario {
        name: "snapshot-poison",
        about: "a broken snapshot is published by force: gateways go on with the one before",
        promises: PROMISES,
        steps: |_, time| rounds(4, time, |_| Act::Poison),
    },
    Scenario {
        name: "certificate-ended",
        about: "the control plane shows a certificate that has ended: gateways do not believe it",
        promises: Promises {
            directory_goes: true,
            recovery_ms: 30_000,
            ..PROMISES
        },
        steps: |_, time| one(Act::EndCertificate, time),
    },
    Scenario {
        name: "names-lost",
        about: "the control plane's names are not resolved, and a gateway starts meanwhile",
        promises: Promises {
            gateways_go: true,
            directory_goes: true,
            recovery_ms: 30_000,
            ..PROMISES
        },
        steps: |numbers, time| one(Act::LoseNames(numbers.below(2)), time),
    },
    Scenario {
        name: "gateway-faults",
        about: "Envoy's fault filter holds some requests for half a second, and aborts others",
        promises: PROMISES,
        steps: |numbers, time| {
            rounds(2, time, |round| {
                let filter = match round {
                    0 => Filter {
                        delayed: 30,
                        aborted: 0,
                    },
                    _ => Filter {
                        delayed: 10,
                        aborted: 20,
                    },
                };
                Act::Filter(numbers.below(2), filter)
            })
        },
    },
    Scenario {
        name: "redis-kill",
        about: "Redis ends and comes back empty",
        promises: PROMISES,
        steps: |_, time| rounds(2, time, |_| Act::EndRedis),
    },
    Scenario {
        name: "redis-terminate",
        about: "Redis is told to end, and comes back empty",
        promises: PROMISES,
        steps: |_, time| rounds(2, time, |_| Act::TerminateRedis),
    },
    Scenario {
        name: "redis-pause",
        about: "Redis takes questions and does not answer",
        promises: PROMISES,
        steps: |_, time| one(Act::PauseRedis, time),
    },
    Scenario {
        name: "upstream-kill",
        about: "hosts end and come back, one after the other",
        promises: PROMISES,
        steps: |numbers, time| {
            let hosts = UPSTREAM_LINKS.len();
            rounds(6, time, |_| Act::EndUpstream(numbers.below(hosts)))
        },
    },
    Scenario {
        name: "upstream-pause",
        about: "a replica of data takes requests and does not answer",
        promises: Promises {
            gateways_go: true,
            ..PROMISES
        },
        steps: |_, time| one(Act::PauseUpstream(1), time),
    },
    Scenario {
        name: "upstream-burst",
        about: "more is written than a primary answers: what is too much is refused at once",
        promises: Promises {
            gateways_go: true,
            breakers_open: true,
            ..PROMISES
        },
        steps: |numbers, time| rounds(2, time, |_| Act::Burst(numbers.below(2))),
    },
    Scenario {
        name: "upstream-latency",
        about: "one host of six answers 400 to 500 ms late: 95 of 100 are in time all the same",
        promises: Promises {
            p95_ms: Some(350),
            ..PROMISES
        },
        steps: |_, time| one(Act::Links(&["us-replica-1"], latency(200)), time),
    },
    Scenario {
        name: "upstream-reset",
        about: "connections to hosts are reset again and again",
        promises: PROMISES,
        steps: |numbers, time| {
            rounds(8, time, |_| {
                let at = numbers.below(UPSTREAM_LINKS.len());
                Act::Links(std::slice::from_ref(&UPSTREAM_LINKS[at]), RESET)
            })
        },
    },
    Scenario {
        name: "upstream-narrow",
        about: "links to hosts lose segments, carry little, and close late",
        promises: PROMISES,
        steps: |_, time| {
            rounds(3, time, |round| {
                let toxics = [LOSS, NARROW, SLOW_CLOSE];
                Act::Links(&UPSTREAM_LINKS, toxics[round as usize % toxics.len()])
            })
        },
    },
    Scenario {
        name: "region-down",
        about: "all hosts of a region are away: nobody else serves its tenants",
        promises: PROMISES,
        steps: |_, time| {
            one(
                Act::Links(&["us-primary", "us-replica-1", "us-replica-2"], DOWN),
                time,
            )
        },
    },
    Scenario {
        name: "regions-apart",
        about: "regions do not reach each other's gateways",
        promises: Promises {
            gateways_go: true,
            ..PROMISES
        },
        steps: |_, time| one(Act::Links(&PEER_LINKS, PARTITION), time),
    },
    Scenario {
        name: "anything",
        about: "all of it but the full disk, drawn at random, with a link that is disturbed beside",
        promises: Promises {
            gateways_go: true,
            directory_goes: true,
            recovery_ms: 30_000,
            ..PROMISES
        },
        steps: anything::steps,
    },
];
