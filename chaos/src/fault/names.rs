//! A server of names (DNS over UDP) on loopback, which can fail.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, QTYPE, RCODE, ResourceRecord, TYPE};
use tokio::net::UdpSocket;

/// Longest question that is read; a longer one is cut off, and so none.
const LONGEST: usize = 512;

/// Seconds for which an answer may be kept.
const TTL: u32 = 1;

/// Who has which address.
pub struct Names {
    /// Where it listens.
    pub address: SocketAddr,
    known: Arc<Mutex<BTreeMap<String, Ipv4Addr>>>,
    fails: Arc<AtomicBool>,
    serving: tokio::task::JoinHandle<()>,
}

impl Names {
    /// A server that knows nobody.
    ///
    /// # Errors
    /// If the address is taken.
    pub async fn start(at: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind(at).await;
        let socket = socket.with_context(|| format!("cannot listen on {at}"))?;
        let address = socket.local_addr()?;
        let known: Arc<Mutex<BTreeMap<_, _>>> = Arc::default();
        let fails = Arc::new(AtomicBool::new(false));
        let serving = tokio::spawn(serve(socket, known.clone(), fails.clone()));
        Ok(Self {
            address,
            known,
            fails,
            serving,
        })
    }

    /// Says who has an address.
    pub fn add(&self, name: &str, address: Ipv4Addr) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.to_owned(), address);
    }

    /// Whether each question is answered with a failure (SERVFAIL).
    pub fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    socket: UdpSocket,
    known: Arc<Mutex<BTreeMap<String, Ipv4Addr>>>,
    fails: Arc<AtomicBool>,
) {
    let mut question = [0; LONGEST];
    while let Ok((length, from)) = socket.recv_from(&mut question).await {
        let asked = question.get(..length).unwrap_or_default();
        let answer = {
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            answer(asked, &known, fails.load(Ordering::Relaxed))
        };
        if let Some(answer) = answer {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

/// The answer to a question; none to what is no question.
fn answer(asked: &[u8], known: &BTreeMap<String, Ipv4Addr>, fails: bool) -> Option<Vec<u8>> {
    let asked = Packet::parse(asked).ok()?;
    let mut answer = Packet::new_reply(asked.id());
    let question = asked.questions.first()?.clone();
    let address = known
        .get(&question.qname.to_string().to_ascii_lowercase())
        .copied();
    let is_asked = matches!(question.qtype, QTYPE::TYPE(TYPE::A) | QTYPE::ANY);
    match (fails, address) {
        (true, _) => *answer.rcode_mut() = RCODE::ServerFailure,
        (false, None) => *answer.rcode_mut() = RCODE::NameError,
        (false, Some(address)) if is_asked => answer.answers.push(ResourceRecord::new(
            question.qname.clone(),
            CLASS::IN,
            TTL,
            RData::A(A::from(address)),
        )),
        // There is the name, and nothing of what was asked for.
        (false, Some(_)) => {}
    }
    answer.questions.push(question);
    answer.build_bytes_vec().ok()
}

#[cfg(test)]
mod tests {
    use simple_dns::{Name, QCLASS, Question};

    use super::*;

    fn ask(name: &str, of: TYPE, fails: bool) -> (RCODE, Vec<String>) {
        let known = [("one.test".to_owned(), Ipv4Addr::new(127, 1, 2, 3))].into();
        let mut packet = Packet::new_query(7);
        let name = Name::new_unchecked(name);
        let of = QTYPE::TYPE(of);
        packet
            .questions
            .push(Question::new(name, of, QCLASS::CLASS(CLASS::IN), false));
        let asked = packet.build_bytes_vec().unwrap();
        let said = answer(&asked, &known, fails).unwrap();
        let said = Packet::parse(&said).unwrap();
        assert_eq!(said.id(), 7);
        let addresses = said.answers.iter().map(|one| match &one.rdata {
            RData::A(a) => Ipv4Addr::from(a.address).to_string(),
            other => format!("{other:?}"),
        });
        (said.rcode(), addresses.collect())
    }

    #[test]
    fn names_are_known_unknown_or_fail() {
        let known = (RCODE::NoError, vec!["127.1.2.3".to_owned()]);
        assert_eq!(ask("one.test", TYPE::A, false), known);
        assert_eq!(ask("one.test", TYPE::AAAA, false), (RCODE::NoError, vec![]));
        assert_eq!(ask("two.test", TYPE::A, false), (RCODE::NameError, vec![]));
        assert_eq!(
            ask("one.test", TYPE::A, true),
            (RCODE::ServerFailure, vec![])
        );
        assert_eq!(answer(b"no packet", &BTreeMap::new(), false), None);
    }
}
