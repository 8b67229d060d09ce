// @ts-check
// One subscription over a WebSocket of its own, with all of its events.

import { check } from 'k6';
import { Trend } from 'k6/metrics';
import { clearTimeout, setTimeout } from 'k6/timers';
import { WebSocket } from 'k6/websockets';

/** From the handshake until the operation is over, or the connection. */
const duration = new Trend('ws_subscription_duration', true);

/** Milliseconds that all of it may take. */
const PATIENCE = 30_000;

/**
 * Subscribes, and looks at what comes until it is complete.
 *
 * @param {string} url
 * @param {Record<string, string>} headers
 * @param {object} payload A request of GraphQL.
 */
export function subscribe(url, headers, payload) {
  const tags = { path: 'websocket' };
  const began = Date.now();
  const seen = { data: false, complete: false, over: false };
  const socket = new WebSocket(url, null, {
    headers: { ...headers, 'sec-websocket-protocol': 'graphql-transport-ws' },
    tags,
  });
  const patience = setTimeout(() => socket.close(), PATIENCE);
  const say = (/** @type {object} */ message) => socket.send(JSON.stringify(message));

  // A handshake that is refused is an error, and may be an end as well.
  const end = () => {
    if (seen.over) return;
    seen.over = true;
    clearTimeout(patience);
    duration.add(Date.now() - began, tags);
    check(seen, { 'is served': ({ complete }) => complete, 'has data': ({ data }) => data }, tags);
  };

  socket.onopen = () => say({ type: 'connection_init' });
  socket.onmessage = (event) => {
    const message = JSON.parse(String(event?.data));
    if (message.type === 'connection_ack') say({ id: '1', type: 'subscribe', payload });
    if (message.type === 'ping') say({ type: 'pong' });
    if (message.type === 'next') seen.data = Boolean(message.payload?.data);
    if (message.type === 'complete') seen.complete = true;
    if (message.type === 'complete' || message.type === 'error') {
      // The time to hang up is no part of it.
      end();
      socket.close(1000);
    }
  };
  socket.onerror = end;
  socket.onclose = end;
}
