//! The upgraded streams of this VM: who has to be told of changes when nothing
//! comes, and how many a tenant has.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

#[cfg(feature = "policy")]
use ig_contract::directory::{Facts, FactsRequest, MAX_FACTS_BYTES};
#[cfg(feature = "policy")]
use ig_guard::directory::Ticket;
use ig_guard::{Guard, Standing};

use super::Connection;
use super::now;
#[cfg(feature = "policy")]
use crate::directory;
use crate::host::{self, HostError};

/// A stream: its connection, whose it is, and which guard decides.
struct Entry {
    connection: Rc<RefCell<Connection>>,
    tenant: String,
    plugin: Plugin,
}

/// Which guard decides: a graph, and the guards of the instance.
pub(crate) type Plugin = (String, bool);

/// The upgraded streams of this VM, by their contexts.
#[derive(Default)]
pub(crate) struct Registry {
    open: BTreeMap<u32, Entry>,
    per_tenant: BTreeMap<String, u32>,
    /// Streams with something to send that waits for a tick.
    waiting: BTreeSet<u32>,
    /// Streams to be looked at.
    suspects: BTreeSet<u32>,
    /// The guard of the newest revision.
    newest: BTreeMap<Plugin, Rc<Guard>>,
    swept: Duration,
    #[cfg(feature = "policy")]
    generations: BTreeMap<Plugin, u64>,
    #[cfg(feature = "policy")]
    asked: Vec<Asked>,
}

/// A question about a subject whose facts have changed.
#[cfg(feature = "policy")]
struct Asked {
    token: u32,
    question: Rc<FactsRequest>,
    ticket: Ticket,
    plugin: Plugin,
    since: Duration,
    streams: BTreeSet<u32>,
    is_again: bool,
}

/// Between two looks at the clock of every stream.
const SWEEP: Duration = Duration::from_millis(500);
/// Most questions at a time; the others wait for the next tick.
#[cfg(feature = "policy")]
const MOST_QUESTIONS: usize = 64;
/// After which nobody waits for an answer any more: who asked is gone.
#[cfg(feature = "policy")]
const LOST: Duration = Duration::from_secs(10);

thread_local! {
    static REGISTRY: RefCell<Registry> = RefCell::default();
}

/// Does something with this VM's registry.
pub(crate) fn with<T>(act: impl FnOnce(&mut Registry) -> T) -> T {
    REGISTRY.with_borrow_mut(act)
}

pub(crate) fn plugin(guard: &Guard) -> Plugin {
    let graph = guard.snapshot().head().graph.clone();
    #[cfg(feature = "policy")]
    return (graph, guard.guards().policy);
    #[cfg(not(feature = "policy"))]
    (graph, false)
}

impl Registry {
    /// Streams go on under the guard of a new revision.
    pub(crate) fn renew(&mut self, guard: &Rc<Guard>) {
        let plugin = plugin(guard);
        let streams = self.open.iter();
        let concerned = streams.filter(|(_, entry)| entry.plugin == plugin);
        self.suspects.extend(concerned.map(|(context, _)| *context));
        self.newest.insert(plugin, guard.clone());
    }

    /// Streams that a tenant has.
    pub(crate) fn count(&self, tenant: &str) -> u32 {
        self.per_tenant.get(tenant).copied().unwrap_or_default()
    }

    pub(crate) fn add(
        &mut self,
        context: u32,
        connection: &Rc<RefCell<Connection>>,
        tenant: String,
        guard: &Guard,
    ) {
        *self.per_tenant.entry(tenant.clone()).or_default() += 1;
        let entry = Entry {
            connection: connection.clone(),
            tenant,
            plugin: plugin(guard),
        };
        self.open.insert(context, entry);
        // It may have been decided on before a revision that is here already.
        self.suspects.insert(context);
    }

    pub(crate) fn remove(&mut self, context: u32) {
        let Some(entry) = self.open.remove(&context) else {
            return;
        };
        self.waiting.remove(&context);
        self.suspects.remove(&context);
        if let Some(count) = self.per_tenant.get_mut(&entry.tenant) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.per_tenant.remove(&entry.tenant);
            }
        }
    }

    /// Has the next tick send what a stream has to say.
    pub(crate) fn wait(&mut self, context: u32) {
        self.waiting.insert(context);
    }

    /// Does what streams wait for; `root` is the context whose tick it is.
    pub(crate) fn on_tick(&mut self, root: u32) -> Result<(), HostError> {
        if self.open.is_empty() {
            return Ok(());
        }
        let now = now()?;
        for context in std::mem::take(&mut self.waiting) {
            self.act(context, |connection| connection.send());
        }
        #[cfg(feature = "policy")]
        self.note_changes(now);
        self.look(root, now)?;
        if now.saturating_sub(self.swept) >= SWEEP {
            self.swept = now;
            let all: Vec<u32> = self.open.keys().copied().collect();
            for context in all {
                self.act(context, |connection| connection.on_time(now));
            }
        }
        host::act_for(root)
    }

    /// Acts in a stream's stead. What it could not send waits for the next tick.
    fn act(&mut self, context: u32, act: impl FnOnce(&mut Connection) -> Result<(), HostError>) {
        let Some(entry) = self.open.get(&context) else {
            return;
        };
        let mut connection = entry.connection.borrow_mut();
        let outcome = host::act_for(context).and_then(|()| act(&mut connection));
        if connection.is_waiting() {
            self.waiting.insert(context);
        }
        if let Err(error) = outcome {
            super::fail(error);
        }
    }

    /// Looks at all streams of directories that told of a change.
    #[cfg(feature = "policy")]
    fn note_changes(&mut self, now: Duration) {
        for (plugin, guard) in &self.newest {
            let Some(directory) = guard.directory() else {
                continue;
            };
            let generation = directory.generation();
            let before = self.generations.insert(plugin.clone(), generation);
            if before == Some(generation) {
                continue;
            }
            let streams = self.open.iter();
            let concerned = streams.filter(|(_, entry)| entry.plugin == *plugin);
            self.suspects.extend(concerned.map(|(context, _)| *context));
        }
        let lost = |asked: &Asked| now.saturating_sub(asked.since) >= LOST;
        for asked in self.asked.extract_if(.., |asked| lost(asked)) {
            self.suspects.extend(asked.streams);
        }
    }

    #[cfg_attr(
        not(feature = "policy"),
        expect(unused_variables, reason = "only policy asks")
    )]
    fn look(&mut self, root: u32, now: Duration) -> Result<(), HostError> {
        for context in std::mem::take(&mut self.suspects) {
            let Some(entry) = self.open.get(&context) else {
                continue;
            };
            // One that Envoy does not know must not keep the others from being looked at.
            if host::act_for(context).is_err() {
                continue;
            }
            let standing = {
                let mut connection = entry.connection.borrow_mut();
                match self.newest.get(&entry.plugin) {
                    Some(newest) if !Rc::ptr_eq(newest, &connection.guard) => {
                        connection.guard = newest.clone();
                        connection.socket.on_revision(newest, now)
                    }
                    _ => connection.socket.look(now),
                }
            };
            match standing {
                Standing::Known(turn) => self.act(context, |connection| {
                    connection.settle(*turn, now)?;
                    connection.send()
                }),
                #[cfg(feature = "policy")]
                Standing::Ask(question, ticket) => {
                    let plugin = entry.plugin.clone();
                    self.ask(root, context, (question, ticket), plugin, now)?;
                }
            }
        }
        Ok(())
    }

    #[cfg(feature = "policy")]
    fn ask(
        &mut self,
        root: u32,
        context: u32,
        (question, ticket): (Rc<FactsRequest>, Ticket),
        plugin: Plugin,
        now: Duration,
    ) -> Result<(), HostError> {
        let mut asked = self.asked.iter_mut();
        if let Some(same) = asked.find(|one| one.question == question && one.ticket == ticket) {
            same.streams.insert(context);
            return Ok(());
        }
        if self.asked.len() >= MOST_QUESTIONS {
            self.suspects.insert(context);
            return Ok(());
        }
        let Some(guard) = self.newest.get(&plugin) else {
            return Ok(());
        };
        host::act_for(root)?;
        let Ok(token) = directory::ask(guard, &question, None) else {
            self.act(context, |connection| connection.on_no_facts(now));
            return Ok(());
        };
        self.asked.push(Asked {
            token,
            question,
            ticket,
            plugin,
            since: now,
            streams: [context].into(),
            is_again: false,
        });
        Ok(())
    }

    /// Takes the answer to a question that a tick asked.
    #[cfg(feature = "policy")]
    pub(crate) fn on_response(&mut self, root: u32, token: u32, body_size: usize) {
        let Some(at) = self.asked.iter().position(|asked| asked.token == token) else {
            return;
        };
        let asked = self.asked.swap_remove(at);
        let body = host::call_response(body_size, MAX_FACTS_BYTES);
        let facts: Option<Facts> = body.and_then(|body| serde_json::from_slice(&body).ok());
        let Ok(now) = now() else {
            return self.suspects.extend(asked.streams);
        };
        let guard = self.newest.get(&asked.plugin).cloned();
        let is_known = guard
            .as_ref()
            .is_some_and(|guard| guard.keep_facts(&asked.question, asked.ticket, facts));
        if is_known || !asked.is_again {
            self.suspects.extend(&asked.streams);
        }
        if is_known {
            let _ = self.look(root, now);
        } else if let (false, Some(guard)) = (asked.is_again, &guard) {
            // Once more, by the ticket of now.
            if let Ok(token) = directory::ask(guard, &asked.question, None) {
                for context in &asked.streams {
                    self.suspects.remove(context);
                }
                let ticket = match guard.directory().map(|one| one.recall(&asked.question)) {
                    Some(ig_guard::directory::Lookup::Unknown(ticket)) => ticket,
                    _ => asked.ticket,
                };
                self.asked.push(Asked {
                    token,
                    ticket,
                    since: now,
                    is_again: true,
                    ..asked
                });
            }
        } else {
            for context in asked.streams {
                self.act(context, |connection| connection.on_no_facts(now));
            }
        }
        let _ = host::act_for(root);
    }
}

#[cfg(feature = "policy")]
impl Connection {
    fn on_no_facts(&mut self, now: Duration) -> Result<(), HostError> {
        let turn = self.socket.on_no_facts();
        self.settle(turn, now)?;
        self.send()
    }
}
