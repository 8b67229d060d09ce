//! Entries in both databases: each once, whatever stops when.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use ig_e2e::{Postgres, postgres_binaries};
use ig_ledger::layout::{MAX_ENTRY_BYTES, Resource};
use ig_ledger::verify::TreeHead;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::sequencer::{BATCH, Failure, Sequencer};
use super::{EntryId, Error, Kind, Ledger, LedgerConfig, READERS, check, enqueue, read};
use crate::Config;
use crate::store::Store;

/// An empty database.
struct Database {
    url: String,
    _folder: TempDir,
    _postgres: Option<Arc<Postgres>>,
}

impl Database {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            url: format!("sqlite:{}", folder.path().join("test.db").display()),
            _folder: folder,
            _postgres: None,
        }
    }

    /// One of each kind; where there is no PostgreSQL it says so, and in CI that
    /// fails.
    fn each() -> impl Iterator<Item = Self> {
        let postgres = match postgres_binaries() {
            Ok(_) => Some(Postgres::shared().unwrap()),
            Err(missing) => {
                assert!(std::env::var_os("CI").is_none(), "{missing}");
                eprintln!("SKIPPED: {missing}");
                None
            }
        };
        let postgres = postgres.map(|postgres| Self {
            url: postgres.database().unwrap(),
            _folder: tempfile::tempdir().unwrap(),
            _postgres: Some(postgres),
        });
        std::iter::once(Self::sqlite()).chain(postgres)
    }

    async fn store(&self) -> Store {
        open(&self.url).await
    }

    /// What a check of the whole database says.
    async fn check(&self) -> Result<super::Checked, super::CannotCheck> {
        check(&Config::local(&self.url, "module.wasm"), None).await
    }
}

async fn open(url: &str) -> Store {
    Store::open(url, Duration::from_secs(20)).await.unwrap()
}

/// One that nothing appends to by itself.
async fn ledger(store: &Store) -> Arc<Ledger> {
    let config = LedgerConfig::default();
    let ledger = Ledger::prepare(store, &config, None, PathBuf::new(), Arc::default()).await;
    let ledger = Arc::new(ledger.unwrap());
    assert_eq!(ledger.fault(), None);
    ledger
}

/// As a replica has it.
async fn replica(store: &Store) -> Arc<Ledger> {
    let ledger = ledger(store).await;
    tokio::spawn(ledger.clone().run());
    ledger
}

/// Queues an entry in a transaction of its own.
async fn queue(store: &Store, body: &str) -> EntryId {
    for _ in 0..20 {
        let Ok(mut transaction) = store.begin().await else {
            continue;
        };
        let entry = enqueue(&mut transaction, Kind::Export, body.as_bytes()).await;
        if let Ok(entry) = entry
            && transaction.commit().await.is_ok()
        {
            return entry;
        }
    }
    panic!("{body} is not queued");
}

/// The log's entries and tree, each file of it checked.
async fn entries(ledger: &Ledger) -> (Vec<Vec<u8>>, TreeHead) {
    let mut view = ledger.store.view().await.unwrap();
    let (note, _) = read::log(&mut view).await.unwrap().unwrap();
    let head = read::head(&note).unwrap();
    let mut entries = Vec::new();
    for index in 0..head.size {
        let entry = read::entry(&mut view, index).await.unwrap();
        entries.push(entry.expect("an entry"));
    }
    (entries, head)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_entry_is_in_the_log_once() {
    const CLIENTS: usize = 16;
    const EACH: usize = 20;
    for database in Database::each() {
        let stores = [database.store().await, database.store().await];
        let ledgers = [replica(&stores[0]).await, replica(&stores[1]).await];
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..CLIENTS {
            let store = stores[client % 2].clone();
            // Its entries may be asked for at the other replica.
            let ledger = ledgers[client / 2 % 2].clone();
            clients.spawn(async move {
                let mut acknowledged = Vec::new();
                for number in 0..EACH {
                    let body = format!("entry {client}/{number}");
                    let id = queue(&store, &body).await;
                    let mut dropped = store.begin().await.unwrap();
                    enqueue(&mut dropped, Kind::Export, b"rolled back")
                        .await
                        .unwrap();
                    drop(dropped);
                    let sequenced = ledger.sequenced(id).await.unwrap();
                    assert_eq!(sequenced.body, body.as_bytes());
                    assert_eq!(sequenced.index, sequenced.proof.index);
                    assert!(sequenced.index < sequenced.head.size);
                    acknowledged.push((id, sequenced.index, body));
                }
                acknowledged
            });
        }
        let acknowledged = clients.join_all().await.concat();
        let (entries, head) = entries(&ledgers[0]).await;
        assert_eq!(head.size as usize, CLIENTS * EACH);
        let indexes: BTreeSet<_> = acknowledged.iter().map(|(_, index, _)| *index).collect();
        assert_eq!(indexes.len(), CLIENTS * EACH);
        for (id, index, body) in &acknowledged {
            assert_eq!(entries[*index as usize], body.as_bytes());
            // Asked for again, elsewhere: the same place, in the tree of now.
            let again = ledgers[1].sequenced(*id).await.unwrap();
            assert_eq!((again.index, again.head), (*index, head));
        }
        let checked = database.check().await.unwrap();
        assert_eq!(checked.entries, head.size);
        assert_eq!(checked.root, head.root.to_string());
    }
}

#[tokio::test]
async fn what_cannot_be_in_the_log_is_said() {
    for database in Database::each() {
        let store = database.store().await;
        let ledger = ledger(&store).await;
        let mut transaction = store.begin().await.unwrap();
        let longest = vec![0; MAX_ENTRY_BYTES];
        let entry = enqueue(&mut transaction, Kind::Export, &longest).await;
        let entry = entry.unwrap();
        let refused = enqueue(
            &mut transaction,
            Kind::Export,
            &vec![0; MAX_ENTRY_BYTES + 1],
        )
        .await;
        assert!(matches!(refused, Err(Error::TooLong)), "{refused:?}");
        transaction.commit().await.unwrap();
        let unknown = ledger.sequenced(EntryId(entry.0 + 1000)).await;
        assert!(matches!(unknown, Err(Error::Unknown)), "{unknown:?}");
        let unknown = ledger.prove(0).await;
        assert!(matches!(unknown, Err(Error::Unknown)), "{unknown:?}");
        // Nothing appends: it stays queued, and comes in later.
        let overdue = ledger.sequenced(entry).await;
        assert!(matches!(overdue, Err(Error::Overdue)), "{overdue:?}");
        let mut sequencer = Sequencer::new(&store, &ledger.signer);
        assert_eq!(sequencer.append().await.unwrap().0, 1);
        assert_eq!(ledger.sequenced(entry).await.unwrap().body, longest);
    }
}

/// Statements that make each step of a batch fail, and take that back.
fn points(is_sqlite: bool) -> Vec<(&'static str, String, String)> {
    let steps = [
        ("tiles", "INSERT", "ledger_tiles"),
        ("places", "UPDATE", "ledger_entries"),
        ("checkpoint", "UPDATE", "ledger_log"),
    ];
    let mut points = Vec::new();
    for (name, event, table) in steps {
        let (make, drop) = match is_sqlite {
            true => (
                format!(
                    "CREATE TRIGGER stop BEFORE {event} ON {table} \
                     BEGIN SELECT RAISE(ABORT, 'stopped'); END"
                ),
                "DROP TRIGGER stop".to_owned(),
            ),
            false => (
                format!("CREATE TRIGGER stop BEFORE {event} ON {table} EXECUTE FUNCTION stop()"),
                format!("DROP TRIGGER stop ON {table}"),
            ),
        };
        points.push((name, make, drop));
    }
    if !is_sqlite {
        // When everything is written, and only the commit is left.
        points.push((
            "commit",
            "CREATE CONSTRAINT TRIGGER stop AFTER UPDATE ON ledger_log \
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION stop()"
                .to_owned(),
            "DROP TRIGGER stop ON ledger_log".to_owned(),
        ));
    }
    points
}

async fn run(store: &Store, sql: &str) {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(store.pool()).await.unwrap();
}

#[tokio::test]
async fn a_batch_is_stored_whole_or_not_at_all() {
    for database in Database::each() {
        let store = database.store().await;
        let ledger = ledger(&store).await;
        if store.is_shared() {
            run(
                &store,
                "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql \
                 AS $$ BEGIN RAISE EXCEPTION 'stopped'; END $$",
            )
            .await;
        }
        let mut sequencer = Sequencer::new(&store, &ledger.signer);
        let mut expected = Vec::new();
        for (name, make, drop) in points(!store.is_shared()) {
            for number in 0..3 {
                let body = format!("{name} {number}");
                queue(&store, &body).await;
                expected.push(body.into_bytes());
            }
            let before = entries(&ledger).await;
            run(&store, &make).await;
            let stopped = sequencer.append().await;
            let is_store = matches!(&stopped, Err(Failure::Store(error))
                if error.to_string().contains("stopped"));
            assert!(is_store, "{name}: {stopped:?}");
            assert_eq!(entries(&ledger).await, before, "{name}");
            run(&store, &drop).await;
            // More has come meanwhile: another batch of the same tree.
            let body = format!("after {name}");
            queue(&store, &body).await;
            expected.push(body.into_bytes());
            let (appended, head) = sequencer.append().await.unwrap();
            assert_eq!(
                (appended, head.size as usize),
                (4, expected.len()),
                "{name}"
            );
            let checked = database.check().await.unwrap();
            assert_eq!(checked.entries as usize, expected.len(), "{name}");
        }
        assert_eq!(entries(&ledger).await.0, expected);
    }
}

/// Batches around the widths of bundles and tiles, by two who do not know of each
/// other.
#[tokio::test]
async fn two_sequencers_make_one_log() {
    for database in Database::each() {
        let store = database.store().await;
        let ledger = ledger(&store).await;
        let mut both = [(); 2].map(|()| Sequencer::new(&store, &ledger.signer));
        let mut expected = Vec::new();
        for (turn, count) in [1, 254, 1, 1, 0, 2, BATCH + 3].into_iter().enumerate() {
            let mut transaction = store.begin().await.unwrap();
            for number in 0..count {
                let body = format!("{turn}/{number}").into_bytes();
                enqueue(&mut transaction, Kind::Export, &body)
                    .await
                    .unwrap();
                expected.push(body);
            }
            transaction.commit().await.unwrap();
            let (appended, _) = both[turn % 2].append().await.unwrap();
            assert_eq!(appended, count.min(BATCH));
        }
        assert_eq!(both[1].append().await.unwrap().0, 3);
        let (found, head) = entries(&ledger).await;
        assert_eq!(found, expected);
        database.check().await.unwrap();
        // Sigstore's name of the log: the hash of the key that signs for it.
        let p256 = ledger.signer.keys()[1].bytes();
        assert_eq!(ledger.log_id().as_slice(), Sha256::digest(p256).as_slice());
        for index in [0, 1, 254, 255, 256, 257, 258, head.size - 1] {
            let proved = ledger.prove(index).await.unwrap();
            assert_eq!(proved.body, expected[index as usize]);
        }
        // Each tile at each width that some checkpoint had.
        let mut view = store.view().await.unwrap();
        for (path, length) in [
            ("tile/0/000", Some(256 * 32)),
            ("tile/0/000.p/1", Some(32)),
            ("tile/0/000.p/255", Some(255 * 32)),
            ("tile/1/000.p/2", Some(2 * 32)),
            ("tile/1/000.p/4", None),
            ("tile/2/000.p/1", None),
            ("tile/0/003.p/255", None),
            ("tile/entries/004", None),
        ] {
            let resource: Resource = path.parse().unwrap();
            let bytes = read::file(&mut view, resource).await.unwrap();
            assert_eq!(bytes.map(|bytes| bytes.len()), length, "{path}");
        }
    }
}

#[tokio::test]
async fn a_log_that_was_put_back_or_changed_is_not_appended_to() {
    for database in Database::each() {
        let store = database.store().await;
        let ledger = ledger(&store).await;
        let mut sequencer = Sequencer::new(&store, &ledger.signer);
        let mut notes = Vec::new();
        for body in ["one", "two"] {
            queue(&store, body).await;
            sequencer.append().await.unwrap();
            let mut view = store.view().await.unwrap();
            notes.push(read::log(&mut view).await.unwrap().unwrap().0);
        }
        queue(&store, "three").await;
        // The state of before, as a backup has it.
        run(
            &store,
            "UPDATE ledger_entries SET leaf = NULL WHERE leaf = 1",
        )
        .await;
        run(
            &store,
            "UPDATE ledger_entries SET body = 'owt' WHERE leaf IS NULL AND body = 'two'",
        )
        .await;
        run(
            &store,
            &format!("UPDATE ledger_log SET checkpoint = '{}'", notes[0]),
        )
        .await;
        let behind = sequencer.append().await;
        let error = |result: Result<(usize, TreeHead), Failure>| match result {
            Err(Failure::Log(error)) => error,
            other => panic!("{other:?}"),
        };
        let behind = error(behind);
        assert!(
            matches!(
                behind,
                ig_ledger::Error::Behind {
                    stored: 1,
                    remembered: 2
                }
            ),
            "{behind:?}"
        );
        // It stays so.
        error(sequencer.append().await);
        // Who begins anew sees that the tiles are not those of the checkpoint.
        let mut other = Sequencer::new(&store, &ledger.signer);
        run(
            &store,
            &format!("UPDATE ledger_log SET checkpoint = '{}'", notes[1]),
        )
        .await;
        let changed = error(other.append().await);
        assert!(
            matches!(
                changed,
                ig_ledger::Error::File(_) | ig_ledger::Error::Entries(_)
            ),
            "{changed:?}"
        );
        run(&store, "DELETE FROM ledger_log").await;
        assert!(matches!(
            error(other.append().await),
            ig_ledger::Error::Empty
        ));
        // Nor is another one begun in its place.
        let config = LedgerConfig::default();
        let again = Ledger::prepare(&store, &config, None, PathBuf::new(), Arc::default()).await;
        let again = again.unwrap();
        assert!(again.fault().is_some());
        let closed = again.sequenced(queue(&store, "four").await).await;
        assert!(matches!(closed, Err(Error::Closed(_))), "{closed:?}");
    }
}

/// Who reads without a token waits, where connections are for others.
#[tokio::test]
async fn few_read_at_once() {
    let database = Database::sqlite();
    let store = database.store().await;
    let ledger = ledger(&store).await;
    let waits = || async {
        let turn = tokio::time::timeout(Duration::from_millis(20), ledger.turn());
        turn.await.is_err()
    };
    let mut taken = Vec::new();
    for _ in 0..READERS {
        assert!(!waits().await);
        taken.push(ledger.turn().await.expect("a turn"));
    }
    assert!(waits().await);
    taken.pop();
    assert!(!waits().await);
}

const KILLED: &str = "IG_LEDGER_DATABASE";

/// What is killed: two replicas with 16 clients, who say on standard output what
/// was acknowledged.
async fn append_until_it_is_killed(url: &str, life: &str) {
    let stores = [open(url).await, open(url).await];
    let ledgers = [replica(&stores[0]).await, replica(&stores[1]).await];
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..16 {
        let (store, ledger) = (stores[client % 2].clone(), ledgers[client % 2].clone());
        let life = life.to_owned();
        clients.spawn(async move {
            for number in 0.. {
                let body = format!("{life}/{client}/{number}");
                let id = queue(&store, &body).await;
                if let Ok(sequenced) = ledger.sequenced(id).await {
                    println!("\nacknowledged {} {body}", sequenced.index);
                }
            }
        });
    }
    clients.join_all().await;
}

/// The process that is killed is this test, in a process of its own.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_or_twice_in_the_log() {
    if let Ok(killed) = std::env::var(KILLED) {
        let (life, url) = killed.split_once(' ').unwrap();
        append_until_it_is_killed(url, life).await;
    }
    for database in Database::each() {
        let mut acknowledged: BTreeMap<u64, String> = BTreeMap::new();
        let mut heads: Vec<TreeHead> = Vec::new();
        for life in 0..6 {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "--nocapture"])
                .arg("ledger::tests::nothing_acknowledged_is_lost_or_twice_in_the_log")
                .env(KILLED, format!("{life} {}", database.url))
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut lines = lines.map_while(Result::ok).filter_map(|line| {
                let (index, body) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
                Some((index.parse().ok()?, body.to_owned()))
            });
            let before = acknowledged.len();
            acknowledged.extend(lines.by_ref().take(20 + 13 * life));
            assert!(acknowledged.len() > before, "it ended by itself");
            // Somewhere in what it does next.
            std::thread::sleep(Duration::from_micros(900 * life as u64));
            child.kill().unwrap();
            child.wait().unwrap();
            acknowledged.extend(lines);
            let store = database.store().await;
            let ledger = ledger(&store).await;
            let mut sequencer = Sequencer::new(&store, &ledger.signer);
            while sequencer.append().await.unwrap().0 > 0 {}
            let (entries, head) = entries(&ledger).await;
            for (index, body) in &acknowledged {
                assert_eq!(entries[*index as usize], body.as_bytes());
                ledger.prove(*index).await.unwrap();
            }
            let different: BTreeSet<_> = entries.iter().collect();
            assert_eq!(different.len(), entries.len(), "an entry is there twice");
            heads.push(head);
        }
        assert!(heads.is_sorted_by_key(|head| head.size));
        database.check().await.unwrap();
    }
}
