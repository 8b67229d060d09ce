//! Witnesses (C2SP `tlog-witness`): this control plane as one, and as a log that
//! has some.

use ig_control_plane::{Config, LedgerConfig, LoggedKeys, WitnessConfig, WitnessUrl};
use ig_e2e::ControlPlane;
use ig_ledger::Log;
use ig_ledger::sign::LogSigner;
use ig_ledger::storage::Memory;
use ig_ledger::verify::{Policy, VerifierKey, WitnessRequest};

use super::{ask, keys, leaves, policy, proof, records, tamper, wait};
use crate::databases::Database;

const SDL: &str = "type Query { me: String }";
const ADD: &str = "/ledger/witness/add-checkpoint";
const ORIGIN: &str = "log.example";

fn signer(seed: u8) -> LogSigner {
    LogSigner::from_bytes(ORIGIN.parse().unwrap(), &[seed; 32], &[seed + 1; 32]).unwrap()
}

fn log(seed: u8, first: &str) -> Log<Memory> {
    let mut log = Log::create(Memory::new(), signer(seed)).unwrap();
    log.append(&[first]).unwrap();
    log
}

/// One that witnesses the log of some keys.
fn witnessing(database: &Database, logged: &[VerifierKey]) -> Config {
    let logs = vec![LoggedKeys {
        keys: logged.iter().map(ToString::to_string).collect(),
    }];
    let name = Some("witness.example/w1".to_owned());
    let witness = WitnessConfig {
        name,
        logs,
        ..WitnessConfig::default()
    };
    let ledger = LedgerConfig {
        witness,
        ..LedgerConfig::default()
    };
    Config {
        ledger,
        ..database.config()
    }
}

fn add(control: &ControlPlane, request: &WitnessRequest) -> (u16, String, String) {
    let (status, headers, body) = ask(control.http, "POST", ADD, request.to_string().as_bytes());
    let media_type = headers["content-type"].to_str().unwrap().to_owned();
    (status, media_type, String::from_utf8(body).unwrap())
}

fn witness_key(control: &ControlPlane) -> VerifierKey {
    let key = keys(control.http)["witness"].as_str().unwrap().to_owned();
    key.parse().unwrap()
}

#[test]
fn a_log_is_cosigned_as_it_grows() {
    for database in Database::each() {
        let config = witnessing(&database, signer(1).keys());
        let control = ControlPlane::start(config.clone()).unwrap();
        let key = witness_key(&control);
        assert_eq!(key.name(), "witness.example/w1");
        let cosigned = Policy::new(
            ORIGIN.parse().unwrap(),
            signer(1).keys().to_vec(),
            vec![key.clone()],
            1,
        )
        .unwrap();
        let mut log = log(1, "first");
        let mut old = 0;
        for round in 0..4 {
            let request = log.ask_witness(old).unwrap();
            let (status, media_type, lines) = add(&control, &request);
            assert_eq!(
                (status, media_type.as_str()),
                (200, "text/plain; charset=utf-8")
            );
            let note = ig_ledger::cosign(&cosigned_by_log(), &cosigned, log.checkpoint(), &lines);
            let verified = cosigned.checkpoint(note.unwrap().as_bytes()).unwrap();
            assert_eq!(verified.cosigned.len(), 1);
            old = log.head().size;
            // The same tree is cosigned as often as it is asked for.
            assert_eq!(add(&control, &log.ask_witness(old).unwrap()).0, 200);
            let entries: Vec<_> = (0..=round * 100).map(|entry| entry.to_string()).collect();
            log.append(&entries).unwrap();
        }
        control.stop().unwrap();
        // What it saw is kept.
        let control = ControlPlane::start(config).unwrap();
        assert_eq!(witness_key(&control), key);
        let (status, media_type, size) = add(&control, &log.ask_witness(0).unwrap());
        assert_eq!((status, media_type.as_str()), (409, "text/x.tlog.size"));
        assert_eq!(size, format!("{old}\n"));
        control.stop().unwrap();
    }
}

fn cosigned_by_log() -> Policy {
    signer(1).policy().unwrap()
}

/// What the protocol says of each request, in its words.
#[test]
fn what_a_witness_refuses() {
    for database in Database::each() {
        let control = ControlPlane::start(witnessing(&database, signer(1).keys())).unwrap();
        let mut log = log(1, "first");
        log.append(&["second", "third"]).unwrap();
        let at_three = log.ask_witness(0).unwrap();
        assert_eq!(add(&control, &at_three).0, 200);
        log.append(&["fourth", "fifth"]).unwrap();
        let right = log.ask_witness(3).unwrap();
        // Another tree of the same keys, of 3 and of 5 entries.
        let mut fork = self::log(1, "other");
        fork.append(&["second", "third"]).unwrap();
        let forked_at_three = fork.ask_witness(3).unwrap();
        fork.append(&["fourth", "fifth"]).unwrap();
        let changed = |change: &dyn Fn(&mut WitnessRequest)| {
            let mut request = right.clone();
            change(&mut request);
            request
        };
        let stranger = {
            let other = LogSigner::from_bytes("other.example".parse().unwrap(), &[1; 32], &[2; 32]);
            let mut log = Log::create(Memory::new(), other.unwrap()).unwrap();
            log.append(&["first"]).unwrap();
            log.ask_witness(0).unwrap()
        };
        let (first, second) = {
            let mut lines = right.checkpoint.lines();
            let lines = lines.by_ref().collect::<Vec<_>>();
            (lines[4].to_owned(), lines[5].to_owned())
        };
        let without = |line: &str| {
            changed(&|request| {
                request.checkpoint = request.checkpoint.replace(&format!("{line}\n"), "");
            })
        };
        let problem = "application/problem+json";
        let size = "text/x.tlog.size";
        for (name, request, status, media_type) in [
            ("an unknown log", stranger, 404, problem),
            (
                "other keys",
                self::log(5, "first").ask_witness(0).unwrap(),
                403,
                problem,
            ),
            ("without the first signature", without(&first), 403, problem),
            (
                "without the second signature",
                without(&second),
                403,
                problem,
            ),
            (
                "an old size that is too large",
                changed(&|request| request.old = 6),
                400,
                problem,
            ),
            (
                "an old size that is not known",
                changed(&|request| request.old = 2),
                409,
                size,
            ),
            ("none", changed(&|request| request.old = 0), 409, size),
            (
                "the size itself",
                changed(&|request| request.old = 5),
                409,
                size,
            ),
            ("a smaller tree", at_three.clone(), 409, size),
            ("another tree of the size", forked_at_three, 409, size),
            ("another tree", fork.ask_witness(3).unwrap(), 422, problem),
            (
                "no path",
                changed(&|request| request.path.clear()),
                422,
                problem,
            ),
            (
                "a longer path",
                changed(&|request| request.path.push(request.path[0])),
                422,
                problem,
            ),
            (
                "another path",
                changed(&|request| request.path.reverse()),
                422,
                problem,
            ),
        ] {
            let (found, found_type, body) = add(&control, &request);
            assert_eq!(
                (found, found_type.as_str()),
                (status, media_type),
                "{name}: {body}"
            );
            if media_type == size {
                assert_eq!(body, "3\n", "{name}");
            }
        }
        for (name, body) in [
            ("nothing", Vec::new()),
            ("no UTF-8", vec![0xff; 100]),
            ("no old size", right.checkpoint.clone().into_bytes()),
            ("no checkpoint", b"old 3\n\n".to_vec()),
            (
                "another number",
                right.to_string().replace("old 3", "old 03").into_bytes(),
            ),
            (
                "an extension line",
                right
                    .to_string()
                    .replace(&format!("\n\n{first}"), &format!("\nextension\n\n{first}"))
                    .into_bytes(),
            ),
        ] {
            let (status, _, said) = ask(control.http, "POST", ADD, &body);
            assert_eq!(status, 400, "{name}: {}", String::from_utf8_lossy(&said));
        }
        let long = vec![b'x'; ig_ledger::verify::MAX_REQUEST_BYTES + 1];
        assert_eq!(ask(control.http, "POST", ADD, &long).0, 413);
        // After all of that, it still goes on from where it was.
        assert_eq!(add(&control, &right).0, 200);
        control.stop().unwrap();
    }
}

/// Statements that let nobody write what was seen, and take that back.
fn sealing(database: &Database) -> [String; 2] {
    match database.url.starts_with("sqlite:") {
        true => [
            "CREATE TRIGGER seal BEFORE UPDATE ON ledger_witnessed \
             BEGIN SELECT RAISE(ABORT, 'sealed'); END"
                .to_owned(),
            "DROP TRIGGER seal".to_owned(),
        ],
        false => [
            "CREATE FUNCTION seal() RETURNS trigger LANGUAGE plpgsql \
             AS $$ BEGIN RAISE EXCEPTION 'sealed'; END $$; \
             CREATE TRIGGER seal BEFORE UPDATE ON ledger_witnessed EXECUTE FUNCTION seal()"
                .to_owned(),
            "DROP TRIGGER seal ON ledger_witnessed".to_owned(),
        ],
    }
}

/// Checkpoints are public: who sends one again has it cosigned, and nothing is
/// written.
#[test]
fn who_sends_a_checkpoint_again_writes_nothing() {
    for database in Database::each() {
        let control = ControlPlane::start(witnessing(&database, signer(1).keys())).unwrap();
        let key = witness_key(&control);
        let cosigned = Policy::new(
            ORIGIN.parse().unwrap(),
            signer(1).keys().to_vec(),
            vec![key],
            1,
        )
        .unwrap();
        let mut log = log(1, "first");
        let first = log.ask_witness(0).unwrap();
        assert_eq!(add(&control, &first).0, 200);
        let again = log.ask_witness(1).unwrap();
        let [seal, unseal] = sealing(&database);
        tamper(&database.url, &seal);
        let (status, _, lines) = add(&control, &again);
        assert_eq!(status, 200, "{lines}");
        let note = ig_ledger::cosign(&cosigned_by_log(), &cosigned, log.checkpoint(), &lines);
        cosigned.checkpoint(note.unwrap().as_bytes()).unwrap();
        // What contradicts it, or proves nothing, is not even tried to be written.
        assert_eq!(add(&control, &first).0, 409);
        log.append(&["second", "third"]).unwrap();
        let grown = log.ask_witness(1).unwrap();
        let mut unproved = grown.clone();
        unproved.path.clear();
        assert_eq!(add(&control, &unproved).0, 422);
        // What has grown is; and nobody gets a line that is not stored.
        assert_eq!(add(&control, &grown).0, 503);
        tamper(&database.url, &unseal);
        assert_eq!(add(&control, &grown).0, 200);
        control.stop().unwrap();
    }
}

/// Of two trees that follow one, one is cosigned, whoever is first.
#[test]
fn of_two_trees_one_is_cosigned() {
    for database in Database::each() {
        let control = ControlPlane::start(witnessing(&database, signer(1).keys())).unwrap();
        let requests: Vec<_> = (0..8)
            .map(|number| {
                let mut log = log(1, "first");
                log.append(&[format!("second {number}")]).unwrap();
                log.ask_witness(0).unwrap()
            })
            .collect();
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let control = &control;
            let asking = requests
                .iter()
                .map(|request| scope.spawn(move || add(control, request).0));
            let asking: Vec<_> = asking.collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let cosigned = statuses.iter().filter(|status| **status == 200).count();
        let refused = statuses.iter().filter(|status| **status == 409).count();
        assert_eq!((cosigned, refused), (1, 7), "{statuses:?}");
        control.stop().unwrap();
    }
}

/// One control plane witnesses the log of another, which it has never heard of
/// before; the log does not wait for it.
#[test]
fn a_log_has_its_witnesses() {
    let (database, other) = (Database::sqlite(), Database::sqlite());
    // To know the log's keys, which are made at the first start.
    let control = database.start();
    let token = control.token.clone();
    assert_eq!(control.call("PUT", "/schemas/demo/a", SDL).0, 201);
    records(&control);
    let own = keys(control.http)["keys"].clone();
    let own: Vec<VerifierKey> = own
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key.as_str().unwrap().parse().unwrap())
        .collect();
    control.stop().unwrap();
    let mut config = witnessing(&other, &own);
    // Not the name of the log that it witnesses.
    config.ledger.origin = Some("witness.example".into());
    let witness = ControlPlane::start(config).unwrap();
    let key = witness_key(&witness);
    let away = ig_e2e::free_address().unwrap();
    let absent = ig_ledger::sign::WitnessKey::from_bytes("absent.example", &[9; 32]).unwrap();
    let asked = |url: String, key: &VerifierKey| WitnessUrl {
        url,
        key: key.to_string(),
    };
    let ledger = LedgerConfig {
        witnesses: vec![
            asked(format!("http://{}/ledger/witness", witness.http), &key),
            asked(format!("http://{away}"), absent.key()),
        ],
        ..LedgerConfig::default()
    };
    let mut control = ControlPlane::start(Config {
        ledger,
        ..database.config()
    })
    .unwrap();
    control.token = token;
    let believes = policy(control.http, vec![key]);
    for round in ["b", "c"] {
        let path = format!("/schemas/demo/{round}");
        assert_eq!(control.call("PUT", &path, SDL).0, 201);
        let records = records(&control);
        let index = records.len() as u64 - 1;
        let leaf = leaves(control.http)[index as usize].clone();
        let verified = wait("the proof is cosigned", || {
            proof(control.http, index).verify(&believes, &leaf).ok()
        });
        assert_eq!(verified.cosigned[0].witness, "witness.example/w1");
        // What is served is cosigned too, as long as nothing is appended.
        let (_, _, checkpoint) = ask(control.http, "GET", "/ledger/checkpoint", b"");
        believes.checkpoint(&checkpoint).unwrap();
    }
    control.stop().unwrap();
    witness.stop().unwrap();
}
