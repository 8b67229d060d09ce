// @ts-check
// A log as an auditor reads it who has none of our code: C2SP's files, RFC 6962's
// hashes, and the keys, with what Node has.

import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @param {...(Buffer | string)} parts */
const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts.map((part) => Buffer.from(part)))).digest();

/** @param {Buffer | string} entry */
export const leafHash = (entry) => sha256(Buffer.of(0), entry);

/** @param {Buffer} left @param {Buffer} right */
const nodeHash = (left, right) => sha256(Buffer.of(1), left, right);

/**
 * MTH of RFC 6962, 2.1.
 *
 * @param {Buffer[]} leaves
 * @returns {Buffer}
 */
export function root(leaves) {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0];
  let k = 1;
  while (2 * k < leaves.length) k *= 2;
  return nodeHash(root(leaves.slice(0, k)), root(leaves.slice(k)));
}

/**
 * The root that a path leads to, by RFC 9162, 2.1.3.2.
 *
 * @param {Buffer} leaf
 * @param {number} index
 * @param {number} size
 * @param {Buffer[]} path
 */
export function rootOfPath(leaf, index, size, path) {
  let [fn, sn, hash] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (sn === 0) throw new Error('the path is too long');
    if (fn % 2 === 1 || fn === sn) {
      hash = nodeHash(sibling, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else {
      hash = nodeHash(hash, sibling);
    }
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  if (sn !== 0) throw new Error('the path is too short');
  return hash;
}

/**
 * @typedef {object} Key
 * @property {string} name
 * @property {Buffer} id
 * @property {number} type 1: Ed25519, 2: ECDSA, 4: cosignature
 * @property {import('node:crypto').KeyObject} key
 */

/**
 * A key in the text form of `signed-note`.
 *
 * @param {string} vkey
 * @returns {Key}
 */
export function readKey(vkey) {
  const [, name, id, base64] = vkey.match(/^([^+]+)\+([0-9a-f]{8})\+(.+)$/) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  const [type, material] = [bytes[0], bytes.subarray(1)];
  // The DER of a SubjectPublicKeyInfo is the same 12 bytes before each Ed25519 key.
  const spki = type === 2 ? material : Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), material]);
  const hashed = type === 2 ? sha256(material) : sha256(`${name}\n`, bytes);
  if (hashed.subarray(0, 4).toString('hex') !== id) throw new Error(`the ID of ${vkey} is wrong`);
  const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  return { name, id: Buffer.from(id, 'hex'), type, key };
}

/**
 * What a key made of a text.
 *
 * @param {Key} key
 * @param {string} text
 * @param {Buffer} signature
 */
function isSigned({ type, key }, text, signature) {
  if (type === 2) return verify('sha256', Buffer.from(text), key, signature);
  if (type === 1) return verify(null, Buffer.from(text), key, signature);
  const message = `cosignature/v1\ntime ${signature.readBigUInt64BE()}\n${text}`;
  return verify(null, Buffer.from(message), key, signature.subarray(8));
}

/**
 * A checkpoint that all keys have signed.
 *
 * @param {string} note
 * @param {Key[]} keys
 */
export function readCheckpoint(note, keys) {
  const end = note.lastIndexOf('\n\n') + 1;
  const text = note.slice(0, end);
  const lines = note.slice(end + 1).trimEnd().split('\n').map((line) => line.split(' '));
  for (const key of keys) {
    const signatures = lines.map(([, name, base64]) => ({ name, bytes: Buffer.from(base64, 'base64') }));
    const mine = signatures.find(({ name, bytes }) => name === key.name && bytes.subarray(0, 4).equals(key.id));
    if (!mine || !isSigned(key, text, mine.bytes.subarray(4))) throw new Error(`${key.name} has not signed`);
  }
  const [origin, size, hash] = text.split('\n');
  return { origin, size: Number(size), root: Buffer.from(hash, 'base64') };
}

/** @param {number} index */
function pathOf(index) {
  const groups = [String(index % 1000).padStart(3, '0')];
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    groups.unshift(`x${String(rest % 1000).padStart(3, '0')}`);
  }
  return groups.join('/');
}

/**
 * All files of a row: a level of tiles, or the entries.
 *
 * @param {string} folder
 * @param {string | number} row
 * @param {number} count
 */
function readRow(folder, row, count) {
  const files = [];
  for (let index = 0; index * 256 < count; index += 1) {
    const width = Math.min(256, count - index * 256);
    const partial = width < 256 ? `.p/${width}` : '';
    files.push(readFileSync(join(folder, 'tile', String(row), pathOf(index) + partial)));
  }
  return files;
}

/**
 * All entries of a log.
 *
 * @param {string} folder
 * @param {number} size
 */
export function readEntries(folder, size) {
  return readRow(folder, 'entries', size).flatMap((bundle) => {
    const entries = [];
    for (let at = 0; at < bundle.length; ) {
      const length = bundle.readUInt16BE(at);
      entries.push(bundle.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    return entries;
  });
}

/**
 * All hashes of a level of tiles.
 *
 * @param {string} folder
 * @param {number} level
 * @param {number} size
 */
export function readLevel(folder, level, size) {
  const tiles = Buffer.concat(readRow(folder, level, Math.floor(size / 256 ** level)));
  return Array.from({ length: tiles.length / 32 }, (_, at) => tiles.subarray(32 * at, 32 * at + 32));
}

/**
 * A proof in one file.
 *
 * @param {string} proof
 * @param {Key[]} keys
 */
export function readProof(proof, keys) {
  const end = proof.indexOf('\n\n');
  const [header, index, ...path] = proof.slice(0, end).split('\n');
  if (header !== 'c2sp.org/tlog-proof@v1') throw new Error('not a proof');
  return {
    index: Number(index.replace('index ', '')),
    path: path.map((hash) => Buffer.from(hash, 'base64')),
    checkpoint: readCheckpoint(proof.slice(end + 2), keys),
  };
}
