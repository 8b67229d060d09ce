// @ts-check
// Apollo Client 4 with persisted-query links, in front of two upstreams.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { BatchHttpLink } from '@apollo/client/link/batch-http';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import {
  createPersistedQueryManifestVerificationLink,
  generatePersistedQueryIdsFromManifest,
} from '@apollo/persisted-query-lists';

import { ADD_ASSET, CASE_WITH_ASSETS, RECENT_CASES } from '../client/operations.js';
import { ADD_ASSETS, ONE_ASSET } from '../client/unreleased.js';
import { assertDecision, assertDeny, assertNoText, assertOnly, carriesText } from '../lib/assert.js';
import { analystHeaders, startGateway } from '../lib/gateway.js';
import { apolloManifest, sha256, writeCatalogue } from '../lib/manifest.js';
import { startRecorder } from '../lib/recorder.js';
import { skip } from '../lib/tools.js';
import { startApolloServer, startDemo } from '../lib/upstreams.js';

/** @type {import('../lib/manifest.js').Manifest} */
let manifest;
/** @type {Record<string, string>} */
let headers;

before(async () => {
  if (skip) return;
  manifest = await apolloManifest();
  headers = await analystHeaders();
});

const persisted = (useGETForHashedQueries = false) =>
  new PersistedQueryLink({
    ...generatePersistedQueryIdsFromManifest({ loadManifest: () => manifest }),
    useGETForHashedQueries,
  });

/** As a client that knows of no list: APQ, which sends the text on a miss. */
const automatic = (useGETForHashedQueries = false) =>
  new PersistedQueryLink({ sha256, useGETForHashedQueries });

/** @param {ApolloLink[]} links */
function client(...links) {
  return new ApolloClient({
    link: ApolloLink.from(links),
    cache: new InMemoryCache(),
    defaultOptions: { query: { fetchPolicy: 'network-only' } },
  });
}

/**
 * A request that has to fail, and its one GraphQL error.
 *
 * @param {Promise<unknown>} request
 */
async function rejection(request) {
  const error = await request.then(
    () => assert.fail('the request was answered'),
    (reason) => reason,
  );
  assert.ok(CombinedGraphQLErrors.is(error), `${error}`);
  assert.equal(error.errors.length, 1);
  return /** @type {any} */ (error.errors[0]);
}

const input = { caseId: 'case-2', label: 'Ledger', retention: 'short-30d' };

for (const [name, startUpstream] of /** @type {const} */ ([
  ['the demo upstream', startDemo],
  ['Apollo Server', startApolloServer],
])) {
  describe(`Apollo Client, ${name}`, { skip }, () => {
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
      gateway = await startGateway(behind, { catalogues: [writeCatalogue(manifest, 'apollo')] });
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

    const http = (own = headers) => new HttpLink({ uri: wire.url, headers: own });

    for (const [method, byGet] of /** @type {const} */ ([
      ['POST', false],
      ['GET', true],
    ])) {
      test(`query by ${method}`, async () => {
        const verify = createPersistedQueryManifestVerificationLink({
          loadManifest: () => manifest,
          onVerificationFailed: ({ reason }) => assert.fail(reason),
        });
        // Its types are those of Apollo Client's other module format.
        const link = /** @type {ApolloLink} */ (/** @type {unknown} */ (verify));
        const { data } = await client(link, persisted(byGet), http()).query({
          query: CASE_WITH_ASSETS,
          variables: { id: 'case-1', first: 1 },
        });
        assert.equal(/** @type {any} */ (data).case.title, 'Harbour shipments');
        assert.deepEqual(
          /** @type {any} */ (data).case.assets.map((/** @type {any} */ asset) => asset.label),
          ['Harbour manifest'],
        );
        const sent = assertOnly(wire.take(), { method, status: 200 });
        await assertDecision(gateway, sent, { outcome: 'allow', operation: 'CaseWithAssets' });
        const [received, ...more] = behind.take();
        assert.deepEqual([received?.method, more.length], [method, 0]);
        // The text is the manifest's, and nothing is left by which the
        // upstream's own APQ could be asked.
        const params = method === 'GET' ? paramsOf(received.url) : JSON.parse(received.body);
        const known = manifest.operations.find((one) => one.name === 'CaseWithAssets');
        assert.equal(params.query, known?.body);
        assert.deepEqual(Object.keys(params).sort(), ['operationName', 'query', 'variables']);
        assert.equal(received.headers['x-ig-tenant'], 'alpha');
      });

      test(`default of a variable, by ${method}`, async () => {
        const { data } = await client(persisted(byGet), http()).query({ query: RECENT_CASES });
        assert.equal(/** @type {any} */ (data).cases.length, 2);
        assertOnly(wire.take(), { method, status: 200 });
      });

      test(`query by APQ whose hash is catalogued, by ${method}`, async () => {
        const { data } = await client(automatic(byGet), http()).query({ query: RECENT_CASES });
        assert.equal(/** @type {any} */ (data).cases.length, 2);
        assertOnly(wire.take(), { method, status: 200 });
      });

      for (const [how, link] of /** @type {const} */ ([
        ['by manifest', persisted],
        ['by APQ', automatic],
      ])) {
        test(`unknown query ${how}, by ${method}: refused, and no text`, async () => {
          const error = await rejection(
            client(link(byGet), http()).query({ query: ONE_ASSET, variables: { id: 'asset-1' } }),
          );
          assert.equal(error.extensions.code, 'PERSISTED_QUERY_NOT_IN_LIST');
          const sent = assertOnly(wire.take(), { method, status: 404 });
          assertDeny(sent, 'PERSISTED_QUERY_NOT_IN_LIST');
          await assertDecision(gateway, sent, { outcome: 'deny', code: 'PERSISTED_QUERY_NOT_IN_LIST' });
          assert.deepEqual(behind.take(), []);
        });

        test(`unknown mutation ${how}, queries by ${method}: refused, and no text`, async () => {
          const error = await rejection(
            client(link(byGet), http()).mutate({ mutation: ADD_ASSETS, variables: { inputs: [input] } }),
          );
          assert.equal(error.extensions.code, 'PERSISTED_QUERY_NOT_IN_LIST');
          assertDeny(assertOnly(wire.take(), { method: 'POST', status: 404 }), 'PERSISTED_QUERY_NOT_IN_LIST');
          assert.deepEqual(behind.take(), []);
        });
      }

      for (const [what, own, status, code] of /** @type {const} */ ([
        ['no token', () => ({}), 401, 'UNAUTHENTICATED'],
        ['no purpose', () => ({ authorization: headers.authorization }), 403, 'PURPOSE_REQUIRED'],
        ['a purpose not granted', () => ({ ...headers, 'x-ig-purpose': 'marketing' }), 403, 'PURPOSE_DENIED'],
      ])) {
        test(`${what}, by ${method}: ${code}, and no text`, async () => {
          const error = await rejection(
            client(persisted(byGet), http(/** @type {any} */ (own()))).query({ query: RECENT_CASES }),
          );
          assert.equal(error.extensions.code, code);
          assertDeny(assertOnly(wire.take(), { method, status }), code);
          assert.deepEqual(behind.take(), []);
        });
      }
    }

    test('mutation', async () => {
      const { data } = await client(persisted(true), http()).mutate({
        mutation: ADD_ASSET,
        variables: { input },
      });
      assert.equal(/** @type {any} */ (data).createAsset.label, 'Ledger');
      const sent = assertOnly(wire.take(), { method: 'POST', status: 200 });
      await assertDecision(gateway, sent, { outcome: 'allow', operation: 'AddAsset' });
    });

    test('mutation that policy denies', async () => {
      const error = await rejection(
        client(persisted(), http()).mutate({
          mutation: ADD_ASSET,
          variables: { input: { ...input, retention: 'forever' } },
        }),
      );
      assert.equal(error.extensions.rule, 'retention-too-long');
      assertDeny(assertOnly(wire.take(), { method: 'POST', status: 403 }), 'POLICY_DENIED');
      assert.deepEqual(behind.take(), []);
    });

    test('mutation by GET', async () => {
      const error = await rejection(
        client(persisted(), http()).mutate({
          mutation: ADD_ASSET,
          variables: { input },
          context: { fetchOptions: { method: 'GET' } },
        }),
      );
      assert.equal(error.extensions.code, 'MUTATION_FORBIDDEN');
      const sent = assertOnly(wire.take(), { method: 'GET', status: 405 });
      assertDeny(sent, 'MUTATION_FORBIDDEN');
      assert.equal(sent.answerHeaders.allow, 'POST');
      assert.deepEqual(behind.take(), []);
    });

    test('text without an id', async () => {
      const error = await rejection(client(http()).query({ query: RECENT_CASES }));
      assert.equal(error.extensions.code, 'PERSISTED_QUERY_ID_REQUIRED');
      const [sent, ...more] = wire.take();
      assert.deepEqual([sent.status, more.length], [400, 0]);
      assertDeny(sent, 'PERSISTED_QUERY_ID_REQUIRED');
      assert.deepEqual(behind.take(), []);
    });

    test('id and text', async () => {
      const both = new ApolloLink((operation, forward) => {
        operation.extensions.persistedQuery = { version: 1, sha256Hash: manifest.operations[0].id };
        operation.setContext({ http: { includeQuery: true, includeExtensions: true } });
        return forward(operation);
      });
      await rejection(client(both, http()).query({ query: RECENT_CASES }));
      const [sent, ...more] = wire.take();
      assert.deepEqual([sent.status, more.length], [400, 0]);
      assertDeny(sent, 'CANNOT_SEND_PQ_ID_AND_BODY');
      assert.deepEqual(behind.take(), []);
    });

    test('a batch while batches are off', async () => {
      const batch = new BatchHttpLink({ uri: wire.url, headers, batchMax: 2, batchInterval: 5_000 });
      const batching = client(persisted(), batch);
      const queries = [{ id: 'case-1' }, { id: 'case-2' }].map((variables) =>
        batching.query({ query: CASE_WITH_ASSETS, variables }).then(() => assert.fail(), String),
      );
      await Promise.all(queries);
      const sent = assertOnly(wire.take(), { method: 'POST', status: 400 });
      assert.ok(Array.isArray(JSON.parse(sent.body)));
      assertDeny(sent, 'BATCHING_NOT_ENABLED');
      assert.deepEqual(behind.take(), []);
    });
  });
}

describe('Apollo Client without the guard', { skip }, () => {
  test('sends the text on a miss, and the recorder sees it', async () => {
    const upstream = await startApolloServer();
    const wire = await startRecorder(upstream);
    try {
      const uri = wire.url;
      await client(automatic(), new HttpLink({ uri, headers: { 'x-ig-tenant': 'alpha' } })).query({
        query: RECENT_CASES,
      });
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

/** @param {string} url */
function paramsOf(url) {
  return Object.fromEntries(new URL(url, 'http://upstream').searchParams);
}
