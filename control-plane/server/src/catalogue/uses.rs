//! Which documents were let through when, from access logs.

use std::collections::BTreeMap;

use sqlx::{Any, Transaction};

/// Uses by graph and hash: how many, and the last one.
pub(crate) type Uses = BTreeMap<(String, String), (i64, i64)>;

/// Adds uses to what is known, of documents that are here: in shadow mode a
/// record has whatever id the client sent, and clients must not fill the table.
pub(crate) async fn record_uses(
    transaction: &mut Transaction<'static, Any>,
    uses: &Uses,
) -> Result<(), sqlx::Error> {
    for ((graph, hash), (count, last)) in uses {
        sqlx::query(
            "INSERT INTO document_uses (graph, hash, uses, last_used_at) \
             SELECT $1, $2, $3, $4 WHERE EXISTS \
             (SELECT 1 FROM documents WHERE graph = $1 AND hash = $2) \
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn only_documents_that_are_here_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = Store::open(&url, std::time::Duration::ZERO).await.unwrap();
        sqlx::query(
            "INSERT INTO documents (graph, hash, text, clients, created_at, created_by) \
             VALUES ('demo', 'known', '{ a }', '[]', 0, 'test')",
        )
        .execute(store.pool())
        .await
        .unwrap();
        let one = |hash: &str, last| (("demo".to_owned(), hash.to_owned()), (1, last));
        for uses in [
            [one("known", 5), one("made-up", 5)],
            [one("known", 3), one("other", 9)],
        ] {
            let mut transaction = store.begin().await.unwrap();
            record_uses(&mut transaction, &Uses::from(uses))
                .await
                .unwrap();
            transaction.commit().await.unwrap();
        }
        let rows: Vec<(String, i64, i64)> =
            sqlx::query_as("SELECT hash, uses, last_used_at FROM document_uses")
                .fetch_all(store.pool())
                .await
                .unwrap();
        assert_eq!(rows, [("known".to_owned(), 2, 5)]);
    }
}
