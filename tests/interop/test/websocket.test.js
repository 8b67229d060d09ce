// @ts-check
// Subscriptions over WebSocket with graphql-ws, client and server.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { buildSchema } from 'graphql';
import { createClient } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import WebSocket, { WebSocketServer } from 'ws';

import { WATCH_CASE } from '../client/operations.js';
import { typeDefs } from '../lib/domain.js';
import { DEMO_CONFIG, analystHeaders, startGateway } from '../lib/gateway.js';
import { sha256, urqlManifest, urqlText, writeCatalogue } from '../lib/manifest.js';
import { folder } from '../lib/process.js';
import { skip } from '../lib/tools.js';
import { startDemo } from '../lib/upstreams.js';

const TRANSPORT = 'graphql-transport-ws';
const AD_HOC = 'subscription { caseEvents(caseId: "case-1") { kind } }';
/** A release that is not in the catalogue, and one that is. */
const ID = sha256(urqlText(WATCH_CASE));
const UNKNOWN = sha256('subscription Unknown { caseEvents(caseId: "1") { kind } }');

/** graphql-ws's own server over `ws`; `seen` are the payloads of what it was asked. */
async function startGraphqlWs() {
  /** @type {any[]} */
  const seen = [];
  async function* caseEvents(/** @type {any} */ { caseId, count }) {
    for (let sequence = 1; sequence <= count; sequence++) {
      yield { caseEvents: { caseId, sequence, kind: 'updated' } };
    }
  }
  const http = createServer();
  const sockets = new WebSocketServer({ server: http, path: '/graphql', perMessageDeflate: true });
  const server = useServer(
    {
      schema: buildSchema(typeDefs),
      roots: { subscription: /** @type {any} */ ({ caseEvents }) },
      onSubscribe: (_, __, payload) => void seen.push(payload),
    },
    sockets,
  );
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (http.address());
  const close = async () => {
    await server.dispose();
    http.closeAllConnections();
    http.close();
  };
  return { host: '127.0.0.1', port, url: `http://127.0.0.1:${port}/graphql`, close, seen };
}

/** The demo's configuration with WebSockets let in. */
function config() {
  const path = join(folder, 'websocket.toml');
  const demo = readFileSync(DEMO_CONFIG, 'utf8');
  writeFileSync(path, demo.includes('[subscriptions]') ? demo : `${demo}\n[subscriptions]\n`);
  return path;
}

/** @type {[string, () => Promise<any>][]} */
const upstreams = [
  ['graphql-ws', startGraphqlWs],
  ['the demo upstream', startDemo],
];
for (const [name, startUpstream] of upstreams) {
  describe(`graphql-ws to ${name}`, { skip }, () => {
    /** @type {any} */
    let upstream;
    /** @type {import('../lib/gateway.js').Gateway} */
    let gateway;
    /** @type {Record<string, string>} */
    let headers;

    before(async () => {
      headers = await analystHeaders();
      upstream = await startUpstream();
      const catalogues = [writeCatalogue(urqlManifest(), 'websocket')];
      gateway = await startGateway(upstream, { catalogues, config: config() });
    });
    after(async () => {
      for (const one of [gateway, upstream]) await one?.close();
    });

    const url = () => gateway.url.replace('http:', 'ws:');

    /** @param {Record<string, unknown>} [options] */
    const client = (options = {}) =>
      createClient({
        url: url(),
        retryAttempts: 0,
        webSocketImpl: class extends WebSocket {
          constructor(/** @type {string} */ to, /** @type {string} */ protocol) {
            super(to, protocol, { headers, perMessageDeflate: true });
          }
        },
        ...options,
      });

    // The client demands a text; the empty one is none.
    /** @param {any} request */
    const byId = (request) => ({ query: '', ...request });

    /**
     * @param {import('graphql-ws').Client} from
     * @param {any} request
     */
    async function collect(from, request) {
      const results = [];
      for await (const result of from.iterate(request)) results.push(result);
      return results;
    }

    test('a catalogued subscription runs to its end', async () => {
      const one = client();
      const variables = { caseId: 'case-1', count: 3 };
      for (const carrier of [
        { documentId: `sha256:${ID}` },
        { extensions: { persistedQuery: { version: 1, sha256Hash: ID } } },
      ]) {
        const results = await collect(one, byId({ ...carrier, variables }));
        assert.deepEqual(
          results.map(({ data }) => /** @type {any} */ (data).caseEvents.sequence),
          [1, 2, 3],
        );
      }
      await one.dispose();
    });

    test('many at a time on one connection', async () => {
      const one = client();
      const variables = { caseId: 'case-1', count: 2 };
      const all = Array.from({ length: 20 }, () => collect(one, byId({ documentId: `sha256:${ID}`, variables })));
      for (const results of await Promise.all(all)) assert.equal(results.length, 2);
      await one.dispose();
    });

    test('what is not catalogued gets the code that it has over HTTP', async () => {
      const one = client();
      for (const [request, code] of [
        [{ query: AD_HOC }, 'PERSISTED_QUERY_ID_REQUIRED'],
        [byId({ documentId: `sha256:${UNKNOWN}` }), 'PERSISTED_QUERY_NOT_IN_LIST'],
        [{ query: AD_HOC, documentId: `sha256:${ID}` }, 'CANNOT_SEND_PQ_ID_AND_BODY'],
      ]) {
        const answer = await fetch(gateway.url, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body: JSON.stringify(request),
        });
        const [error] = (await answer.json()).errors;
        assert.equal(error.extensions.code, code);
        await assert.rejects(collect(one, request), (/** @type {any} */ errors) => {
          assert.equal(errors[0].extensions.code, code);
          return true;
        });
      }
      // The connection lives.
      const variables = { caseId: 'case-1', count: 1 };
      const results = await collect(one, byId({ documentId: `sha256:${ID}`, variables }));
      assert.equal(results.length, 1);
      await one.dispose();
    });

    test('the purpose may come with connection_init', async () => {
      const { authorization } = headers;
      class Bare extends WebSocket {
        constructor(/** @type {string} */ to, /** @type {string} */ protocol) {
          super(to, protocol, { headers: { authorization } });
        }
      }
      const request = byId({ documentId: `sha256:${ID}`, variables: { caseId: 'case-1', count: 1 } });
      const without = client({ webSocketImpl: Bare });
      await assert.rejects(collect(without, request), (/** @type {any} */ errors) => {
        assert.equal(errors[0].extensions.code, 'PURPOSE_REQUIRED');
        return true;
      });
      await without.dispose();
      const connectionParams = { 'x-ig-purpose': 'investigation' };
      const one = client({ webSocketImpl: Bare, connectionParams });
      assert.equal((await collect(one, request)).length, 1);
      await one.dispose();
    });

    test('an ad-hoc subscribe byte by byte, compressed by nobody', async () => {
      const socket = new WebSocket(url(), TRANSPORT, { headers, perMessageDeflate: true });
      await once(socket, 'open');
      assert.equal(socket.extensions, '');
      socket.send(JSON.stringify({ type: 'connection_init' }));
      await once(socket, 'message');
      const text = JSON.stringify({ id: '1', type: 'subscribe', payload: { query: AD_HOC } });
      for (let at = 0; at < text.length; at++) socket.send(text[at], { fin: at === text.length - 1 });
      const [message] = await once(socket, 'message');
      const answer = JSON.parse(message.toString());
      assert.deepEqual([answer.id, answer.type], ['1', 'error']);
      assert.equal(answer.payload[0].extensions.code, 'PERSISTED_QUERY_ID_REQUIRED');
      socket.close();
      await once(socket, 'close');
    });

    test('what breaks the protocol ends with its code', async () => {
      /** @type {[string, boolean, (socket: WebSocket) => void, number][]} */
      const cases = [
        ['compressed', true, (socket) => void raw(socket).write(Buffer.from('c18401020304', 'hex')), 1002],
        ['unmasked', true, (socket) => void raw(socket).write(Buffer.from('8103616263', 'hex')), 1002],
        ['no UTF-8', true, (socket) => void socket.send(Buffer.from([0xff]), { binary: false }), 1007],
        ['binary', true, (socket) => void socket.send(Buffer.from('{}')), 1003],
        ['no message', true, (socket) => void socket.send('[]'), 4400],
        ['init twice', true, (socket) => void socket.send('{"type":"connection_init"}'), 4429],
        ['before init', false, (socket) => void socket.send(adHoc()), 4401],
        ['before the acknowledgement', false, (socket) => {
          socket.send('{"type":"connection_init"}');
          socket.send(adHoc());
        }, 4401],
      ];
      const raw = (/** @type {any} */ socket) => socket._socket;
      const adHoc = () => JSON.stringify({ id: '1', type: 'subscribe', payload: { query: AD_HOC } });
      for (const [name, isAcknowledged, act, code] of cases) {
        const socket = new WebSocket(url(), TRANSPORT, { headers, perMessageDeflate: false });
        await once(socket, 'open');
        if (isAcknowledged) {
          socket.send(JSON.stringify({ type: 'connection_init' }));
          await once(socket, 'message');
        }
        const closed = once(socket, 'close');
        act(socket);
        const [got] = await closed;
        assert.equal(got, code, name);
      }
    });

    test('a handshake that is not one for GraphQL is refused', async () => {
      /** @type {[string | undefined, Record<string, string>, number][]} */
      const cases = [
        [undefined, headers, 403],
        ['chat', headers, 403],
        [TRANSPORT, {}, 401],
      ];
      for (const [protocol, own, status] of cases) {
        const socket = new WebSocket(url(), protocol ?? [], { headers: own });
        const [, answer] = await once(socket, 'unexpected-response');
        assert.equal(answer.statusCode, status, protocol);
        socket.on('error', () => {});
        socket.terminate();
      }
    });

    test('no text of a client reached the upstream', () => {
      for (const { query } of upstream.seen ?? []) assert.match(query, /^subscription WatchCase/);
    });
  });
}
