// @ts-check
// One request to a gateway: a read, a write, or a subscription with all of its events.

import { check } from 'k6';
import http from 'k6/http';

/** Ids of the catalogue's operations, by their names. */
const manifest = JSON.parse(open('../../persisted-queries/manifest.json'));

/** Where the gateway is, and who asks. */
const GATEWAY = __ENV.GATEWAY ?? 'http://127.0.0.1:10000';
const TOKEN = __ENV.TOKEN ?? '';

const SHARES = { write: 0.15, subscription: 0.05 };

/** @param {string} name @returns {string} */
function idOf(name) {
  const found = manifest.operations.find((/** @type {{ name: string }} */ one) => one.name === name);
  if (!found) throw new Error(`the catalogue has no ${name}`);
  return found.id;
}

const ASSET = { caseId: 'case-1', label: 'a', retention: 'short-30d' };

const PATHS = {
  read: { documentId: idOf('CaseById'), variables: { id: 'case-1' } },
  write: { documentId: idOf('CreateAsset'), variables: { input: ASSET } },
  subscription: { documentId: idOf('CaseEvents'), variables: { caseId: 'case-1' } },
};

/** @returns {keyof typeof PATHS} */
function anyPath() {
  const drawn = Math.random();
  if (drawn < SHARES.write) return 'write';
  if (drawn < SHARES.write + SHARES.subscription) return 'subscription';
  return 'read';
}

/** Sends a request, and looks at what is answered. */
export function request() {
  const path = anyPath();
  const answer = http.post(`${GATEWAY}/graphql`, JSON.stringify(PATHS[path]), {
    headers: {
      'content-type': 'application/json',
      accept: path === 'subscription' ? 'text/event-stream' : 'application/json',
      authorization: `Bearer ${TOKEN}`,
      'x-ig-purpose': 'investigation',
    },
    tags: { path },
    timeout: '30s',
  });
  check(
    answer,
    {
      'is served': ({ status }) => status === 200,
      'has data': ({ body }) => typeof body === 'string' && body.includes('"data"'),
      'has a decision': ({ headers }) => headers['X-Ig-Decision-Id'] !== undefined,
    },
    { path },
  );
}
