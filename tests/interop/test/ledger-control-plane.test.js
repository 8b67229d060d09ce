// @ts-check
// The ledger of a control plane, read over HTTP without any of its code.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { startControlPlane } from '../lib/control-plane.js';
import { leafHash, readCheckpoint, readEntries, readKey, readLevel, readProof, root, rootOfPath } from '../lib/ledger.js';
import { until } from '../lib/process.js';
import { skip } from '../lib/tools.js';

// More than a bundle.
const CHANGES = 300;

describe("a control plane's ledger", { skip }, () => {
  const log = mkdtempSync(join(tmpdir(), 'ig-ledger-'));
  /** @type {import('../lib/control-plane.js').ControlPlane} */
  let control;
  /** @type {import('../lib/ledger.js').Key[]} */
  let keys;
  /** @type {ReturnType<typeof readCheckpoint>} */
  let checkpoint;
  /** @type {any[]} */
  let records;

  /** @param {string} path Keeps the file, as `wget` would. */
  const fetchFile = async (path) => {
    const answer = await fetch(`${control.url}/ledger/${path}`);
    assert.equal(answer.status, 200, path);
    const file = join(log, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, Buffer.from(await answer.arrayBuffer()));
  };

  before(async () => {
    control = await startControlPlane();
    const changes = Array.from({ length: CHANGES }, (_, number) => number);
    for (const number of changes) await control.call('PUT', `/schemas/demo/t${number}`, 'type Query { me: String }');
    const isLogged = async () => {
      const { items } = await control.call('GET', '/audit?limit=1000');
      records = items;
      return items.every((/** @type {any} */ record) => Number.isInteger(record.ledgerIndex));
    };
    await until(isLogged, 'the ledger has all records');
    // In a real check they come from elsewhere.
    const said = await (await fetch(`${control.url}/ledger/keys`)).json();
    keys = said.keys.map(readKey);
    await fetchFile('checkpoint');
    checkpoint = readCheckpoint(readFileSync(join(log, 'checkpoint'), 'utf8'), keys);
    const rest = checkpoint.size - 256;
    for (const path of ['000', `001.p/${rest}`]) {
      await fetchFile(`tile/0/${path}`);
      await fetchFile(`tile/entries/${path}`);
    }
    await fetchFile('tile/1/000.p/1');
  });
  after(async () => {
    await control?.close();
    rmSync(log, { recursive: true });
  });

  test('entries have the root and the tiles', () => {
    assert.ok(checkpoint.size >= CHANGES);
    const leaves = readEntries(log, checkpoint.size).map(leafHash);
    assert.deepEqual(root(leaves), checkpoint.root);
    assert.deepEqual(readLevel(log, 0, checkpoint.size), leaves);
    assert.deepEqual(readLevel(log, 1, checkpoint.size), [root(leaves.slice(0, 256))]);
  });

  test('each record of the audit trail is what its leaf commits to', async () => {
    const entries = readEntries(log, checkpoint.size);
    assert.equal(records.length, entries.length);
    for (const { salt, ledgerIndex, action, actor, after = null, at, before = null, target } of records) {
      // RFC 8785, for members like these.
      const record = JSON.stringify({ action, actor, after, at, before, target });
      const hash = createHash('sha256').update(Buffer.from(salt, 'hex')).update(record);
      const leaf = JSON.stringify({ kind: 'audit/v1', sha256: hash.digest('hex') });
      assert.equal(entries[ledgerIndex].toString(), leaf);
    }
  });

  test('a proof in one file proves a record', async () => {
    const entries = readEntries(log, checkpoint.size);
    for (const index of [0, 255, 256, checkpoint.size - 1]) {
      const answer = await fetch(`${control.url}/ledger/entries/${index}/proof`);
      const proof = readProof(await answer.text(), keys);
      assert.equal(proof.index, index);
      const leads = (/** @type {Buffer} */ entry) =>
        rootOfPath(leafHash(entry), index, proof.checkpoint.size, proof.path);
      assert.deepEqual(leads(entries[index]), proof.checkpoint.root);
      assert.notDeepEqual(leads(Buffer.from('another')), proof.checkpoint.root);
    }
  });
});
