//! Fetching files of a log before they are asked for.

use std::collections::BTreeMap;
use std::io;
use std::iter::Peekable;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use ig_ledger::fsck;
use ig_ledger::layout::Resource;
use ig_ledger::storage::Files;

/// How many files are kept for each that is being fetched.
const KEPT: usize = 2;

type Fetched = io::Result<Option<Vec<u8>>>;

/// What the threads share.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// What is still to be fetched, in the order in which it will be asked for.
    plan: Peekable<Box<dyn Iterator<Item = Resource> + Send>>,
    /// What was fetched or is being fetched, and was not asked for yet.
    begun: BTreeMap<Resource, Option<Fetched>>,
    /// Whoever asked is gone.
    is_over: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked ends the program; until then, nothing was left
        // half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let state = self.changed.wait(state);
        state.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log's files, of which those that [`fsck()`](ig_ledger::fsck()) asks for are
/// fetched by several threads.
pub(crate) struct Ahead<'a, F> {
    files: &'a F,
    shared: &'a Shared,
}

/// Runs `check` on files that are fetched ahead, by `jobs` threads: those of a log
/// of this size. At most twice as many files as `jobs` are in memory, and the one that
/// is being checked.
pub(crate) fn with<F, T>(
    files: &F,
    size: u64,
    jobs: usize,
    check: impl FnOnce(&Ahead<'_, F>) -> T,
) -> T
where
    F: Files + Sync,
{
    let plan: Box<dyn Iterator<Item = Resource> + Send> = Box::new(fsck::files(size));
    let shared = Shared {
        state: Mutex::new(State {
            plan: plan.peekable(),
            begun: BTreeMap::new(),
            is_over: false,
        }),
        changed: Condvar::new(),
    };
    let shared = &shared;
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| fetch(files, shared, jobs.saturating_mul(KEPT)));
        }
        // Also when the check panics: the threads would wait for ever.
        let _end = End(shared);
        check(&Ahead { files, shared })
    })
}

struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.changed.notify_all();
    }
}

fn fetch(files: &impl Files, shared: &Shared, most: usize) {
    loop {
        let mut state = shared.lock();
        while !state.is_over && state.begun.len() >= most {
            state = shared.wait(state);
        }
        if state.is_over {
            return;
        }
        let Some(file) = state.plan.next() else {
            return;
        };
        state.begun.insert(file, None);
        drop(state);
        let fetched = files.read(file);
        // Who asked may be gone, and the place with it.
        if let Some(place) = shared.lock().begun.get_mut(&file) {
            *place = Some(fetched);
        }
        shared.changed.notify_all();
    }
}

impl<F: Files> Files for Ahead<'_, F> {
    fn read(&self, file: Resource) -> Fetched {
        let mut state = self.shared.lock();
        loop {
            match state.begun.remove(&file) {
                Some(Some(fetched)) => {
                    drop(state);
                    self.shared.changed.notify_all();
                    return fetched;
                }
                Some(None) => {
                    state.begun.insert(file, None);
                    state = self.shared.wait(state);
                }
                // Its turn, before a thread came to it; or out of the plan, as the
                // full tile that has replaced another.
                None => {
                    state.plan.next_if_eq(&file);
                    break;
                }
            }
        }
        drop(state);
        self.files.read(file)
    }
}
