// @ts-check
// The changes that `@graphql-inspector/core` sees, to compare ours with.

import { diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

/**
 * @typedef {{ type: string, path?: string, message: string, meta: unknown, criticality: { level: string, reason?: string } }} Change
 */

/**
 * @param {string} before SDL.
 * @param {string} after SDL.
 * @returns {Promise<Change[]>}
 */
export async function inspect(before, after) {
  const options = { assumeValidSDL: true };
  return /** @type {any} */ (await diff(buildSchema(before, options), buildSchema(after, options)));
}

/** @param {any} value @returns {any} */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, member]) => [name, sorted(member)]));
}

/**
 * Changes as lines in an order that says nothing: each with all that
 * graphql-inspector knows of it.
 *
 * @param {Change[]} changes
 */
export function lines(changes) {
  const whole = changes.map(({ type, path, message, meta, criticality: { level, reason } }) =>
    JSON.stringify(sorted({ type, path, message, meta, criticality: { level, reason } })),
  );
  return whole.sort();
}

/**
 * Changes as the set of (type, path, criticality).
 *
 * @param {Change[]} changes
 */
export const triples = (changes) =>
  [...new Set(changes.map(({ type, path, criticality }) => `${type} ${path ?? '-'} ${criticality.level}`))].sort();

/**
 * Whether graphql-inspector does not see the change: a default that was an
 * empty list and is an empty object is the same to it.
 *
 * @param {Change} change
 */
export function isUnseen({ type, meta }) {
  if (!type.includes('DEFAULT')) return false;
  const values = Object.entries(/** @type {any} */ (meta)).filter(([name]) => /^(old|new).*Default.*Value$/.test(name));
  return values.map(([, value]) => value).sort().join() === '[],{}';
}
