// @ts-check
// A real identity provider logs people in, SCIM says what they are, and the edge obeys.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';

import { publishDemo, startControlPlane, startEdge } from '../lib/control-plane.js';
import { AUDIENCE, startIdp } from '../lib/idp.js';
import { ROOT, skip } from '../lib/tools.js';
import { startDemo } from '../lib/upstreams.js';

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
/** Runs of each measurement; `cargo xtask bench --directory` asks for 100. */
const RUNS = Number(process.env.IG_RUNS ?? 3);
/** Requests that are answered alike before two workers are believed to. */
const IN_A_ROW = 10;

const manifest = JSON.parse(readFileSync(join(ROOT, 'persisted-queries/manifest.json'), 'utf8'));
const CASES = manifest.operations.find((/** @type {any} */ one) => one.name === 'Cases').id;

describe('oidc-provider and SCIM', { skip }, () => {
  /** @type {import('../lib/idp.js').Idp} */
  let idp;
  /** @type {import('../lib/control-plane.js').ControlPlane} */
  let control;
  /** @type {import('../lib/upstreams.js').Upstream} */
  let upstream;
  /** @type {Awaited<ReturnType<typeof startEdge>>} */
  let edge;
  /** @type {string} */
  let provisioner;

  before(async () => {
    // What the token says of groups and purposes counts for nothing here.
    idp = await startIdp({ tenant: 'alpha', groups: ['analysts'], purposes: ['investigation'] });
    upstream = await startDemo();
    control = await startControlPlane();
    await control.call('PUT', '/tenants/alpha', {
      region: 'eu-west-1',
      purposes: ['investigation'],
      purposesByGroup: { analysts: ['investigation'] },
      issuers: { [idp.issuer]: { claim: 'sub', attribute: 'externalId' } },
    });
    await control.call('PUT', '/tenants/alpha/identity', {
      logins: [{ issuer: idp.issuer, audience: AUDIENCE }],
    });
    const token = { name: 'idp', role: 'provisioner', tenant: 'alpha' };
    provisioner = (await control.call('POST', '/tokens', token)).token;
    await publishDemo(control);
    edge = await startEdge(control, upstream, idp, AUDIENCE);
  });
  after(async () => {
    for (const one of [edge, control, upstream, idp]) await one?.close();
  });

  /** @param {string} method @param {string} path @param {unknown} [body] */
  const scim = (method, path, body) => control.call(method, `/scim/v2${path}`, body, provisioner);

  /** @param {string} path @param {Record<string, unknown>[]} Operations */
  const patch = (path, ...Operations) => scim('PATCH', path, { schemas: [PATCH], Operations });

  /**
   * A request on a connection of its own: the kernel spreads those over workers.
   *
   * @param {string} token
   * @param {Record<string, string>} [more]
   * @returns {Promise<{ status: number | undefined, code?: string, rule?: string }>}
   */
  async function ask(token, more = {}) {
    const call = request(edge.url, {
      method: 'POST',
      agent: false,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'x-ig-purpose': 'investigation',
        ...more,
      },
    });
    call.end(JSON.stringify({ documentId: CASES }));
    const [answer] = await once(call, 'response');
    const { errors } = /** @type {any} */ (await json(answer));
    const { code, rule } = errors?.[0]?.extensions ?? {};
    return { status: answer.statusCode, code, rule };
  }

  /**
   * Waits until every worker answers so: as many requests in a row as make it
   * sure that each had one. Gives the time at which the first of them was sent.
   *
   * @param {string} token
   * @param {{ code?: string, rule?: string }} expected
   */
  async function untilAnswered(token, { code, rule }) {
    const deadline = Date.now() + 10_000;
    let since = 0;
    for (let row = 0; row < IN_A_ROW; ) {
      const sent = performance.now();
      const answer = await ask(token);
      const isSo = answer.code === code && (!rule || answer.rule === rule);
      if (isSo && row++ === 0) since = sent;
      if (isSo) continue;
      row = 0;
      if (Date.now() > deadline) {
        throw new Error(`never ${code ?? 'served'} ${rule ?? ''}, but ${JSON.stringify(answer)}`);
      }
    }
    return since;
  }

  /** @param {string} name */
  async function person(name) {
    const user = await scim('POST', '/Users', {
      schemas: [USER],
      userName: `${name}@alpha.io`,
      externalId: name,
      active: true,
    });
    return { user, token: await idp.login(name) };
  }

  /** @param {string} displayName @param {string} member */
  const group = (displayName, member) =>
    scim('POST', '/Groups', { schemas: [GROUP], displayName, members: [{ value: member }] });

  /** @param {string} what @param {number[]} times */
  function report(what, times) {
    times.sort((left, right) => left - right);
    const at = (/** @type {number} */ share) =>
      times[Math.min(times.length - 1, Math.ceil(times.length * share) - 1)]?.toFixed(1);
    const figures = { what, runs: times.length, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1) };
    console.log(`measured ${JSON.stringify(figures)}`);
  }

  test('whoever is not provisioned is nobody', async () => {
    const stranger = await idp.login('stranger');
    await untilAnswered(stranger, { code: 'SUBJECT_INACTIVE', rule: 'unlinked' });
    // Provisioned afterwards, they are somebody at once.
    const { user } = await person('stranger');
    await group('analysts', user.id);
    await untilAnswered(stranger, {});
    const me = await control.call('GET', '/scim/v2/Me', undefined, stranger);
    assert.equal(me.id, user.id);
    assert.equal(me.groups[0].display, 'analysts');
  });

  test('a suspended user is denied, whatever the token', async () => {
    const { user, token } = await person('ada');
    const [{ id }] = (await scim('GET', '/Groups?filter=displayName%20eq%20%22analysts%22')).Resources;
    await patch(`/Groups/${id}`, { op: 'add', path: 'members', value: [{ value: user.id }] });
    await untilAnswered(token, {});
    const times = [];
    for (let run = 0; run < RUNS; run++) {
      const began = performance.now();
      await patch(`/Users/${user.id}`, { op: 'Replace', path: 'active', value: 'False' });
      const denied = await untilAnswered(token, { code: 'SUBJECT_INACTIVE', rule: 'suspended' });
      times.push(denied - began);
      const withStepUp = await ask(token, { 'x-ig-step-up': 'any.step.up' });
      assert.equal(withStepUp.code, 'SUBJECT_INACTIVE');
      // Groups are there again: nobody sends them a second time.
      await patch(`/Users/${user.id}`, { op: 'replace', value: { active: true } });
      await untilAnswered(token, {});
    }
    report('active:false by SCIM until denied at Envoy', times);
  });

  test('who leaves a group loses its purposes', async () => {
    const { user, token } = await person('grace');
    const [{ id }] = (await scim('GET', '/Groups?filter=displayName%20eq%20%22analysts%22')).Resources;
    const member = [{ value: user.id }];
    const times = [];
    for (let run = 0; run < RUNS; run++) {
      await patch(`/Groups/${id}`, { op: 'add', path: 'members', value: member });
      await untilAnswered(token, {});
      const began = performance.now();
      await patch(`/Groups/${id}`, { op: 'remove', path: `members[value eq "${user.id}"]` });
      times.push((await untilAnswered(token, { code: 'PURPOSE_DENIED' })) - began);
    }
    report('group removed by SCIM until its purpose is denied at Envoy', times);
  });

  test('a deleted user stays away, also under the same name', async () => {
    const { user, token } = await person('linus');
    await untilAnswered(token, { code: 'PURPOSE_DENIED' });
    await scim('DELETE', `/Users/${user.id}`);
    await untilAnswered(token, { code: 'SUBJECT_INACTIVE', rule: 'unlinked' });
  });

  test('without the control plane, what is known goes on', async () => {
    const { user, token } = await person('barbara');
    await group('auditors', user.id);
    const [{ id }] = (await scim('GET', '/Groups?filter=displayName%20eq%20%22analysts%22')).Resources;
    await patch(`/Groups/${id}`, { op: 'add', path: 'members', value: [{ value: user.id }] });
    await untilAnswered(token, {});
    const other = await idp.login('nobody-yet');
    await control.close();
    assert.equal((await ask(token)).status, 200);
    await untilAnswered(other, { code: 'GUARD_UNAVAILABLE' });
  });
});
