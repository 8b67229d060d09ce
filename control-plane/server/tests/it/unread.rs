//! A replica that cannot read the database: what a proxy brings along may be newer than
//! what it knows.

use ig_e2e::fill;
use serde_json::json;
use tonic::transport::Channel;

use crate::databases::on_own_postgres;
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
    let mut sent = None;
    for _ in 0..10 {
        sent = from_elsewhere.next().await;
        if sent.is_some() {
            break;
        }
    }
    assert_eq!(sent, published);
}
