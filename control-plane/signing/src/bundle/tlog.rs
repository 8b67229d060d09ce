//! `TransparencyLogEntry` (`protos/sigstore_rekor.proto` of
//! sigstore/protobuf-specs), in its JSON form.

use serde_json::{Map, Value, json};

use crate::json::{self, Node, base64};

/// The most hashes of a proof: a log has at most 2^63 leaves.
const MAX_HASHES: usize = 64;

/// Where a log has the signature.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogEntry {
    /// The place of the leaf, from 0.
    pub log_index: u64,
    /// Names the log by its key.
    pub log_id: Vec<u8>,
    /// The kind of the leaf; see [`crate::rekord::KIND`].
    pub kind: String,
    /// The version of the kind.
    pub version: String,
    /// Seconds since the epoch, if the log says when; Rekor 2 does not.
    pub integrated_time: Option<u64>,
    /// A log's signed promise to include the leaf; Rekor 2 has none.
    pub inclusion_promise: Option<Vec<u8>>,
    /// That the leaf is in the log.
    pub inclusion_proof: InclusionProof,
    /// The leaf.
    pub canonicalized_body: Vec<u8>,
}

/// That a leaf is in a log (RFC 9162, section 2.1.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InclusionProof {
    /// The place of the leaf in the tree, from 0.
    pub log_index: u64,
    /// Of the tree.
    pub root_hash: [u8; 32],
    /// How many leaves the tree has.
    pub tree_size: u64,
    /// From the leaf to the root.
    pub hashes: Vec<[u8; 32]>,
    /// A signed note with the tree's head (C2SP tlog-checkpoint).
    pub checkpoint: String,
}

impl LogEntry {
    pub(super) fn from_node(node: Node) -> Result<Self, json::Error> {
        let mut entry = node.object()?;
        let mut log_id = entry.required("logId")?.object()?;
        let mut kind = entry.required("kindVersion")?.object()?;
        let promise = entry.optional("inclusionPromise").map(Node::object);
        let mut promise = promise.transpose()?;
        let time = entry.optional("integratedTime").map(Node::int64);
        let this = Self {
            log_index: number(entry.optional("logIndex"))?,
            log_id: log_id.required("keyId")?.base64()?,
            kind: kind.required("kind")?.name()?,
            version: kind.required("version")?.name()?,
            integrated_time: time.transpose()?,
            inclusion_promise: match &mut promise {
                Some(promise) => Some(promise.required("signedEntryTimestamp")?.base64()?),
                None => None,
            },
            inclusion_proof: InclusionProof::from_node(entry.required("inclusionProof")?)?,
            canonicalized_body: entry.required("canonicalizedBody")?.base64()?,
        };
        for object in [Some(entry), Some(log_id), Some(kind), promise] {
            object.map_or(Ok(()), json::Object::end)?;
        }
        Ok(this)
    }

    pub(super) fn to_value(&self) -> Value {
        let mut entry = Map::new();
        let mut put = |name: &str, value: Value| {
            entry.insert(name.to_owned(), value);
        };
        put("logIndex", self.log_index.to_string().into());
        put("logId", json!({"keyId": base64(&self.log_id)}));
        let kind = json!({"kind": self.kind, "version": self.version});
        put("kindVersion", kind);
        if let Some(time) = self.integrated_time {
            put("integratedTime", time.to_string().into());
        }
        if let Some(promise) = &self.inclusion_promise {
            let promise = json!({"signedEntryTimestamp": base64(promise)});
            put("inclusionPromise", promise);
        }
        put("inclusionProof", self.inclusion_proof.to_value());
        let body = base64(&self.canonicalized_body);
        put("canonicalizedBody", body.into());
        Value::Object(entry)
    }
}

impl InclusionProof {
    fn from_node(node: Node) -> Result<Self, json::Error> {
        let mut proof = node.object()?;
        let hashes = proof.optional("hashes");
        let at = |node: &Node| node.at().to_owned();
        let too_many = hashes.as_ref().map(at).unwrap_or_default();
        let hashes = hashes.map(Node::array).transpose()?.unwrap_or_default();
        if hashes.len() > MAX_HASHES {
            return Err(json::Error::Wrong {
                at: too_many,
                expected: "at most 64 hashes",
            });
        }
        let mut checkpoint = proof.required("checkpoint")?.object()?;
        let this = Self {
            log_index: number(proof.optional("logIndex"))?,
            root_hash: proof.required("rootHash")?.bytes()?,
            tree_size: number(proof.optional("treeSize"))?,
            hashes: hashes
                .into_iter()
                .map(Node::bytes)
                .collect::<Result<_, _>>()?,
            checkpoint: checkpoint.required("envelope")?.string()?,
        };
        checkpoint.end()?;
        proof.end()?;
        Ok(this)
    }

    fn to_value(&self) -> Value {
        json!({
            "logIndex": self.log_index.to_string(),
            "rootHash": base64(&self.root_hash),
            "treeSize": self.tree_size.to_string(),
            "hashes": self.hashes.iter().map(|hash| base64(hash)).collect::<Vec<_>>(),
            "checkpoint": {"envelope": self.checkpoint},
        })
    }
}

/// A number that protocol buffers leave out when it is 0.
fn number(node: Option<Node>) -> Result<u64, json::Error> {
    node.map_or(Ok(0), Node::int64)
}
