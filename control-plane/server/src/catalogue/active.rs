//! What a snapshot is compiled of.

use std::collections::BTreeMap;

use ig_schema::catalogue::{Catalogue, Entry};
use sqlx::AnyConnection;

use super::read_clients;
use crate::error::ApiError;

/// Everything that is not retired, as one catalogue.
pub(crate) async fn active(
    connection: &mut AnyConnection,
    graph: &str,
) -> Result<Catalogue, ApiError> {
    let documents: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT hash, text, clients FROM documents WHERE graph = $1 AND retired_at IS NULL",
    )
    .bind(graph)
    .fetch_all(&mut *connection)
    .await?;
    let ids: Vec<(String, String)> =
        sqlx::query_as("SELECT hash, id FROM document_ids WHERE graph = $1 ORDER BY id")
            .bind(graph)
            .fetch_all(&mut *connection)
            .await?;
    let mut by_hash = BTreeMap::new();
    for (hash, text, clients) in documents {
        let entry = Entry {
            ids: Vec::new(),
            text,
            clients: read_clients(&hash, &clients)?,
            claims: Vec::new(),
            origin: None,
        };
        by_hash.insert(hash, entry);
    }
    for (hash, id) in ids {
        if let Some(entry) = by_hash.get_mut(&hash) {
            entry.ids.push(id);
        }
    }
    Ok(Catalogue {
        entries: by_hash.into_values().collect(),
        ..Catalogue::default()
    })
}
