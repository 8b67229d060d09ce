//! Verifications that run while their user is suspended, or logs out.

use std::time::{Duration, Instant};

use ig_contract::step_up::Spent;
use serde_json::{Value, json};
use sqlx::{AnyConnection, Connection as _};

use super::{Answer, Bench, Person, export, key, reason};
use crate::databases::Database;

/// What ends tokens.
const ENDS: [fn(&Person<'_>); 3] = [
    |person| assert_eq!(person.logout(), 204),
    |person| assert_eq!(person.set_active(false), 200),
    // Whoever is let in again at once has proved nothing in between either.
    |person| {
        assert_eq!(person.set_active(false), 200);
        assert_eq!(person.set_active(true), 200);
    },
];

/// Whatever comes first: a token does not outlive what ended beside its proof.
#[test]
fn no_token_outlives_what_ends_beside_its_proof() {
    const ROUNDS: usize = 20;
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut own = key(3);
        ada.add(&mut own);
        for (round, end) in (0..ROUNDS).flat_map(|round| ENDS.map(|end| (round, end))) {
            let begun = ada.begin(&export());
            let credential = own.get(&begun["publicKey"]);
            let (status, granted) = std::thread::scope(|scope| {
                let proof = scope.spawn(|| ada.end(&begun, &credential));
                std::thread::sleep(Duration::from_micros(300 * (round as u64 % 20)));
                end(&ada);
                proof.join().unwrap()
            });
            match status {
                200 => {
                    let id = granted["id"].as_str().unwrap();
                    assert_eq!(ada.set_active(true), 200);
                    assert_eq!(bench.spend(id), Spent::Over, "round {round}");
                }
                status => assert!([401, 403].contains(&status), "{status}: {granted}"),
            }
            assert_eq!(ada.set_active(true), 200);
            // As if it were long ago: what ends often is ahead of the clock.
            bench.sql(
                "UPDATE step_up_tokens SET made_at = made_at - 500, ends_at = ends_at - 500; \
                 UPDATE step_up_ends SET tokens_from = tokens_from - 500",
            );
        }
        // They count again after all that.
        let (_, id) = ada.token(&mut own, &export());
        assert_eq!(bench.spend(&id), Spent::First);
        bench.control.stop().unwrap();
    }
}

/// Holds the lock of a user while others come for it.
struct Held<'a> {
    bench: &'a Bench,
    connection: AnyConnection,
}

impl<'a> Held<'a> {
    fn new(bench: &'a Bench, user: &str) -> Self {
        sqlx::any::install_default_drivers();
        let connection = bench.runtime.block_on(async {
            let mut connection = AnyConnection::connect(&bench.database).await.unwrap();
            sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))")
                .bind(format!("scim:alpha:{user}"))
                .execute(&mut connection)
                .await
                .unwrap();
            connection
        });
        Self { bench, connection }
    }

    /// Until as many wait.
    fn until(&mut self, count: i64) {
        let started = Instant::now();
        while started.elapsed().as_secs() < 30 {
            let waiting: i64 = self.bench.runtime.block_on(async {
                sqlx::query_scalar(
                    "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                )
                .fetch_one(&mut self.connection)
                .await
                .unwrap()
            });
            if waiting == count {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("there are never {count} that wait");
    }

    fn release(self) {
        self.bench
            .runtime
            .block_on(self.connection.close())
            .unwrap();
    }
}

/// The same as races do by chance, in both orders: what waited first is first.
#[test]
fn verifications_and_ends_wait_for_each_other() {
    type Verify<'a> = &'a (dyn Fn() -> Answer + Sync);
    let Some(database) = Database::postgres() else {
        return;
    };
    let bench = Bench::start(&database);
    let race = |user: &Person<'_>, verify: Verify<'_>, end: fn(&Person<'_>), is_first: bool| {
        let mut held = Held::new(&bench, &user.id);
        std::thread::scope(|scope| {
            let (proof, ending);
            if is_first {
                proof = scope.spawn(verify);
                held.until(1);
                ending = scope.spawn(move || end(user));
            } else {
                ending = scope.spawn(move || end(user));
                held.until(1);
                proof = scope.spawn(verify);
            }
            held.until(2);
            held.release();
            ending.join().unwrap();
            proof.join().unwrap()
        })
    };
    for (number, end) in (0_u8..).zip([ENDS[0], ENDS[1]]) {
        let refused: (u16, &str) = [(403, "ceremony"), (401, "")][usize::from(number)];
        // Proofs.
        let ada = bench.person(&format!("ada-{number}"));
        let mut own = key(10 + number);
        ada.add(&mut own);
        for is_first in [true, false] {
            let begun = ada.begin(&export());
            let credential: Value = own.get(&begun["publicKey"]);
            let answer = race(&ada, &|| ada.end(&begun, &credential), end, is_first);
            assert_eq!(ada.set_active(true), 200);
            match is_first {
                true => {
                    assert_eq!(answer.0, 200, "{}", answer.1);
                    let id = answer.1["id"].as_str().unwrap();
                    assert_eq!(bench.spend(id), Spent::Over);
                }
                false => assert_eq!(reason(&answer), refused, "{}", answer.1),
            }
        }
        // New passkeys.
        for is_first in [false, true] {
            let bob = bench.person(&format!("bob-{number}-{is_first}"));
            let (_, begun) = bob.begin_adding(None);
            let mut added = key(20 + 2 * number + u8::from(is_first));
            let credential: Value = added.create(&begun["publicKey"]);
            let answer = race(&bob, &|| bob.end_adding(&begun, &credential), end, is_first);
            match is_first {
                true => assert_eq!(answer.0, 201, "{}", answer.1),
                false => assert_eq!(reason(&answer), refused, "{}", answer.1),
            }
        }
    }
    bench.control.stop().unwrap();
}

/// A removal and a deletion of the user take the same rows; neither dies of that.
#[test]
fn removals_and_deletions_wait_for_each_other() {
    const ROUNDS: u8 = 20;
    for database in Database::each() {
        let bench = Bench::start(&database);
        for round in 1..=ROUNDS {
            let ada = bench.person(&format!("ada-{round}"));
            let mut own = key(round);
            ada.add(&mut own);
            let (token, _) = ada.token(&mut own, &json!({"actions": ["passkey:remove"]}));
            let path = format!("/tenants/alpha/users/{}/passkeys", ada.id);
            let (_, listed) = bench.control.call("GET", &path, "");
            let path = format!("/webauthn/passkeys/{}", listed[0]["id"].as_str().unwrap());
            let headers = [
                ("authorization", ada.header.as_str()),
                ("x-ig-step-up", token.as_str()),
            ];
            let removed = std::thread::scope(|scope| {
                let removal =
                    scope.spawn(|| bench.control.call_with(&headers, "DELETE", &path, "").0);
                std::thread::sleep(Duration::from_micros(400 * u64::from(round)));
                let user = format!("/Users/{}", ada.id);
                assert_eq!(bench.scim.delete(&user).status, 204);
                removal.join().unwrap()
            });
            assert!([204, 401].contains(&removed), "{removed}");
        }
        bench.control.stop().unwrap();
    }
}
