// @ts-check
// urql with its persisted exchange, in front of two upstreams. urql sends the
// text again where an error's message is `PersistedQueryNotFound`.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import { Client, cacheExchange, fetchExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';

import { ADD_ASSET, CASE_WITH_ASSETS, RECENT_CASES } from '../client/operations.js';
import { ADD_ASSETS, ONE_ASSET } from '../client/unreleased.js';
import { assertDecision, assertDeny, assertNoText, assertOnly, carriesText } from '../lib/assert.js';
import { analystHeaders, startGateway } from '../lib/gateway.js';
import { sha256, urqlManifest, urqlText, writeCatalogue } from '../lib/manifest.js';
import { startRecorder } from '../lib/recorder.js';
import { skip } from '../lib/tools.js';
import { startApolloServer, startDemo } from '../lib/upstreams.js';

/** @typedef {Parameters<typeof persistedExchange>[0]} PersistedOptions */

/** @type {Record<string, string>} */
let headers;

before(async () => {
  if (skip) return;
  // Apollo Server takes no GET without a content type, for fear of CSRF, but
  // with this; the guard has to let it through.
  headers = { ...(await analystHeaders()), 'apollo-require-preflight': 'true' };
});

/**
 * @param {string} url
 * @param {PersistedOptions} options
 * @param {Record<string, string>} [own]
 */
function client(url, options, own = headers) {
  // Its own hash needs a global `require`, which modules of Node do not have.
  const persisted = persistedExchange({ generateHash: async (text) => sha256(text), ...options });
  return new Client({
    url,
    fetchOptions: { headers: own },
    preferGetMethod: false,
    requestPolicy: 'network-only',
    exchanges: [cacheExchange, persisted, fetchExchange],
  });
}

const input = { caseId: 'case-2', label: 'Ledger', retention: 'short-30d' };

for (const [name, startUpstream] of /** @type {const} */ ([
  ['the demo upstream', startDemo],
  ['Apollo Server', startApolloServer],
])) {
  describe(`urql, ${name}`, { skip }, () => {
    /** @type {import('../lib/upstreams.js').Upstream} */
    let upstream;
    /** @type {import('../lib/recorder.js').Recorder} */
    let behind;
    /** @type {import('../lib/gateway.js').Gateway} */
    let gateway;
    /** @type {import('../lib/recorder.js').Recorder} */
    let wire;

    before(async () => {
      upstream = await startUpstream();
      behind = await startRecorder(upstream);
      gateway = await startGateway(behind, { catalogues: [writeCatalogue(urqlManifest(), 'urql')] });
      wire = await startRecorder(gateway);
    });
    after(async () => {
      for (const one of [wire, gateway, behind, upstream]) await one?.close();
    });
    // What a failed test left is not the next one's.
    beforeEach(() => {
      wire.take();
      behind.take();
    });

    for (const enforcePersistedQueries of [false, true]) {
      for (const preferGetForPersistedQueries of /** @type {const} */ ([false, true, 'force'])) {
        const method = preferGetForPersistedQueries ? 'GET' : 'POST';
        const options = { enforcePersistedQueries, preferGetForPersistedQueries, enableForMutation: true };
        const how = `enforced ${enforcePersistedQueries}, GET ${preferGetForPersistedQueries}`;

        test(`query, ${how}`, async () => {
          const { data, error } = await client(wire.url, options).query(CASE_WITH_ASSETS, {
            id: 'case-1',
            first: 1,
          });
          assert.equal(error, undefined);
          assert.equal(data.case.title, 'Harbour shipments');
          const sent = assertOnly(wire.take(), { method, status: 200 });
          await assertDecision(gateway, sent, { outcome: 'allow', operation: 'CaseWithAssets' });
          const [received, ...more] = behind.take();
          assert.deepEqual([received?.method, more.length], [method, 0]);
          const url = new URL(received.url, 'http://upstream').searchParams;
          const query = method === 'GET' ? url.get('query') : JSON.parse(received.body).query;
          assert.equal(query, urqlText(CASE_WITH_ASSETS));
        });

        test(`mutation, ${how}`, async () => {
          const { data, error } = await client(wire.url, options).mutation(ADD_ASSET, { input });
          assert.equal(error, undefined);
          assert.equal(data.createAsset.label, 'Ledger');
          assertOnly(wire.take(), { method: 'POST', status: 200 });
        });

        test(`unknown query, ${how}: refused, and no text`, async () => {
          const { error } = await client(wire.url, options).query(ONE_ASSET, { id: 'asset-1' });
          assert.deepEqual(codesOf(error), ['PERSISTED_QUERY_NOT_IN_LIST']);
          const sent = assertOnly(wire.take(), { method, status: 404 });
          assertDeny(sent, 'PERSISTED_QUERY_NOT_IN_LIST');
          await assertDecision(gateway, sent, { outcome: 'deny', code: 'PERSISTED_QUERY_NOT_IN_LIST' });
          assert.deepEqual(behind.take(), []);
        });

        test(`unknown mutation, ${how}: refused, and no text`, async () => {
          const { error } = await client(wire.url, options).mutation(ADD_ASSETS, { inputs: [input] });
          assert.deepEqual(codesOf(error), ['PERSISTED_QUERY_NOT_IN_LIST']);
          assertDeny(assertOnly(wire.take(), { method: 'POST', status: 404 }), 'PERSISTED_QUERY_NOT_IN_LIST');
          assert.deepEqual(behind.take(), []);
        });

        test(`no token, ${how}: refused, and no text`, async () => {
          const { error } = await client(wire.url, options, {}).query(RECENT_CASES, {});
          assert.deepEqual(codesOf(error), ['UNAUTHENTICATED']);
          assertDeny(assertOnly(wire.take(), { method, status: 401 }), 'UNAUTHENTICATED');
          assert.deepEqual(behind.take(), []);
        });
      }
    }

    test('GET without a preflight header: the CSRF rule of the upstream decides', async () => {
      const { 'apollo-require-preflight': _, ...own } = headers;
      const options = { preferGetForPersistedQueries: /** @type {const} */ (true) };
      const { data, error } = await client(wire.url, options, own).query(RECENT_CASES, {});
      if (startUpstream === startApolloServer) {
        assert.match(error?.graphQLErrors[0].message ?? '', /CSRF/);
        assertOnly(wire.take(), { method: 'GET', status: 400 });
      } else {
        assert.equal(data.cases.length, 2);
        assertOnly(wire.take(), { method: 'GET', status: 200 });
      }
    });

    test('mutation without enableForMutation: its text is refused', async () => {
      const { error } = await client(wire.url, {}).mutation(ADD_ASSET, { input });
      assert.deepEqual(codesOf(error), ['PERSISTED_QUERY_ID_REQUIRED']);
      const [sent, ...more] = wire.take();
      assert.deepEqual([sent.method, sent.status, more.length], ['POST', 400, 0]);
      assertDeny(sent, 'PERSISTED_QUERY_ID_REQUIRED');
      assert.deepEqual(behind.take(), []);
    });
  });
}

describe('urql without the guard', { skip }, () => {
  test('sends the text on a miss, and the recorder sees it', async () => {
    const upstream = await startApolloServer();
    const wire = await startRecorder(upstream);
    try {
      const own = { 'x-ig-tenant': 'alpha' };
      const options = { preferGetForPersistedQueries: /** @type {const} */ (false) };
      await client(wire.url, options, own).query(RECENT_CASES, {});
      const [first, second, ...more] = wire.take();
      assertNoText([first]);
      assert.ok(carriesText(second));
      assert.equal(more.length, 0);
    } finally {
      await wire.close();
      await upstream.close();
    }
  });
});

/** @param {import('@urql/core').CombinedError | undefined} error */
function codesOf(error) {
  return error?.graphQLErrors.map(({ extensions }) => extensions.code);
}
