// @ts-check
// One request to a gateway: a read, a write, or a subscription with all of its events,
// over SSE or over a WebSocket.

import { check } from 'k6';
import http from 'k6/http';

import { subscribe } from './socket.js';

/** Ids of the catalogue's operations, by their names. */
const manifest = JSON.parse(open('../../persisted-queries/manifest.json'));

/** Where the gateway is, and who asks. */
const GATEWAY = __ENV.GATEWAY ?? 'http://127.0.0.1:10000';
const TOKEN = __ENV.TOKEN ?? '';

const SHARES = { write: 0.15, subscription: 0.05, websocket: 0.05 };

/** @param {string} name @returns {string} */
function idOf(name) {
  const found = manifest.operations.find((/** @type {{ name: string }} */ one) => one.name === name);
  if (!found) throw new Error(`the catalogue has no ${name}`);
  return found.id;
}

const ASSET = { caseId: 'case-1', label: 'a', retention: 'short-30d' };

const EVENTS = { documentId: idOf('CaseEvents'), variables: { caseId: 'case-1' } };

const PATHS = {
  read: { documentId: idOf('CaseById'), variables: { id: 'case-1' } },
  write: { documentId: idOf('CreateAsset'), variables: { input: ASSET } },
  subscription: EVENTS,
  websocket: EVENTS,
};

/** @returns {keyof typeof PATHS} */
function anyPath() {
  let drawn = Math.random();
  for (const [path, share] of Object.entries(SHARES)) {
    if (drawn < share) return /** @type {keyof typeof SHARES} */ (path);
    drawn -= share;
  }
  return 'read';
}

/** Sends a request, and looks at what is answered. */
export function request() {
  const path = anyPath();
  const who = { authorization: `Bearer ${TOKEN}`, 'x-ig-purpose': 'investigation' };
  if (path === 'websocket') {
    subscribe(`${GATEWAY.replace(/^http/, 'ws')}/graphql`, who, PATHS[path]);
    return;
  }
  const answer = http.post(`${GATEWAY}/graphql`, JSON.stringify(PATHS[path]), {
    headers: {
      'content-type': 'application/json',
      accept: path === 'subscription' ? 'text/event-stream' : 'application/json',
      ...who,
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
