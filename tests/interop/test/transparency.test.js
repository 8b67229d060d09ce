// @ts-check
// With every guard in shadow mode the GraphQL-over-HTTP audits of graphql-http
// come out through Envoy as they do straight at the upstream.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { serverAudits } from 'graphql-http';

import { shadowConfig, startGateway } from '../lib/gateway.js';
import { urqlManifest, writeCatalogue } from '../lib/manifest.js';
import { skip } from '../lib/tools.js';
import { startApolloServer, startDemo } from '../lib/upstreams.js';

/**
 * Every audit's id, name, status and reason, and the answers it got, without
 * what names the address.
 *
 * @param {string} url
 */
async function audit(url) {
  const results = [];
  /** @type {string[]} */
  let answers = [];
  const neutral = (/** @type {string} */ text) => text.replaceAll(new URL(url).host, 'HOST');
  const fetchFn = async (/** @type {string | URL} */ target, /** @type {RequestInit} */ init) => {
    const answer = await fetch(target, init);
    const type = answer.headers.get('content-type');
    answers.push(neutral(`${answer.status} ${type} ${await answer.clone().text()}`));
    return answer;
  };
  for (const { id, name, fn } of serverAudits({ url, fetchFn })) {
    answers = [];
    const result = await fn();
    const reason = 'reason' in result ? neutral(result.reason) : null;
    results.push({ id, name, status: result.status, reason, answers });
  }
  return results;
}

/** @param {Awaited<ReturnType<typeof audit>>} results */
function counts(results) {
  const of = (/** @type {string} */ status) => results.filter((one) => one.status === status).length;
  return `${results.length} audits: ${of('ok')} ok, ${of('notice')} notice, ${of('warn')} warn, ${of('error')} error`;
}

for (const [name, startUpstream] of /** @type {const} */ ([
  ['the demo upstream', startDemo],
  ['Apollo Server', startApolloServer],
])) {
  describe(`graphql-http audits, ${name}`, { skip }, () => {
    /** @type {import('../lib/upstreams.js').Upstream} */
    let upstream;
    /** @type {import('../lib/gateway.js').Gateway} */
    let gateway;

    before(async () => {
      upstream = await startUpstream();
      const catalogues = [writeCatalogue(urqlManifest(), 'shadow')];
      gateway = await startGateway(upstream, { catalogues, config: shadowConfig() });
    });
    after(async () => {
      for (const one of [gateway, upstream]) await one?.close();
    });

    test('the guard watches: it records a deny and lets the text pass', async () => {
      const body = JSON.stringify({ query: '{ __typename }' });
      const answer = await fetch(gateway.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      assert.deepEqual(await answer.json(), { data: { __typename: 'Query' } });
      const records = await gateway.decisions(answer.headers.get('x-ig-decision-id') ?? undefined);
      assert.deepEqual(records.map(({ outcome }) => outcome), ['shadow-deny']);
    });

    test('zero differences', async (t) => {
      const straight = await audit(upstream.url);
      const guarded = await audit(gateway.url);
      t.diagnostic(`${name}, straight: ${counts(straight)}`);
      t.diagnostic(`${name}, guarded: ${counts(guarded)}`);
      assert.ok(straight.length >= 60);
      assert.ok(straight.every(({ answers }) => answers.length > 0));
      const differences = straight.flatMap((one, index) =>
        JSON.stringify(one) === JSON.stringify(guarded[index]) ? [] : [{ straight: one, guarded: guarded[index] }],
      );
      t.diagnostic(`${name}: ${differences.length} differences`);
      assert.deepEqual(differences, []);
      assert.equal(guarded.length, straight.length);
    });
  });
}
