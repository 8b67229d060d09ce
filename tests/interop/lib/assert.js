// @ts-check
// What the tests say about exchanges on the wire.

import assert from 'node:assert/strict';

import { Kind, print } from 'graphql';

import * as released from '../client/operations.js';
import * as unreleased from '../client/unreleased.js';

/** @typedef {import('./recorder.js').Exchange} Exchange */

/** Root fields with their arguments, as no operation can be written without. */
const MARKERS = [...Object.values(released), ...Object.values(unreleased)].flatMap((document) =>
  document.definitions.flatMap((definition) =>
    definition.kind === Kind.OPERATION_DEFINITION
      ? definition.selectionSet.selections.map((field) => {
          const bare = /** @type {import('graphql').ASTNode} */ ({ ...field, selectionSet: undefined });
          return squeeze(print(bare));
        })
      : [],
  ),
);

/** @param {string} text */
function squeeze(text) {
  return text.replace(/\\[nrt]|\\u000[9ad]|[\s,+]/gi, '');
}

/** @param {string} text */
function decodeUrl(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Whether a request carries a GraphQL text: as `query`, or the wording of any
 * operation of the client anywhere in its URL or body.
 *
 * @param {Exchange} exchange
 */
export function carriesText({ url, body }) {
  const everything = squeeze(decodeUrl(decodeUrl(url.replaceAll('+', ' '))) + decodeUrl(body));
  if (MARKERS.some((marker) => everything.includes(marker))) return true;
  if (new URL(url, 'http://gateway').searchParams.get('query')) return true;
  const items = body ? [JSON.parse(body)].flat() : [];
  return items.some((item) => Boolean(item.query));
}

/** @param {Exchange[]} exchanges */
export function assertNoText(exchanges) {
  assert.notEqual(exchanges.length, 0, 'something was sent');
  for (const exchange of exchanges) {
    assert.equal(carriesText(exchange), false, `a text was sent: ${exchange.url} ${exchange.body}`);
  }
}

/**
 * The only exchange, which carried no text, with this method and status.
 *
 * @param {Exchange[]} exchanges
 * @param {{ method: string, status: number }} expected
 */
export function assertOnly(exchanges, { method, status }) {
  assertNoText(exchanges);
  const seen = exchanges.map((exchange) => [exchange.method, exchange.status]);
  assert.deepEqual(seen, [[method, status]]);
  return /** @type {Exchange} */ (exchanges[0]);
}

/**
 * A deny as the guard words it: one error with code, rule and decision id,
 * that no cache keeps, and that no client takes as a reason to send the text.
 *
 * @param {Exchange} exchange
 * @param {string} code
 */
export function assertDeny(exchange, code) {
  const { data, errors } = exchange.answerJson;
  assert.equal(data, undefined);
  assert.equal(errors.length, 1);
  assert.equal(errors[0].extensions.code, code);
  assert.equal(errors[0].extensions.decisionId, exchange.answerHeaders['x-ig-decision-id']);
  assert.match(errors[0].extensions.rule, /^[a-z-]+$/);
  assert.doesNotMatch(errors[0].message, /PersistedQueryNot/);
  assert.equal(exchange.answerHeaders['cache-control'], 'private, no-cache, must-revalidate');
}

/**
 * What the access log says of the request: one record with this outcome.
 *
 * @param {import('./gateway.js').Gateway} gateway
 * @param {Exchange} exchange
 * @param {{ outcome: string, code?: string | null, operation?: string | null }} expected
 */
export async function assertDecision(gateway, exchange, { outcome, code = null, operation }) {
  const records = await gateway.decisions(exchange.answerHeaders['x-ig-decision-id']);
  assert.equal(records.length, 1);
  assert.equal(records[0].outcome, outcome);
  assert.equal(records[0].code, code);
  if (operation !== undefined) assert.equal(records[0].operation, operation);
}
