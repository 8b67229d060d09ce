//! A replica that cannot read the database: what a proxy brings along may be newer than
//! what it knows.

use std::time::Duration;

use ig_e2e::fill;
use serde_json::json;
use sqlx::{AnyConnection, Connection as _};
use tonic::transport::Channel;

use crate::databases::{Database, on_own_postgres};
use crate::tls::Stream;

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_keeps_what_it_has_until_the_database_was_read() {
    let Some((mut postgres, control)) = on_own_postgres() else {
        return;
    };
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    let (status, said) = control.call("POST", "/snapshots/demo", "");
    assert_eq!(status, 200, "{said}");
    let published = said["revision"].as_str().map(ToOwned::to_owned);
    let connect = async |revision: Option<&str>| {
        let address = Channel::from_shared(format!("http://{}", control.grpc)).unwrap();
        let channel = address.connect().await.unwrap();
        Stream::open_with(channel, revision).await.unwrap()
    };

    let (_, mut graph) = control.call("GET", "/graphs/demo", "");
    let mut is_for = |proxies: &[&str]| {
        graph["proxies"] = json!(proxies);
        let (status, said) = control.call("PUT", "/graphs/demo", graph.to_string());
        assert_eq!(status, 204, "{said}");
    };

    // For others, as far as is known: what was brought along is taken away.
    is_for(&["spiffe://mesh/ns/other/*"]);
    assert_eq!(connect(None).await.next().await, None);
    postgres.kill().unwrap();
    let mut unnamed = connect(Some("newer")).await;
    assert_eq!(unnamed.removed().await, ["ig.guard.demo"]);
    postgres.start_again().unwrap();
    is_for(&[]);
    assert_eq!(connect(None).await.next().await, published);

    postgres.kill().unwrap();
    // One that has nothing is served with what is known.
    assert_eq!(connect(None).await.next().await, published);
    let mut from_elsewhere = connect(Some("newer")).await;
    assert_eq!(from_elsewhere.next().await, None);
    assert_eq!(from_elsewhere.next().await, None);

    // Nothing was published meanwhile, so nobody tells the stream: it looks.
    postgres.start_again().unwrap();
    assert_eq!(soon(&mut from_elsewhere).await, published);
}

/// The next revision, from a replica that looks again each second.
async fn soon(stream: &mut Stream) -> Option<String> {
    for _ in 0..10 {
        let sent = stream.next().await;
        if sent.is_some() {
            return sent;
        }
    }
    None
}

/// A read that is slow ends after proxies came that bring something newer along.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_before_a_proxy_came_takes_nothing_from_it() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let control = database.start();
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    let (status, said) = control.call("POST", "/snapshots/demo", "");
    assert_eq!(status, 200, "{said}");
    let published = said["revision"].as_str().map(ToOwned::to_owned);

    sqlx::any::install_default_drivers();
    let mut bytes = AnyConnection::connect(&database.url).await.unwrap();
    let mut rows = AnyConnection::connect(&database.url).await.unwrap();
    let run = async |connection: &mut AnyConnection, sql: &'static str| {
        sqlx::raw_sql(sql).execute(connection).await.unwrap();
    };
    // The replica reads that there is another publication, and waits for its bytes.
    run(
        &mut bytes,
        "BEGIN; LOCK TABLE snapshots IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    // Without asking for the snapshot that it is of.
    let again = "SET session_replication_role = replica; \
        INSERT INTO publications (graph, revision, state, published_at, published_by) \
        SELECT graph, revision, state, published_at, published_by FROM publications";
    run(&mut rows, again).await;
    let waiting = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND \
        relation = 'snapshots'::regclass AND database = \
        (SELECT oid FROM pg_database WHERE datname = current_database())";
    let mut waits = 0_i64;
    for _ in 0..50 {
        waits = sqlx::query_scalar(waiting)
            .fetch_one(&mut rows)
            .await
            .unwrap();
        if waits > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(waits > 0, "nobody reads");
    // Nobody reads again.
    run(
        &mut rows,
        "BEGIN; LOCK TABLE publications IN ACCESS EXCLUSIVE MODE",
    )
    .await;

    let address = Channel::from_shared(format!("http://{}", control.grpc)).unwrap();
    let channel = address.connect().await.unwrap();
    // A stream reads for a second and pauses for one: some of them pause at any time.
    let mut streams = Vec::new();
    for _ in 0..4 {
        let newer = Stream::open_with(channel.clone(), Some("newer")).await;
        streams.push(newer.unwrap());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // The first read ends, which knows nothing of what the proxies have.
    run(&mut bytes, "ROLLBACK").await;
    for newer in &mut streams {
        assert_eq!(newer.next().await, None);
    }
    run(&mut rows, "ROLLBACK").await;
    for mut newer in streams {
        assert_eq!(soon(&mut newer).await, published);
    }
}
