//! What the module counts. Envoy puts `wasmcustom.` before each name, and a
//! rendered configuration makes labels of what stands after a label's name.

use std::cell::RefCell;
use std::collections::HashMap;

use ig_guard::Verdict;

use crate::host::{self, HostError};

/// What of the graph stands for, where there is no snapshot yet.
const NO_GRAPH: &str = "none";
/// What stands for the code of what is allowed.
const NO_CODE: &str = "none";

/// A call to another service.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    #[cfg(feature = "policy")]
    Facts,
    #[cfg(feature = "policy")]
    Spend,
    Texts,
}

impl Call {
    fn as_str(self) -> &'static str {
        match self {
            #[cfg(feature = "policy")]
            Self::Facts => "facts",
            #[cfg(feature = "policy")]
            Self::Spend => "spend",
            Self::Texts => "texts",
        }
    }
}

/// A counter: few, since every part of it but the graph is one of a few words.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Counted {
    Decision(Verdict),
    Call { call: Call, is_answered: bool },
}

impl Counted {
    fn name(self, graph: &str) -> String {
        match self {
            Self::Decision(Verdict { outcome, code }) => format!(
                "ig_guard_decisions_total.outcome.{}.code.{}.graph.{graph}",
                outcome.as_str(),
                code.map_or(NO_CODE, |code| code.as_str()),
            ),
            Self::Call { call, is_answered } => format!(
                "ig_guard_callouts_total.call.{}.result.{}.graph.{graph}",
                call.as_str(),
                if is_answered { "answered" } else { "failed" },
            ),
        }
    }
}

thread_local! {
    /// Counters of this VM by graph. Defining one anew would take a number of
    /// the host's for each revision.
    static DEFINED: RefCell<HashMap<String, HashMap<Counted, u32>>> = RefCell::default();
}

/// Counts the decisions of a request.
pub(crate) fn decisions(graph: Option<&str>, verdicts: &[Verdict]) {
    for verdict in verdicts {
        count(graph, Counted::Decision(*verdict));
    }
}

/// Counts a call, once it is known what became of it.
pub(crate) fn call(graph: Option<&str>, call: Call, is_answered: bool) {
    count(graph, Counted::Call { call, is_answered });
}

/// A counter that cannot be counted is no reason to deny anything.
fn count(graph: Option<&str>, counted: Counted) {
    let graph = graph.unwrap_or(NO_GRAPH);
    let _ = DEFINED.with_borrow_mut(|graphs| -> Result<(), HostError> {
        if !graphs.contains_key(graph) {
            graphs.insert(graph.to_owned(), HashMap::new());
        }
        let Some(defined) = graphs.get_mut(graph) else {
            return Ok(());
        };
        let metric = match defined.get(&counted) {
            Some(metric) => *metric,
            None => {
                let metric = host::counter(&counted.name(graph))?;
                defined.insert(counted, metric);
                metric
            }
        };
        host::count(metric)
    });
}
