// @ts-check
// Where programs are.

import { accessSync, constants } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the repository. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

/** @param {string} path */
export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} name */
export const built = (name) => ['debug', 'release'].map((profile) => join(ROOT, 'target', profile, name));

/**
 * What the environment names, or else the first candidate that is there.
 *
 * @param {string} variable
 * @param {string[]} candidates
 * @param {(path: string) => boolean} isUsable
 */
export function find(variable, candidates, isUsable) {
  const named = process.env[variable];
  return (named ? [resolve(named)] : candidates).find(isUsable);
}

/** The command line, where a test needs nothing else. */
export const ig = find('IG_BIN', built('ig'), isExecutable);

/** Why there are no tests of the command line alone; an error where `CI` is set. */
export function skipIg() {
  if (ig) return false;
  const message = 'missing tools:\n  ig: cargo build -p ig-cli, or set IG_BIN';
  if (process.env.CI) throw new Error(message);
  console.error(`SKIPPED: ${message}`);
  return `SKIPPED: ${message}`;
}
