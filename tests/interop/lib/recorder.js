// @ts-check
// An HTTP proxy that records what passes: what a client says on the wire is
// proved here, not by what the client's library claims.

import { once } from 'node:events';
import { Agent, createServer, request as httpRequest } from 'node:http';

/**
 * @typedef {object} Exchange
 * @property {string} method
 * @property {string} url Path and query.
 * @property {import('node:http').IncomingHttpHeaders} headers
 * @property {string} body
 * @property {number} status 0 until the answer's head is there.
 * @property {import('node:http').IncomingHttpHeaders} answerHeaders
 * @property {{ at: number, text: string }[]} answer Chunks, as they came.
 * @property {any} answerJson What the answer's body says, where it is JSON.
 */

/**
 * Starts a recorder in front of `target`.
 *
 * @param {{ host: string, port: number }} target
 */
export async function startRecorder(target) {
  /** @type {Exchange[]} */
  let exchanges = [];
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, outgoing) => {
    /** @type {Exchange} */
    const exchange = {
      method: incoming.method ?? '',
      url: incoming.url ?? '',
      headers: incoming.headers,
      body: '',
      status: 0,
      answerHeaders: {},
      answer: [],
      get answerJson() {
        return JSON.parse(this.answer.map(({ text }) => text).join(''));
      },
    };
    exchanges.push(exchange);
    const { rawHeaders: headers, method, url: path } = incoming;
    const forward = httpRequest({ ...target, agent, method, path, headers, setHost: false });
    forward.on('response', (response) => {
      exchange.status = response.statusCode ?? 0;
      exchange.answerHeaders = response.headers;
      outgoing.writeHead(exchange.status, response.rawHeaders);
      outgoing.flushHeaders();
      response.on('data', (chunk) => exchange.answer.push({ at: performance.now(), text: `${chunk}` }));
      response.on('error', () => outgoing.destroy());
      response.pipe(outgoing);
    });
    forward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forward.destroy());
    incoming.setEncoding('utf8');
    incoming.on('data', (chunk) => {
      exchange.body += chunk;
      forward.write(chunk);
    });
    incoming.on('end', () => forward.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    host: '127.0.0.1',
    port,
    url: `http://127.0.0.1:${port}/graphql`,
    /** What passed since the last call. */
    take() {
      const taken = exchanges;
      exchanges = [];
      return taken;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      agent.destroy();
      await once(server, 'close');
    },
  };
}

/** @typedef {Awaited<ReturnType<typeof startRecorder>>} Recorder */
