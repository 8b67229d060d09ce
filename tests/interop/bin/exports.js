// @ts-check
// Reads a control plane's ledger without any of its code, and looks for what
// clients were told: `exports.js URL FOLDER KEPT`. Files of the log come into the
// folder. KEPT has the receipts of exports, and checkpoints that were seen before.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { leafHash, readCheckpoint, readEntries, readKey, readLevel, readProof, root, rootOfPath } from '../lib/ledger.js';

const [url, folder, kept] = process.argv.slice(2);
const { receipts, checkpoints } = JSON.parse(readFileSync(kept, 'utf8'));

/** @param {string} path */
async function fetchFile(path) {
  const answer = await fetch(`${url}/ledger/${path}`);
  assert.equal(answer.status, 200, path);
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
}

const { keys: said } = /** @type {{keys: string[]}} */ (await (await fetch(`${url}/ledger/keys`)).json());
const keys = said.map(readKey);
await fetchFile('checkpoint');
const last = readCheckpoint(readFileSync(join(folder, 'checkpoint'), 'utf8'), keys);
for (let index = 0; index * 256 < last.size; index += 1) {
  const width = Math.min(256, last.size - index * 256);
  const name = `${String(index).padStart(3, '0')}${width < 256 ? `.p/${width}` : ''}`;
  assert.ok(index < 1000, 'more than 256,000 entries have longer paths');
  await fetchFile(`tile/0/${name}`);
  await fetchFile(`tile/entries/${name}`);
}
const entries = readEntries(folder, last.size);
const leaves = entries.map(leafHash);
assert.deepEqual(root(leaves), last.root);
assert.deepEqual(readLevel(folder, 0, last.size), leaves);

// Whatever was signed before is the beginning of what is signed now: the checkpoints
// that were seen, and those that clients were given with their proofs.
const proofs = receipts.map((/** @type {any} */ one) => readProof(one.proof, keys));
/** @type {Map<number, Buffer[]>} */
const signed = new Map();
for (const { size, root: hash } of [
  ...checkpoints.map((/** @type {string} */ note) => readCheckpoint(note, keys)),
  ...proofs.map((/** @type {any} */ proof) => proof.checkpoint),
]) {
  assert.ok(size <= last.size);
  signed.set(size, [...(signed.get(size) ?? []), hash]);
}
for (const hash of signed.get(0) ?? []) assert.deepEqual(root([]), hash);
// Roots of perfect trees, the largest first: those of a tree that grows leaf by leaf.
/** @type {{hash: Buffer, leaves: number}[]} */
const edge = [];
for (const [index, leaf] of leaves.entries()) {
  let tree = { hash: leaf, leaves: 1 };
  while (edge.at(-1)?.leaves === tree.leaves) {
    const left = /** @type {typeof tree} */ (edge.pop());
    tree = { hash: root([left.hash, tree.hash]), leaves: 2 * tree.leaves };
  }
  edge.push(tree);
  const now = () => edge.map(({ hash }) => hash).reduceRight((right, left) => root([left, right]));
  for (const hash of signed.get(index + 1) ?? []) assert.deepEqual(now(), hash);
}

/** @type {Map<string, number[]>} */
const places = new Map();
for (const [index, entry] of entries.entries()) {
  const key = entry.toString('base64');
  places.set(key, [...(places.get(key) ?? []), index]);
}
for (const [at, { exportId, index, entry }] of receipts.entries()) {
  assert.deepEqual(places.get(entry), [index], exportId);
  const { path, checkpoint, index: proved } = proofs[at];
  assert.equal(proved, index, exportId);
  const leaf = leafHash(Buffer.from(entry, 'base64'));
  assert.deepEqual(rootOfPath(leaf, index, checkpoint.size, path), checkpoint.root, exportId);
}
assert.equal(new Set(receipts.map((/** @type {any} */ one) => one.exportId)).size, receipts.length);
console.log(`${receipts.length} exports in ${last.size} entries, each once; ${signed.size} trees before agree`);
