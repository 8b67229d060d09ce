// @ts-check
// The ledger's files, read without any of its code.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { leafHash, readCheckpoint, readEntries, readKey, readLevel, readProof, root, rootOfPath } from '../lib/ledger.js';
import { ROOT, signing } from '../lib/tools.js';

const writes = ['debug', 'release'].map((profile) => join(ROOT, 'target', profile, 'examples/write'));
const write = writes.find((path) => existsSync(path)) ?? '';
const skip = !write && !process.env.CI && 'build it: cargo build -p ig-ledger --example write';

describe('the ledger', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ig-ledger-'));
  const log = join(folder, 'log');
  /** @type {import('../lib/ledger.js').Key[]} */
  let keys;
  /** @type {ReturnType<typeof readCheckpoint>} */
  let checkpoint;

  before(() => {
    assert.ok(write, 'build it: cargo build -p ig-ledger --example write');
    execFileSync(write, [folder]);
    keys = readFileSync(join(folder, 'keys.txt'), 'utf8').trim().split('\n').map(readKey);
    checkpoint = readCheckpoint(readFileSync(join(log, 'checkpoint'), 'utf8'), keys);
  });
  after(() => rmSync(folder, { recursive: true }));

  test('the checkpoint is signed by three keys of three types', () => {
    assert.deepEqual(keys.map((key) => key.type), [1, 2, 4]);
    assert.equal(checkpoint.origin, 'ledger.example');
    assert.equal(checkpoint.size, 70_000);
    const note = readFileSync(join(log, 'checkpoint'), 'utf8').replace('70000', '70001');
    assert.throws(() => readCheckpoint(note, keys), /has not signed/);
  });

  test('the entries have the root and the tiles', () => {
    const leaves = readEntries(log, checkpoint.size).map(leafHash);
    assert.equal(leaves.length, checkpoint.size);
    assert.deepEqual(root(leaves), checkpoint.root);
    let below = leaves;
    for (const level of [0, 1, 2]) {
      assert.deepEqual(readLevel(log, level, checkpoint.size), below);
      const full = Math.floor(below.length / 256);
      below = Array.from({ length: full }, (_, at) => root(below.slice(256 * at, 256 * at + 256)));
    }
    assert.equal(below.length, 0);
  });

  test('a proof in one file proves an entry', () => {
    const proof = readProof(readFileSync(join(folder, '68000.tlog-proof'), 'utf8'), keys);
    assert.deepEqual(proof.checkpoint, checkpoint);
    const leads = (/** @type {string} */ entry) =>
      rootOfPath(leafHash(entry), proof.index, checkpoint.size, proof.path);
    assert.deepEqual(leads('entry 68000'), checkpoint.root);
    assert.notDeepEqual(leads('entry 68001'), checkpoint.root);
  });

  test('ig-verify and this reader refuse the same', { skip: !signing.verify && 'ig-verify: cargo build -p ig-verify' }, () => {
    const vkeys = readFileSync(join(folder, 'keys.txt'), 'utf8').trim().split('\n');
    const policy = join(folder, 'ledger.policy');
    const lines = [`log ${vkeys[0]}`, `log ${vkeys[1]}`, `witness w ${vkeys[2]}`, 'quorum w'];
    writeFileSync(policy, `${lines.join('\n')}\n`);
    const says = () => spawnSync(/** @type {string} */ (signing.verify), ['ledger', log, '--policy', policy]).status;
    const reads = () => {
      const { size, root: signed } = readCheckpoint(readFileSync(join(log, 'checkpoint'), 'utf8'), keys);
      const leaves = readEntries(log, size).map(leafHash);
      assert.deepEqual(root(leaves), signed);
      assert.deepEqual(readLevel(log, 0, size), leaves);
    };
    reads();
    assert.equal(says(), 0);
    for (const [name, at] of /** @type {[string, number][]} */ ([
      ['checkpoint', 20],
      ['checkpoint', 400],
      ['tile/entries/100', 5],
      ['tile/0/200', 31],
      ['tile/entries/273.p/112', 3],
    ])) {
      const file = join(log, name);
      const good = readFileSync(file);
      const changed = Buffer.from(good);
      changed[at] ^= 1;
      writeFileSync(file, changed);
      assert.throws(reads, name);
      assert.equal(says(), 1, name);
      writeFileSync(file, good);
    }
    assert.equal(says(), 0);
  });
});
