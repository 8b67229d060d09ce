// @ts-check
// Pairs of versions of schemas: one of this repository, and real ones, which
// are not part of it, where `IG_CORPORA` says.

import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { ROOT } from './find.js';

/** @typedef {{ name: string, before: string, after: string }} Pair A name, and paths of files. */

const ARCHIVE = join(ROOT, 'control-plane/schema-diff/tests/data');

/** The pair that was written for tests. @type {Pair} */
export const archive = {
  name: 'archive',
  before: join(ARCHIVE, 'before.schema.graphql'),
  after: join(ARCHIVE, 'after.schema.graphql'),
};

/** The folder of real schemas, if there is one. */
export const corpora = process.env.IG_CORPORA ? resolve(process.env.IG_CORPORA) : undefined;
if (corpora && !existsSync(corpora)) throw new Error(`IG_CORPORA: no folder ${corpora}`);

/** Why there are no tests on real schemas; said aloud, in CI above all. */
export function skipCorpora() {
  if (corpora) return false;
  const message = 'SKIPPED: no real schemas; set IG_CORPORA';
  console.error(message);
  if (process.env.GITHUB_ACTIONS) console.error(`::warning title=Not tested::${message}`);
  return message;
}

/**
 * Every real pair, GitHub's and Linear's.
 *
 * @param {string} root
 * @returns {Pair[]}
 */
export function pairs(root) {
  const github = readdirSync(join(root, 'github')).sort();
  const all = github.flatMap((file, at) => (at % 2 ? [[join('github', github[at - 1]), join('github', file)]] : []));
  all.push(['linear/2026-06-10.schema.graphql', 'linear/2026-07-22.schema.graphql']);
  return all.map(([before, after]) => ({
    name: `${before} → ${after}`,
    before: join(root, before),
    after: join(root, after),
  }));
}
