// @ts-check
// A real browser on the console's pages: what the edge denies is approved there,
// and whatever is wrong with a proof is said.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { addAuthenticator, startBrowser } from '../lib/browser.js';
import { publishDemo, startControlPlane, startEdge } from '../lib/control-plane.js';
import { AUDIENCE, startIdp } from '../lib/idp.js';
import { run, until } from '../lib/process.js';
import { ROOT, skipBrowser } from '../lib/tools.js';
import { startDemo } from '../lib/upstreams.js';

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';
/** Where pictures of the pages go, to be looked at. */
const PICTURES = join(ROOT, 'target/console');
/** What the console proves itself with at the identity provider. */
const SECRET = 'of-the-console,-and-long-enough';

const skip = skipBrowser();
const manifest = JSON.parse(readFileSync(join(ROOT, 'persisted-queries/manifest.json'), 'utf8'));
const EXPORT = manifest.operations.find((/** @type {any} */ one) => one.name === 'ExportAssets').id;

describe('the console in a browser', { skip }, () => {
  /** @type {import('../lib/idp.js').Idp} */
  let idp;
  /** @type {import('../lib/control-plane.js').ControlPlane} */
  let control;
  /** @type {import('../lib/upstreams.js').Upstream} */
  let upstream;
  /** @type {Awaited<ReturnType<typeof startEdge>>} */
  let edge;
  /** @type {string} */
  let site;
  /** @type {string} */
  let provisioner;

  before(async () => {
    mkdirSync(PICTURES, { recursive: true });
    control = await startControlPlane(
      (http) => `version = 1\n[webauthn]\norigins = ["http://localhost:${http}"]\n`,
    );
    site = `http://localhost:${control.http}`;
    // The console says what to register.
    idp = await startIdp({ tenant: 'alpha' }, async (issuer) => {
      await control.call('PUT', '/tenants/alpha', {
        region: 'eu-west-1',
        purposes: ['investigation', 'export'],
        purposesByGroup: { analysts: ['investigation', 'export'] },
        issuers: { [issuer]: { claim: 'sub', attribute: 'externalId' } },
      });
      const client = { id: 'console', secret: SECRET };
      const login = { issuer, audience: AUDIENCE, client };
      const identity = { logins: [login], adminGroups: ['admins'] };
      await control.call('PUT', '/tenants/alpha/identity', identity);
      const known = await control.call('GET', '/tenants/alpha/identity');
      return [
        {
          client_id: 'console',
          client_secret: SECRET,
          redirect_uris: known.logins[0].client.redirectUris,
          grant_types: ['authorization_code'],
          response_types: ['code'],
          id_token_signed_response_alg: 'ES256',
        },
      ];
    });
    upstream = await startDemo();
    const token = { name: 'idp', role: 'provisioner', tenant: 'alpha', mayConfer: true };
    provisioner = (await control.call('POST', '/tokens', token)).token;
    await publishDemo(control);
    edge = await startEdge(control, upstream, idp, AUDIENCE);
  });
  after(async () => {
    for (const one of [edge, control, upstream, idp]) await one?.close();
  });

  /** @param {string} method @param {string} path @param {unknown} [body] */
  const scim = (method, path, body) => control.call(method, `/scim/v2${path}`, body, provisioner);

  /**
   * Somebody with a browser, logged in.
   *
   * @param {string} name
   */
  async function person(name) {
    const user = await scim('POST', '/Users', { schemas: [USER], userName: name, externalId: name });
    for (const displayName of ['analysts', 'admins']) {
      const query = encodeURIComponent(`displayName eq "${displayName}"`);
      const [known] = (await scim('GET', `/Groups?filter=${query}`)).Resources;
      const members = [{ value: user.id }];
      if (!known) await scim('POST', '/Groups', { schemas: [GROUP], displayName, members });
      else {
        const Operations = [{ op: 'add', path: 'members', value: members }];
        await scim('PATCH', `/Groups/${known.id}`, { schemas: [PATCH], Operations });
      }
    }
    const browser = await startBrowser();
    const page = browser.pages()[0] ?? (await browser.newPage());
    page.setDefaultTimeout(10_000);
    const key = await addAuthenticator(page);
    await logIn(page, name);
    return { name, user, browser, page, key, token: await idp.login(name) };
  }

  /** @param {import('playwright-core').Page} page @param {string} name */
  async function logIn(page, name) {
    await page.goto(`${site}/console`);
    await page.getByLabel('Tenant').fill('alpha');
    await page.getByRole('button', { name: 'Log in' }).click();
    await answerIdp(page, name);
  }

  /** At the identity provider. @param {import('playwright-core').Page} page @param {string} name */
  async function answerIdp(page, name) {
    await page.locator('input[name=login]').fill(name);
    await page.locator('input[name=password]').fill('any');
    await page.locator('button[type=submit]').click();
    const consent = page.getByRole('button', { name: 'Continue' });
    const start = page.getByRole('heading', { name: 'Passkeys' });
    await consent.or(start).first().waitFor();
    if (await consent.isVisible()) await consent.click();
    await start.waitFor();
  }

  /** @param {Awaited<ReturnType<typeof person>>} someone */
  async function register({ page }) {
    await page.goto(`${site}/console`);
    await page.getByLabel('Name of the new passkey').fill('<script>my</script> laptop');
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByText('The passkey was added.').waitFor();
  }

  /** @param {import('playwright-core').Page} page @param {any} [challenge] */
  async function openStepUp(page, { actions = ['export:assets'], resource } = /** @type {any} */ ({})) {
    const query = new URLSearchParams({ graph: 'demo', actions: actions.join(' ') });
    if (resource) query.set('resource', resource);
    await page.goto(`${site}/console/step-up?${query}`);
  }

  /** @param {import('playwright-core').Page} page @param {any} [challenge] */
  async function approve(page, challenge) {
    await openStepUp(page, challenge);
    await page.getByRole('button', { name: 'Approve with a passkey' }).click();
    const token = page.getByLabel('Step-up token');
    await token.waitFor();
    return token.inputValue();
  }

  /**
   * Approves, and gives the reason why that was refused.
   *
   * @param {import('playwright-core').Page} page
   * @param {() => Promise<unknown>} [meanwhile]
   */
  async function refused(page, meanwhile) {
    await page.getByRole('button', { name: 'Approve with a passkey' }).click();
    await meanwhile?.();
    const message = page.locator('#messages .bad');
    await message.waitFor();
    assert.ok(await message.isVisible());
    assert.ok(!(await page.getByLabel('Step-up token').isVisible()));
    return { reason: await message.getAttribute('data-reason'), text: await message.innerText() };
  }

  /** @param {string} token @param {string} [stepUp] */
  async function exportAs(token, stepUp) {
    const answer = await fetch(edge.url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        'x-ig-purpose': 'export',
        ...(stepUp && { 'x-ig-step-up': stepUp }),
      },
      body: JSON.stringify({ documentId: EXPORT, variables: { ids: ['asset-1'] } }),
    });
    const body = /** @type {any} */ (await answer.json());
    return { status: answer.status, body, extensions: body.errors?.[0]?.extensions };
  }

  /** @param {string} token */
  async function challenged(token) {
    const ask = async () => {
      const answer = await exportAs(token);
      return answer.status === 401 && answer.extensions.stepUp;
    };
    return until(ask, 'the edge asks for a step-up');
  }

  /** Changes the next body of a route on its way. */
  async function change(
    /** @type {import('playwright-core').Page} */ page,
    /** @type {string} */ path,
    /** @type {(body: any) => any} */ edit,
    isAnswer = true,
  ) {
    await page.route(
      `${site}${path}`,
      async (route) => {
        if (!isAnswer) {
          const edited = await edit(route.request().postDataJSON());
          return route.continue({ postData: JSON.stringify(edited) });
        }
        const answer = await route.fetch();
        return route.fulfill({ response: answer, json: await edit(await answer.json()) });
      },
      { times: 1 },
    );
  }
  const OPTIONS = '/webauthn/authentication/options';
  const VERIFY = '/webauthn/authentication/verify';

  /** Lets time pass, in the database. @param {string} statement */
  async function sql(statement) {
    const script = [
      'import sqlite3, sys',
      'with sqlite3.connect(sys.argv[1], timeout=5) as db: db.execute(sys.argv[2])',
    ];
    await run('python3', ['-c', script.join('\n'), control.file, statement]);
  }

  /** @param {import('playwright-core').Page} page @param {string} name */
  async function picture(page, name) {
    const before = page.viewportSize() ?? { width: 1280, height: 900 };
    for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
      await page.emulateMedia({ colorScheme });
      for (const width of [360, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        const path = join(PICTURES, `${name}-${width}-${colorScheme}.png`);
        await page.screenshot({ path, fullPage: true });
        const wide = await page.evaluate('document.documentElement.scrollWidth');
        assert.ok(Number(wide) <= width, `${name} is ${wide} wide at ${width}`);
      }
    }
    await page.setViewportSize(before);
  }

  test('an export is denied, approved with a passkey, and done', async () => {
    const ada = await person('ada');
    const { page } = ada;
    await picture(page, 'start-empty');
    const challenge = await challenged(ada.token);
    await register(ada);
    assert.equal(await page.locator('td script').count(), 0);
    await openStepUp(page, challenge);
    await page.getByText('export:assets').waitFor();
    await picture(page, 'step-up');
    const stepUp = await approve(page, challenge);
    await picture(page, 'approved');
    const done = await exportAs(ada.token, stepUp);
    assert.equal(done.status, 200, JSON.stringify(done.body));
    assert.ok(done.body.data.exportAssets.manifestSha);
    const again = await exportAs(ada.token, stepUp);
    assert.equal(again.extensions.rule, 'step-up-used');
    await until(async () => {
      await page.goto(`${site}/console`);
      return (await page.getByText('ExportAssets').count()) > 0;
    }, 'decisions are shown');
    await picture(page, 'start');
    await page.goto(`${site}/console/decisions`);
    await picture(page, 'tenant-decisions');
    await page.goto(`${site}/console/tenants`);
    await picture(page, 'tenant-settings');
    // For another action than the one that was approved.
    const other = await approve(page, { actions: ['export:people'] });
    const wrong = await exportAs(ada.token, other);
    assert.equal(wrong.status, 401);
    assert.equal(wrong.extensions.rule, 'step-up-action');
    // Of somebody who was suspended meanwhile.
    const late = await approve(page, challenge);
    const suspend = { schemas: [PATCH], Operations: [{ op: 'replace', value: { active: false } }] };
    await scim('PATCH', `/Users/${ada.user.id}`, suspend);
    await until(async () => {
      const { status, extensions } = await exportAs(ada.token, late);
      assert.notEqual(status, 200);
      return extensions.rule === 'suspended';
    }, 'the edge knows');
    await page.reload();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await ada.browser.close();
  });

  test('what is wrong with a proof is refused, and said', async () => {
    const [ada, bob] = [await person('grace'), await person('bob')];
    await register(ada);
    await register(bob);
    const { page, key } = ada;
    await openStepUp(page);
    // Nobody was verified: the browser says so, and so does the control plane.
    await key.verify(false);
    await change(page, OPTIONS, (body) => {
      body.publicKey.userVerification = 'discouraged';
      return body;
    });
    assert.equal((await refused(page)).reason, 'user-verification');
    await picture(page, 'refused');
    await key.verify(true);
    await page.reload();
    // Cancelled.
    await key.answer(false);
    const cancelled = await refused(page, () => page.getByRole('button', { name: 'Cancel' }).click());
    assert.equal(cancelled.reason, 'cancelled');
    await page.reload();
    // Nobody answers.
    await change(page, OPTIONS, (body) => {
      body.publicKey.timeout = 1000;
      return body;
    });
    assert.equal((await refused(page)).reason, 'not-allowed');
    await key.answer(true);
    await page.reload();
    // Somebody else's passkey.
    const [others] = await bob.key.credentials();
    const [own] = await key.credentials();
    assert.ok(others && own);
    await key.add(others);
    await change(page, OPTIONS, (body) => {
      const id = Buffer.from(others.credentialId, 'base64').toString('base64url');
      body.publicKey.allowCredentials = [{ type: 'public-key', id }];
      return body;
    });
    assert.equal((await refused(page)).reason, 'passkey');
    await key.remove(others.credentialId);
    // What took too long.
    await openStepUp(page);
    await change(page, VERIFY, async (body) => {
      await sql(`UPDATE ceremonies SET ends_at = 1 WHERE id = '${body.ceremony}'`);
      return body;
    }, false);
    assert.equal((await refused(page)).reason, 'ceremony-expired');
    // Two tabs with one ceremony.
    let first = /** @type {any} */ (null);
    await openStepUp(page);
    await change(page, VERIFY, (body) => (first = body), false);
    await page.getByRole('button', { name: 'Approve with a passkey' }).click();
    await page.getByLabel('Step-up token').waitFor();
    const tab = await ada.browser.newPage();
    const second = await addAuthenticator(tab);
    for (const one of await key.credentials()) await second.add(one);
    await openStepUp(tab);
    await change(tab, VERIFY, () => first, false);
    assert.equal((await refused(tab)).reason, 'ceremony');
    await tab.close();
    // A copy that was made before the passkey was used.
    const [{ credentialId }] = /** @type {any} */ (await key.credentials());
    await key.remove(credentialId);
    await key.add({ ...own, signCount: own.signCount });
    await openStepUp(page);
    const copy = await refused(page);
    assert.equal(copy.reason, 'counter');
    assert.match(copy.text, /may be a copy/);
    for (const one of [ada, bob]) await one.browser.close();
  });

  test('passkeys are added and removed with one that is there', async () => {
    const linus = await person('linus');
    const { page, key } = linus;
    // The first one needs a login of just now.
    await sql(`UPDATE console_sessions SET auth_time = 1 WHERE subject = 'linus'`);
    await page.getByLabel('Name of the new passkey').fill('late');
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.locator('#messages [data-reason=stale-login]').waitFor();
    await picture(page, 'stale-login');
    await page.getByRole('link', { name: 'Log in again' }).click();
    await answerIdp(page, 'linus');
    await register(linus);
    // The authenticator has one already; another one is needed.
    await page.getByLabel('Name of the new passkey').fill('same');
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.locator('#messages [data-reason=known]').waitFor();
    await page.getByRole('button', { name: /^Remove the passkey/ }).click();
    await page.getByText('The passkey was removed.').waitFor();
    await page.getByText('You have no passkey yet').waitFor();
    for (const one of await key.credentials()) await key.remove(one.credentialId);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByRole('heading', { name: 'Log in' }).waitFor();
    await linus.browser.close();
  });

  test('administrators see what there is', async () => {
    const browser = await startBrowser();
    const page = browser.pages()[0] ?? (await browser.newPage());
    await page.goto(`${site}/console`);
    await picture(page, 'login');
    await page.getByLabel('API token').fill(control.token);
    await page.keyboard.press('Enter');
    await page.getByText('You are here with the token').waitFor();
    for (const name of ['Proxies', 'Revisions', 'Catalogue', 'Residency', 'Decisions']) {
      await page.getByRole('link', { name }).click();
      await page.getByRole('heading', { name, level: 1 }).waitFor();
      await picture(page, `admin-${name.toLowerCase()}`);
    }
    await browser.close();
  });
});
