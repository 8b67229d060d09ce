// @ts-check
// `ig schema diff` tells the changes that graphql-inspector tells: not only of
// the same kinds, at the same paths, as bad, but each as the same object.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { archive, corpora, pairs, skipCorpora } from '../lib/corpora.js';
import { ROOT, ig, skipIg } from '../lib/find.js';
import { inspect, isUnseen, lines, triples } from '../lib/inspector.js';
import { folder } from '../lib/process.js';
import { generate, random } from '../lib/schemas.js';

const CASES = join(ROOT, 'control-plane/schema-diff/tests/it/rules.json');
const PAIRS = Number(process.env.IG_SCHEMA_PAIRS ?? 150);
const SEED = Number(process.env.IG_SEED ?? Date.now() % 1_000_000);

/** @param {string} before @param {string} after Paths of files. */
function ours(before, after) {
  const args = ['schema', 'diff', before, after, '--fail-on', 'nothing', '--format', 'json'];
  return JSON.parse(execFileSync(ig ?? '', args, { encoding: 'utf8', maxBuffer: 1 << 30 })).changes;
}

/** @param {string} before @param {string} after SDL. @param {string} name */
async function compare(before, after, name) {
  const [old, next] = ['old', 'new'].map((side) => join(folder, `${side}.graphql`));
  writeFileSync(old, before);
  writeFileSync(next, after);
  const theirs = await inspect(before, after);
  const mine = ours(old, next).filter((/** @type {import('../lib/inspector.js').Change} */ change) => !isUnseen(change));
  assert.deepEqual(lines(mine), lines(theirs), name);
  return theirs;
}

/**
 * Compares a pair both ways; tells how many changes there were.
 *
 * @param {import('../lib/corpora.js').Pair} pair
 */
async function compareFiles({ name, before, after }) {
  let changes = 0;
  for (const [old, next] of [[before, after], [after, before]]) {
    const theirs = await inspect(readFileSync(old, 'utf8'), readFileSync(next, 'utf8'));
    const mine = ours(old, next);
    assert.deepEqual(triples(mine), triples(theirs), name);
    assert.deepEqual(lines(mine), lines(theirs), name);
    changes += theirs.length;
  }
  return changes;
}

describe('graphql-inspector', { skip: skipIg() }, () => {
  test('says what the cases of our own tests say', async () => {
    const cases = JSON.parse(readFileSync(CASES, 'utf8'));
    for (const one of cases) {
      const theirs = triples(await compare(one.before, one.after, one.name));
      if (process.env.IG_BLESS) one.changes = theirs;
      assert.deepEqual(one.changes, theirs, one.name);
    }
    if (process.env.IG_BLESS) writeFileSync(CASES, `${JSON.stringify(cases, null, 2)}\n`);
  });

  test('sees the same in a whole schema', async () => {
    assert.ok((await compareFiles(archive)) > 20);
  });

  test('sees the same in real schemas', { skip: skipCorpora() }, async () => {
    let changes = 0;
    for (const pair of pairs(corpora ?? '')) changes += await compareFiles(pair);
    assert.ok(changes > 1000, `${changes}`);
  });

  test('sees the same in years of one schema', { skip: skipCorpora() }, async () => {
    const [before, after] = ['030-2018-04-04', '451-2024-02-08'].map((name) => join(corpora ?? '', 'github', `${name}.graphql`));
    await compareFiles({ name: 'GitHub, 2018 and 2024', before, after });
  });

  test('sees the same in generated schemas', async () => {
    console.error(`IG_SEED=${SEED}`);
    const next = random(SEED);
    const kinds = new Set();
    for (let pair = 0; pair < PAIRS; pair++) {
      const [before, after] = [generate(next), generate(next)];
      const theirs = await compare(before, after, `IG_SEED=${SEED}, pair ${pair}:\n${before}\n---\n${after}`);
      for (const change of theirs) kinds.add(change.type);
    }
    // A generator that makes too little would prove too little.
    if (PAIRS >= 150) assert.ok(kinds.size > 70, `${kinds.size} kinds`);
  });
});
