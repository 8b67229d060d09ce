//! What using a token costs.

use std::time::{Duration, Instant};

use ig_contract::step_up::Spent;
use sqlx::Connection as _;

use super::{Bench, export, key};
use crate::databases::Database;

/// Who sends a used token, or none of ours, waits for no writer, and keeps none
/// waiting.
#[test]
fn a_used_token_writes_nothing() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut key = key(3);
        ada.add(&mut key);
        let (_, id) = ada.token(&mut key, &export());
        assert_eq!(bench.spend(&id), Spent::First);
        let begin = match bench.database.starts_with("sqlite:") {
            true => "BEGIN IMMEDIATE",
            false => "BEGIN; LOCK TABLE step_up_tokens IN SHARE MODE",
        };
        let writer = bench.runtime.block_on(async {
            let mut writer = sqlx::AnyConnection::connect(&bench.database).await.unwrap();
            sqlx::raw_sql(begin).execute(&mut writer).await.unwrap();
            writer
        });
        let begun = Instant::now();
        assert_eq!(bench.spend(&id), Spent::Again);
        assert_eq!(bench.spend("none"), Spent::Over);
        assert!(begun.elapsed() < Duration::from_secs(2));
        bench.runtime.block_on(writer.close()).unwrap();
        bench.control.stop().unwrap();
    }
}
