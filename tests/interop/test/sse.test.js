// @ts-check
// Subscriptions over server-sent events, one connection each, with graphql-sse.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import { createClient } from 'graphql-sse';

import { WATCH_CASE } from '../client/operations.js';
import { WATCH_CASE_KINDS } from '../client/unreleased.js';
import { assertDecision, assertDeny, assertNoText, assertOnly } from '../lib/assert.js';
import { analystHeaders, startGateway } from '../lib/gateway.js';
import { sha256, urqlManifest, urqlText, writeCatalogue } from '../lib/manifest.js';
import { startRecorder } from '../lib/recorder.js';
import { skip } from '../lib/tools.js';
import { startDemo } from '../lib/upstreams.js';

describe('graphql-sse, the demo upstream', { skip }, () => {
  /** @type {import('../lib/upstreams.js').Upstream} */
  let upstream;
  /** @type {import('../lib/recorder.js').Recorder} */
  let behind;
  /** @type {import('../lib/gateway.js').Gateway} */
  let gateway;
  /** @type {import('../lib/recorder.js').Recorder} */
  let wire;
  /** @type {Record<string, string>} */
  let headers;

  before(async () => {
    headers = await analystHeaders();
    upstream = await startDemo();
    behind = await startRecorder(upstream);
    gateway = await startGateway(behind, { catalogues: [writeCatalogue(urqlManifest(), 'sse')] });
    wire = await startRecorder(gateway);
  });
  after(async () => {
    for (const one of [wire, gateway, behind, upstream]) await one?.close();
  });
  beforeEach(() => {
    wire.take();
    behind.take();
  });

  /** @param {Record<string, string>} [own] */
  const sse = (own = headers) => createClient({ url: wire.url, headers: own, retryAttempts: 0 });

  /**
   * A request by id. The client's type demands a text, and its JSON leaves out
   * what is undefined.
   *
   * @param {import('graphql').DocumentNode} document
   * @param {Record<string, unknown>} variables
   */
  const byId = (document, variables) => ({
    query: /** @type {string} */ (/** @type {unknown} */ (undefined)),
    variables,
    extensions: { persistedQuery: { version: 1, sha256Hash: sha256(urqlText(document)) } },
  });

  /**
   * What a subscription brings, until its end.
   *
   * @param {import('graphql-sse').Client<any>} client
   * @param {ReturnType<typeof byId>} request
   */
  async function collect(client, request) {
    /** @type {{ at: number, data: any }[]} */
    const events = [];
    for await (const { data, errors } of client.iterate(request)) {
      assert.equal(errors, undefined);
      events.push({ at: performance.now(), data });
    }
    return events;
  }

  test('events arrive one by one, and the stream completes', async () => {
    const count = 5;
    const events = await collect(sse(), byId(WATCH_CASE, { caseId: 'case-1', count }));
    assert.deepEqual(
      events.map(({ data }) => data.caseEvents.sequence),
      [1, 2, 3, 4, 5],
    );
    const sent = assertOnly(wire.take(), { method: 'POST', status: 200 });
    assert.match(sent.answerHeaders['content-type'] ?? '', /^text\/event-stream/);
    assert.match(sent.answer.map(({ text }) => text).join(''), /event: complete/);
    await assertDecision(gateway, sent, { outcome: 'allow', operation: 'WatchCase' });

    // Each event reached the client before the upstream sent the one after.
    const [{ answer }] = behind.take();
    const left = answer.filter(({ text }) => text.includes('event: next')).map(({ at }) => at);
    assert.equal(left.length, count, 'the upstream sent events singly');
    for (const [index, { at }] of events.slice(0, -1).entries()) {
      assert.ok(at < left[index + 1], `event ${index + 1} came ${at - left[index]} ms after it was sent`);
    }
  });

  test('by documentId', async () => {
    const { extensions, ...rest } = byId(WATCH_CASE, { caseId: 'case-1', count: 1 });
    const documentId = `sha256:${extensions.persistedQuery.sha256Hash}`;
    const events = await collect(sse(), /** @type {any} */ ({ ...rest, documentId }));
    assert.equal(events.length, 1);
    assertOnly(wire.take(), { method: 'POST', status: 200 });
  });

  test('a client that leaves ends the stream at the upstream', async () => {
    const events = sse().iterate(byId(WATCH_CASE, { caseId: 'case-1', count: 100 }));
    await events.next();
    await events.return?.(undefined);
    await new Promise((resolve) => setTimeout(resolve, 400));
    const [{ answer }] = behind.take();
    const before = answer.length;
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.equal(answer.length, before, 'nothing is sent any more');
  });

  for (const [what, request, own, status, code] of /** @type {const} */ ([
    [
      'an unlisted subscription',
      () => byId(WATCH_CASE_KINDS, { caseId: 'case-1' }),
      () => headers,
      404,
      'PERSISTED_QUERY_NOT_IN_LIST',
    ],
    ['no token', () => byId(WATCH_CASE, { caseId: 'case-1' }), () => ({}), 401, 'UNAUTHENTICATED'],
    [
      'no purpose',
      () => byId(WATCH_CASE, { caseId: 'case-1' }),
      () => ({ authorization: headers.authorization }),
      403,
      'PURPOSE_REQUIRED',
    ],
  ])) {
    test(`${what}: ${code}`, async () => {
      await assert.rejects(collect(sse(/** @type {any} */ (own())), request()), new RegExp(`${status}`));
      const exchanges = wire.take();
      assertNoText(exchanges);
      assertDeny(assertOnly(exchanges, { method: 'POST', status }), code);
      assert.deepEqual(behind.take(), []);
    });
  }

  test('the text, as the client sends it by default: refused', async () => {
    const request = { query: urqlText(WATCH_CASE), variables: { caseId: 'case-1' } };
    await assert.rejects(collect(sse(), /** @type {any} */ (request)), /400/);
    const [sent, ...more] = wire.take();
    assert.deepEqual([sent.status, more.length], [400, 0]);
    assertDeny(sent, 'PERSISTED_QUERY_ID_REQUIRED');
    assert.deepEqual(behind.take(), []);
  });

  test('single connection mode: its PUT is refused', async () => {
    const single = createClient({ url: wire.url, headers, retryAttempts: 0, singleConnection: true });
    await assert.rejects(collect(single, byId(WATCH_CASE, { caseId: 'case-1' })), /405/);
    const [sent] = wire.take();
    assert.deepEqual([sent.method, sent.status], ['PUT', 405]);
    assertDeny(sent, 'METHOD_NOT_ALLOWED');
    assert.deepEqual(behind.take(), []);
  });
});
