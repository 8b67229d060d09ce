//! Making an export: one transaction, then the ledger.

use std::time::Instant;

use axum::http::StatusCode;
use ig_contract::step_up::Spent;
use ig_contract::{Deny, DenyCode};
use ig_signing::bundle::{InclusionProof, LogEntry};
use ig_signing::manifest::Item;
use ig_signing::{Bundle, Sha256, rekord};
use serde_json::json;
use sqlx::{Any, AnyConnection, Transaction};
use uuid::Uuid;

use super::asked::{Asked, Asker, Head, NewExport};
use super::decide::{Allowed, Presence, decide};
use super::relayed::{self, Relayed};
use super::shown::{self, Export};
use super::stored::{self, Row};
use super::{Turn, keys};
use crate::app::App;
use crate::audit::{self, Change};
use crate::error::ApiError;
use crate::extract::Json;
use crate::ledger::{self, EntryId, Kind, Sequenced};
use crate::step_up;
use crate::store::now;

const SUSPENDED: Deny = Deny::new(
    DenyCode::SubjectInactive,
    "suspended",
    "The user is suspended.",
);
const USED: Deny = Deny::new(
    DenyCode::StepUpRequired,
    "step-up-used",
    "The step-up token has been used; get a new one.",
);
const ENDED: Deny = Deny::new(
    DenyCode::StepUpRequired,
    "step-up-ended",
    "The step-up token ended with your session; get a new one.",
);

/// Answers a request for an export.
pub(super) async fn answer(
    app: &App,
    head: Head,
    new: NewExport,
    items: Vec<Item>,
) -> Result<(StatusCode, Json<Export>), ApiError> {
    let started = Instant::now();
    let asked = Asked::new(head, new, items);
    let made = export(app, &asked).await;
    app.metrics.exports.count(&made, started.elapsed());
    Ok((StatusCode::CREATED, Json(made?)))
}

async fn export(app: &App, asked: &Asked) -> Result<Export, ApiError> {
    let _under_way = app.exports.begin(turn(asked))?;
    let mut connection = app.store.pool().acquire().await?;
    check_service(&mut connection, asked).await?;
    let before = stored::find(&mut connection, asked).await?;
    drop(connection);
    let row = match before {
        // Asked for again, perhaps since the answer was lost.
        Some(row) => row,
        None => decided(app, asked).await?,
    };
    settle(app, &row).await?;
    shown::whole(app, &row.id).await
}

/// Makes what may be made. Who is denied again and again is not even looked at.
async fn decided(app: &App, asked: &Asked) -> Result<Row, ApiError> {
    let denies = &app.exports.denies;
    denies.check(&asked.head, Instant::now())?;
    // A proof is not used for what cannot be known to come into the ledger.
    app.ledger.check()?;
    let made = async {
        let allowed = decide(app, asked).await?;
        make(app, asked, &allowed).await
    };
    let made = made.await;
    if let Err(ApiError::Denied(_)) = made {
        denies.count(&asked.head, Instant::now());
    }
    made
}

/// Looks again at the token of a service.
///
/// # Errors
/// 401 where it has ended since the request began, and 403 for its tenant.
async fn check_service(connection: &mut AnyConnection, asked: &Asked) -> Result<(), ApiError> {
    let Asker::Service {
        tenant,
        actor,
        decision,
    } = &asked.head.asker
    else {
        return Ok(());
    };
    let of = Relayed {
        tenant,
        actor,
        decision,
    };
    relayed::check_still(connection, &asked.head.by.name, of).await
}

fn turn(asked: &Asked) -> Turn {
    let head = &asked.head;
    let who = match &head.asker {
        Asker::User { person, .. } => &person.user,
        Asker::Service { decision, .. } => decision,
    };
    (head.tenant().to_owned(), who.clone(), head.key.clone())
}

/// Row, audit record and the ledger's entry, or nothing of it.
#[tracing::instrument(name = "exports.make", skip_all)]
async fn make(app: &App, asked: &Asked, allowed: &Allowed) -> Result<Row, ApiError> {
    let context = &allowed.context;
    // Of thousands of items, so not while others wait to write.
    let manifest = stored::manifest(asked, context)?.to_bytes();
    let digest = Sha256::of(&manifest);
    // Before anything is locked: who signs may be slow. Nobody gets to see it, and it is
    // thrown away, where what follows has an objection.
    let key = keys::signer(app).await?;
    let bundle = key.sign(digest).await?;
    // Whoever waits here holds no connection; nobody closes it.
    let _writer = app.exports.writers.acquire().await.ok();
    let mut transaction = app.store.begin().await?;
    // From here on the user is not suspended, and asks for nothing else.
    let held = step_up::hold(&app.store, &mut transaction, &context.tenant, &allowed.user);
    match held.await {
        Err(ApiError::Unauthenticated) => return Err(context.refuse(app, SUSPENDED)),
        held => held?,
    };
    // Nor does the service's token end.
    if asked.head.service().is_some() {
        relayed::keep(&app.store, &mut transaction).await?;
        check_service(&mut transaction, asked).await?;
    }
    // Another replica may have been faster.
    let mut before = stored::find(&mut transaction, asked).await?;
    if before.is_none() {
        before = stored::find_key(&mut transaction, asked, &context.tenant, &allowed.user).await?;
    }
    if let Some(row) = before {
        return Ok(row);
    }
    use_proof(app, &mut transaction, allowed).await?;
    keys::keep(app, &mut transaction, key.public()).await?;
    let leaf = bundle.log_body(key.public());
    let entry = ledger::enqueue(&mut transaction, Kind::Export, &leaf).await?;
    let signed = Signed {
        id: Uuid::now_v7().to_string(),
        hint: key.public().key_id(),
        manifest,
        digest,
        bundle,
        entry,
    };
    insert(&mut transaction, asked, allowed, &signed).await?;
    record(&mut transaction, asked, allowed, &signed).await?;
    let row = shown::row(&mut transaction, &signed.id).await?;
    transaction.commit().await?;
    context.record(app, Ok(&allowed.granted), Some(allowed.proof.number()));
    row.ok_or(ApiError::Later("the export is not there"))
}

/// Uses the proof, where no guard has.
async fn use_proof(
    app: &App,
    transaction: &mut Transaction<'static, Any>,
    allowed: &Allowed,
) -> Result<(), ApiError> {
    let context = &allowed.context;
    let Presence::ToUse(token) = &allowed.proof else {
        return Ok(());
    };
    let graph = &context.rules.head.graph;
    match step_up::spend(transaction, graph, &context.tenant, token).await? {
        Spent::First => Ok(()),
        Spent::Again => Err(context.refuse(app, USED)),
        Spent::Over => Err(context.refuse(app, ENDED)),
    }
}

/// What was signed.
struct Signed {
    id: String,
    hint: String,
    manifest: Vec<u8>,
    digest: Sha256,
    bundle: Bundle,
    entry: EntryId,
}

async fn insert(
    transaction: &mut Transaction<'static, Any>,
    asked: &Asked,
    allowed: &Allowed,
    signed: &Signed,
) -> Result<(), ApiError> {
    let context = &allowed.context;
    let bundle = String::from_utf8(signed.bundle.to_bytes()).map_err(ApiError::invalid)?;
    sqlx::query(
        "INSERT INTO exports (id, tenant, user_id, created_by, service, graph, action, purpose, \
         authority, decision, proof, idempotency_key, fingerprint, items, manifest, manifest_sha, \
         key_hint, bundle, entry, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, \
         $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
    )
    .bind(signed.id.as_str())
    .bind(context.tenant.as_str())
    .bind(allowed.user.as_str())
    .bind(stored::created_by(&context.tenant, &context.subject))
    .bind(asked.head.service())
    .bind(context.rules.head.graph.as_str())
    .bind(context.action.as_str())
    .bind(context.purpose.as_deref().unwrap_or_default())
    .bind(context.authority.as_deref())
    .bind(context.decision_id.as_str())
    .bind(allowed.proof.number())
    .bind(asked.head.key.as_str())
    .bind(asked.fingerprint.as_str())
    .bind(i64::try_from(asked.items.len()).unwrap_or(i64::MAX))
    .bind(signed.manifest.as_slice())
    .bind(signed.digest.to_string())
    .bind(signed.hint.as_str())
    .bind(bundle)
    .bind(signed.entry.0)
    .bind(now())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn record(
    transaction: &mut Transaction<'static, Any>,
    asked: &Asked,
    allowed: &Allowed,
    signed: &Signed,
) -> Result<(), ApiError> {
    let context = &allowed.context;
    let granted = &allowed.granted;
    let target = format!("{}/export/{}", context.tenant, signed.id);
    // Records of decisions are kept for a while; this one has to say for ever why it
    // was allowed. Facts are what the policy judged, as the caller stated them.
    let after = json!({
        "manifest": signed.digest.to_string(), "keyId": signed.hint, "items": asked.items.len(),
        "graph": context.rules.head.graph, "revision": context.rules.revision.to_string(),
        "action": context.action, "operation": granted.operation, "rule": granted.rule,
        "obligations": granted.obligations, "facts": asked.new.facts,
        "purpose": context.purpose, "authority": context.authority,
        "issuer": allowed.issuer, "for": context.subject, "user": allowed.user,
        "groups": granted.groups, "directory": allowed.directory,
        "decision": context.decision_id, "stepUp": allowed.proof.number(),
    });
    let change = Change {
        action: "export.create",
        target: &target,
        before: None,
        after: Some(&after.to_string()),
    };
    audit::record(transaction, &asked.head.by, change).await
}

/// Waits until the ledger has an export, and completes its bundle: once, so that
/// every answer is the same.
///
/// # Errors
/// 503 while it has not. The export is made nevertheless.
#[tracing::instrument(name = "exports.settle", skip_all)]
pub(super) async fn settle(app: &App, row: &Row) -> Result<(), ApiError> {
    if row.ledger_index.is_some() {
        return Ok(());
    }
    let sequenced = app.ledger.sequenced(EntryId(row.entry)).await;
    let sequenced = sequenced.map_err(|error| match error {
        // Nobody appends: that is not over in a moment, and somebody has to mend it.
        ledger::Error::Closed(_) => error.into(),
        _ => ApiError::Later(
            "the export is signed, and will be in the ledger; send the same request with the same \
             `idempotency-key` again",
        ),
    })?;
    let bundle: String = sqlx::query_scalar("SELECT bundle FROM exports WHERE id = $1")
        .bind(row.id.as_str())
        .fetch_one(app.store.pool())
        .await?;
    let mut bundle = Bundle::parse(bundle.as_bytes()).map_err(ApiError::invalid)?;
    let index = i64::try_from(sequenced.index).unwrap_or(i64::MAX);
    let proof = sequenced.proof.to_string();
    bundle.log_entries = vec![log_entry(app.ledger.log_id(), sequenced)];
    let bundle = String::from_utf8(bundle.to_bytes()).map_err(ApiError::invalid)?;
    sqlx::query(
        "UPDATE exports SET bundle = $1, ledger_index = $2, ledger_proof = $3 \
         WHERE id = $4 AND ledger_index IS NULL",
    )
    .bind(bundle)
    .bind(index)
    .bind(proof)
    .bind(row.id.as_str())
    .execute(app.store.pool())
    .await?;
    Ok(())
}

/// The entry as Sigstore's verifiers read it.
fn log_entry(log_id: [u8; 32], sequenced: Sequenced) -> LogEntry {
    let Sequenced {
        index,
        body,
        proof,
        head,
    } = sequenced;
    LogEntry {
        log_index: index,
        log_id: log_id.to_vec(),
        kind: rekord::KIND.to_owned(),
        version: rekord::VERSION.to_owned(),
        integrated_time: None,
        inclusion_promise: None,
        inclusion_proof: InclusionProof {
            log_index: index,
            root_hash: *head.root.as_bytes(),
            tree_size: head.size,
            hashes: proof.path.iter().map(|hash| *hash.as_bytes()).collect(),
            checkpoint: proof.checkpoint,
        },
        canonicalized_body: body,
    }
}
