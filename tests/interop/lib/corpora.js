// @ts-check
// Pairs of versions of real schemas. They are not part of the repository.

import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { ROOT } from './find.js';

const folder = resolve(process.env.IG_CORPORA ?? join(ROOT, '../shared/corpora'));

/** Their folder, if it is there. */
export const corpora = existsSync(folder) ? folder : undefined;

/**
 * Every pair, GitHub's and Linear's, each with its name.
 *
 * @param {string} root
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
