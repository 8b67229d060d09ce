//! Many at once, none of whom is refused. Says how many a second that were:
//! `IG_EXPORTS=1000 cargo test --release -p ig-control-plane --test it -- --nocapture
//! exports::rate`

use std::thread;
use std::time::{Duration, Instant};

use super::{Stage, of};
use crate::databases::Database;

const CLIENTS: usize = 16;
/// Assets of one export.
const ITEMS: usize = 10;

/// As a guard would have them used: a ceremony for each would be what is measured.
pub(super) fn used(stage: &Stage, user: &str, count: usize) {
    // Ahead, so that none is too old at the end of a slow run.
    let now = crate::step_up::seconds() + 3600;
    let rows = (0..count).map(|number| {
        let decision = format!("decision-{number}");
        let used_for = stage.used_for("ada", &decision);
        let used_for = serde_json::to_string(&used_for).unwrap();
        format!(
            "('token-{number}', 'demo', 'alpha', '{user}', {now}, {now}, {now}, '{decision}', '{used_for}')"
        )
    });
    let rows: Vec<_> = rows.collect();
    let sql = format!(
        "INSERT INTO step_up_tokens (token, graph, tenant, user_id, made_at, ends_at, spent_at, \
         decision, used_for) VALUES {}",
        rows.join(",")
    );
    // Once in a run that ends soon.
    stage.bench.sql(Box::leak(sql.into_boxed_str()));
}

#[test]
fn sixteen_clients_export_at_once() {
    let each = super::kill::count() / CLIENTS;
    for database in Database::each() {
        let stage = Stage::start(&database);
        let ada = stage.analyst("ada", 3);
        used(&stage, &ada.person.id, CLIENTS * each);
        let stage = &stage;
        let begun = Instant::now();
        let mut times: Vec<Duration> = thread::scope(|scope| {
            let client = move |client: usize| {
                let ask = |number: usize| {
                    let decision = format!("decision-{}", client * each + number);
                    let begun = Instant::now();
                    let (status, made) = stage.relay_of(&decision, &[], &of(ITEMS));
                    assert_eq!(status, 201, "{made}");
                    begun.elapsed()
                };
                (0..each).map(ask).collect::<Vec<_>>()
            };
            let clients: Vec<_> = (0..CLIENTS)
                .map(|number| scope.spawn(move || client(number)))
                .collect();
            let times = clients.into_iter().map(|one| one.join().unwrap());
            times.flatten().collect()
        });
        let seconds = begun.elapsed().as_secs_f64();
        let made = stage
            .bench
            .count("SELECT COUNT(*) FROM exports WHERE ledger_index IS NOT NULL");
        assert_eq!(usize::try_from(made), Ok(CLIENTS * each));
        times.sort_unstable();
        let at = |share: usize| times[times.len() * share / 100].as_millis();
        let kind = database.url.split(':').next().unwrap();
        println!(
            "{kind}: {:.0} exports/s by {CLIENTS} clients; p50 {} ms, p95 {} ms",
            times.len() as f64 / seconds,
            at(50),
            at(95)
        );
    }
}
