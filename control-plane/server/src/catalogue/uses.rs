//! Which documents were let through when, from access logs.

use std::collections::BTreeMap;

use sqlx::{Any, Transaction};

/// Uses by graph and hash: how many, and the last one.
pub(crate) type Uses = BTreeMap<(String, String), (i64, i64)>;

/// Adds uses to what is known.
pub(crate) async fn record_uses(
    transaction: &mut Transaction<'static, Any>,
    uses: &Uses,
) -> Result<(), sqlx::Error> {
    for ((graph, hash), (count, last)) in uses {
        sqlx::query(
            "INSERT INTO document_uses (graph, hash, uses, last_used_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (graph, hash) DO UPDATE SET uses = document_uses.uses + excluded.uses, \
             last_used_at = CASE WHEN excluded.last_used_at > document_uses.last_used_at \
             THEN excluded.last_used_at ELSE document_uses.last_used_at END",
        )
        .bind(graph.as_str())
        .bind(hash.as_str())
        .bind(*count)
        .bind(*last)
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}
