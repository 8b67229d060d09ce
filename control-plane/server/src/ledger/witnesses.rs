//! Asking witnesses to cosign (C2SP `tlog-witness`). The log does not wait for
//! them: a round asks all of them at once for one checkpoint, and what they answer
//! is put on it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ig_ledger::verify::note::{MAX_NOTE_BYTES, Signature};
use ig_ledger::verify::{KeyId, Policy, PolicyError, TreeHead, VerifierKey, WitnessRequest};
use tokio::task::JoinSet;
use tokio::time::timeout;
use ureq::tls::{RootCerts, TlsConfig};

use super::config::Asked;
use super::read::{self, number};
use super::sequencer::{Failure, LOCK};
use super::{Ledger, chain};
use crate::store::now;

/// How long a witness may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between rounds at least, however fast the log grows.
const PAUSE: Duration = Duration::from_secs(1);
/// Between rounds at most.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// How long a replica keeps others from asking, in milliseconds: a round with one
/// more try.
const CLAIM: i64 = 30_000;

/// The tree that each witness cosigned last, as far as this replica knows. What it
/// does not know, the witness says.
type Known = HashMap<KeyId, u64>;

/// Asks whenever the log has grown.
pub(super) async fn run(ledger: &Arc<Ledger>) {
    if ledger.asked.is_empty() {
        return;
    }
    let mut known = Known::new();
    let mut progress = ledger.progress.subscribe();
    loop {
        progress.mark_unchanged();
        if let Err(failure) = round(ledger, &mut known).await {
            ledger.metrics.witness_failures.inc();
            let error = chain(&failure);
            tracing::warn!(error, "witnesses are not asked; trying again");
        }
        tokio::time::sleep(PAUSE).await;
        let _ = timeout(LOOK_AGAIN, progress.changed()).await;
    }
}

/// Who has not cosigned the last checkpoint.
struct Wanted {
    checkpoint: String,
    head: TreeHead,
    witnesses: Vec<Asked>,
}

/// Asks for what is wanted, unless another replica does.
async fn round(ledger: &Arc<Ledger>, known: &mut Known) -> Result<(), Failure> {
    let policy = policy(ledger)?;
    if wanted(ledger, &policy).await?.is_none() {
        return Ok(());
    }
    let at = now();
    let claimed = sqlx::query("UPDATE ledger_log SET asked_until = $1 WHERE asked_until < $2")
        .bind(at + CLAIM)
        .bind(at)
        .execute(ledger.store.pool())
        .await?;
    if claimed.rows_affected() == 0 {
        return Ok(());
    }
    let done = ask_and_keep(ledger, known, &policy).await;
    sqlx::query("UPDATE ledger_log SET asked_until = 0")
        .execute(ledger.store.pool())
        .await?;
    done
}

/// What is wanted is looked up again: no other replica has asked for a larger tree.
async fn ask_and_keep(
    ledger: &Arc<Ledger>,
    known: &mut Known,
    policy: &Policy,
) -> Result<(), Failure> {
    let Some(wanted) = wanted(ledger, policy).await? else {
        return Ok(());
    };
    let lines = ask_all(ledger, known, &wanted).await;
    match lines.is_empty() {
        true => Ok(()),
        false => keep(ledger, policy, &wanted.checkpoint, &lines).await,
    }
}

async fn wanted(ledger: &Ledger, policy: &Policy) -> Result<Option<Wanted>, Failure> {
    let log = read::log(&mut *ledger.store.pool().acquire().await?).await?;
    let Some((checkpoint, cosigned)) = log else {
        return Ok(None);
    };
    let head = read::head(&checkpoint).filter(|head| head.size > 0);
    let Some(head) = head else {
        return Ok(None);
    };
    let same = cosigned.filter(|note| read::head(note) == Some(head));
    let verified = same.and_then(|note| policy.checkpoint(note.as_bytes()).ok());
    let have = verified
        .map(|verified| verified.cosigned)
        .unwrap_or_default();
    let is_wanted = |one: &Asked| have.iter().all(|have| have.witness != one.key.name());
    let witnesses: Vec<_> = ledger.asked.iter().filter(|one| is_wanted(one)).collect();
    if witnesses.is_empty() {
        return Ok(None);
    }
    Ok(Some(Wanted {
        witnesses: witnesses.into_iter().cloned().collect(),
        checkpoint,
        head,
    }))
}

/// The lines of those who answer.
async fn ask_all(ledger: &Arc<Ledger>, known: &mut Known, wanted: &Wanted) -> String {
    let head = wanted.head;
    let mut asking = JoinSet::new();
    for witness in &wanted.witnesses {
        let (ledger, witness) = (Arc::clone(ledger), witness.clone());
        let old = known.get(&witness.key.id()).copied().unwrap_or_default();
        let checkpoint = wanted.checkpoint.clone();
        asking.spawn(async move {
            let answer = ask(&ledger, &witness, old, &checkpoint, head).await;
            (witness.key, answer)
        });
    }
    let mut answered = String::new();
    while let Some(one) = asking.join_next().await {
        let Ok((key, answer)) = one else {
            continue;
        };
        match answer {
            Ok(lines) => {
                known.insert(key.id(), head.size);
                answered += &lines;
            }
            Err(error) => {
                known.remove(&key.id());
                ledger.metrics.witness_failures.inc();
                let witness = key.name();
                tracing::warn!(
                    witness,
                    error,
                    "a witness did not cosign; it is asked again"
                );
            }
        }
    }
    answered
}

/// The policy that knows the log and its witnesses, and asks for none of them.
fn policy(ledger: &Ledger) -> Result<Policy, Failure> {
    let witnesses = ledger.asked.iter().map(|witness| witness.key.clone());
    let keys = ledger.signer.keys().to_vec();
    let policy = Policy::new(ledger.signer.origin().clone(), keys, witnesses.collect(), 0);
    policy.map_err(|error: PolicyError| Failure::Log(error.into()))
}

/// What a witness answered.
enum Answer {
    Lines(String),
    /// It has cosigned a tree of this size.
    Seen(u64),
}

/// Asks one witness, and once more if it has seen another tree than was thought.
/// What it answers is verified.
async fn ask(
    ledger: &Ledger,
    witness: &Asked,
    mut old: u64,
    checkpoint: &str,
    head: TreeHead,
) -> Result<String, String> {
    for _ in 0..2 {
        let path = path(ledger, old, head).await?;
        let request = WitnessRequest {
            old,
            path,
            checkpoint: checkpoint.to_owned(),
        };
        let (url, ca) = (witness.url.clone(), ledger.ca.clone());
        let asking = tokio::task::spawn_blocking(move || send(&url, &ca, &request));
        match asking.await.map_err(|error| error.to_string())?? {
            Answer::Lines(lines) => {
                // Another's line, or none that is known, would spoil all the others.
                let lines = own_line(&witness.key, &lines).ok_or("its line is not there")?;
                let policy = policy(ledger).map_err(|failure| chain(&failure))?;
                let own = &ledger.policy;
                let cosigned = ig_ledger::cosign(own, &policy, checkpoint, &lines);
                cosigned.map_err(|error| chain(&error))?;
                return Ok(lines);
            }
            Answer::Seen(size) if size > head.size => {
                let (witness, log) = (witness.key.name(), head.size);
                tracing::error!(
                    witness,
                    size,
                    log,
                    "ALERT: a witness has seen more entries than the ledger has: the database was \
                     put back, and the log has to be mended or ended"
                );
                return Err(format!("it has seen {size} entries, and the log has {log}"));
            }
            Answer::Seen(size) => old = size,
        }
    }
    Err("it has seen another tree each time".into())
}

/// The line of a witness among those that it answers with.
fn own_line(key: &VerifierKey, lines: &str) -> Option<String> {
    let lines = Signature::parse_lines(lines).ok()?;
    let own = |line: &&Signature<'_>| (line.name, line.id) == (key.name(), key.id());
    lines.iter().find(own).map(Signature::line)
}

async fn path(
    ledger: &Ledger,
    old: u64,
    head: TreeHead,
) -> Result<Vec<ig_ledger::verify::Hash>, String> {
    let view = ledger.store.view().await;
    let mut view = view.map_err(|error| error.to_string())?;
    let shelf = read::Shelf::default();
    let path = read::fetched(&mut view, &shelf, || {
        ig_ledger::Tiles::new(&shelf, head.size).consistency(old, head.size)
    })
    .await;
    path.map_err(|failure| chain(&failure))
}

/// The call itself.
fn send(url: &str, ca: &Path, request: &WitnessRequest) -> Result<Answer, String> {
    let mut builder = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        .max_redirects(0);
    if url.starts_with("https://") {
        let pem = std::fs::read(ca).map_err(|error| format!("{}: {error}", ca.display()))?;
        let authorities: Vec<_> = ureq::tls::parse_pem(&pem)
            .filter_map(|item| match item {
                Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&authorities));
        builder = builder.tls_config(tls.build());
    }
    let answer = builder
        .build()
        .new_agent()
        .post(format!("{url}/add-checkpoint"))
        .header("content-type", "text/plain; charset=utf-8")
        .send(request.to_string());
    let mut answer = answer.map_err(|error| error.to_string())?;
    let limited = answer.body_mut().with_config().limit(MAX_NOTE_BYTES as u64);
    let text = limited
        .read_to_string()
        .map_err(|error| error.to_string())?;
    match answer.status().as_u16() {
        200 => Ok(Answer::Lines(text)),
        409 => {
            let size = text.strip_suffix('\n').and_then(|size| size.parse().ok());
            let size = size.ok_or("it answers 409 without a size")?;
            Ok(Answer::Seen(size))
        }
        status => Err(format!("it answers {status}")),
    }
}

/// Puts lines on the checkpoint that they are for.
async fn keep(ledger: &Ledger, policy: &Policy, asked: &str, lines: &str) -> Result<(), Failure> {
    let head = read::head(asked);
    let mut transaction = ledger.store.begin().await?;
    ledger.store.lock(&mut transaction, LOCK).await?;
    let log = read::log(&mut transaction).await?;
    let (last, cosigned) = log.ok_or(ig_ledger::Error::Empty)?;
    let is_same = |note: &str| read::head(note) == head;
    // Another round may have begun with the same tree.
    let base = cosigned.as_deref().filter(|note| is_same(note));
    let base = base.unwrap_or(asked);
    let merged = ig_ledger::cosign(&ledger.policy, policy, base, lines)?;
    let later = cosigned.as_deref().and_then(read::head);
    if later.is_some_and(|later| head.is_some_and(|head| later.size > head.size)) {
        return Ok(());
    }
    sqlx::query("UPDATE ledger_log SET cosigned = $1")
        .bind(merged.as_str())
        .execute(&mut *transaction)
        .await?;
    if is_same(&last) {
        sqlx::query("UPDATE ledger_log SET checkpoint = $1 WHERE checkpoint = $2")
            .bind(merged.as_str())
            .bind(last)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    let size = head.map_or(0, |head| head.size);
    ledger.metrics.cosigned_size.set(number(size));
    Ok(())
}
