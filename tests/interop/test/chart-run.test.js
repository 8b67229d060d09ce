// @ts-check
// What the chart renders, run: the real control plane with its file, the real Envoy
// with what the init container's arguments make, and what goes through.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';

import { parse } from 'yaml';

import { authority } from '../lib/certificates.js';
import { CHART, CI, REGIONS, attempt, nameOf, one, release, skipHelm, valuesFile } from '../lib/helm.js';
import { DEMO_CONFIG, shadowConfig, startGateway } from '../lib/gateway.js';
import { folder, freePort, run, start, until } from '../lib/process.js';
import { ROOT, skip, tools } from '../lib/tools.js';
import { startDemo } from '../lib/upstreams.js';

/** Where a pod's files are here: everything below it as in the pod. */
const POD = join(folder, 'pod');
const ISSUER = 'https://issuer.localhost';

/** Paths of the pod, as they are here. */
const here = (/** @type {string} */ text) =>
  text
    .replaceAll('/etc/ig/', `${POD}/etc/ig/`)
    .replaceAll('/run/ig/', `${POD}/run/ig/`)
    .replaceAll('/var/lib/ig/', `${POD}/var/lib/ig/`)
    .replaceAll('/etc/envoy/ig_guard.wasm', tools.guard);

/**
 * The files that a ConfigMap is mounted as.
 *
 * @param {any} configMap
 * @param {string} path
 */
function mount(configMap, path) {
  mkdirSync(here(path), { recursive: true });
  for (const [name, text] of Object.entries(configMap.data)) writeFileSync(join(here(path), name), here(text));
}

/** @param {any[]} objects */
const envoyPod = (objects) => one(objects, 'Deployment', '-gateway').spec.template.spec;

/**
 * Runs the gateway's init container; its last arguments win over the same
 * before them where `instead` has them.
 *
 * @param {any[]} objects
 * @param {Record<string, string>} instead
 */
async function bootstrap(objects, instead = {}) {
  mount(one(objects, 'ConfigMap', '-graph'), '/etc/ig/graph/');
  mkdirSync(here('/run/ig/'), { recursive: true });
  const container = envoyPod(objects).initContainers.find((/** @type {any} */ each) => each.name === 'bootstrap');
  assert.deepEqual(container.command, ['/usr/local/bin/ig']);
  const args = container.args.map((/** @type {string} */ word, /** @type {number} */ index) => {
    const replaced = instead[container.args[index - 1]];
    return replaced ?? here(word).replace('$(POD_NAME)', 'gateway-0');
  });
  await run(tools.ig, args);
  return here('/run/ig/envoy.json');
}

/** The sources that register metrics: of the control plane, and of the guard. */
const sources = /** @type {string[]} */ (readdirSync(join(ROOT, 'control-plane/server/src'), { recursive: true }))
  .filter((file) => file.endsWith('metrics.rs'))
  .map((file) => readFileSync(join(ROOT, 'control-plane/server/src', file), 'utf8'))
  .concat(readFileSync(join(ROOT, 'filters/wasm/src/root.rs'), 'utf8'));

/**
 * Metrics of ours that each file of rules and dashboards asks for.
 *
 * @returns {[string, string[]][]}
 */
function expressions() {
  /** @type {string[]} */
  const found = [];
  const collect = (/** @type {any} */ value) => {
    if (value === null || typeof value !== 'object') return;
    if (typeof value.expr === 'string') found.push(value.expr);
    for (const inner of Object.values(value)) collect(inner);
  };
  return ['files/rules', 'files/dashboards'].flatMap((inner) =>
    readdirSync(join(CHART, inner)).map((file) => {
      found.length = 0;
      // JSON is YAML.
      collect(parse(readFileSync(join(CHART, inner, file), 'utf8')));
      const names = found.flatMap((text) => text.match(/\big_[a-z_]+/g) ?? []);
      return /** @type {[string, string[]]} */ ([file, names]);
    }),
  );
}

/** Who signed the API's certificate. */
const CA = join(POD, 'etc/ig/api/ca.crt');

/**
 * A GET at the API.
 *
 * @param {string} url
 * @param {Record<string, string>} [headers]
 */
async function get(url, headers) {
  const asked = request(url, { ca: readFileSync(CA), headers, agent: false });
  asked.end();
  const [answer] = await once(asked, 'response');
  return { status: answer.statusCode, body: await text(answer) };
}

const isOf = (/** @type {string} */ name) => (/** @type {string} */ file) => nameOf(file) === name;
/** What Secrets hold that the values name. @type {Record<string, string>} */
const SECRETS = {
  IG_DATABASE: 'postgres://ig:password@db.internal/ig',
  IG_REDIS: 'redis://redis.internal:6379',
  IG_EXPORTS_PASSWORD: 'password',
};
const HOSTS = 'DNS:localhost,DNS:ig-grpc.eu-west-1.example';

describe('the chart, run', { skip: skipHelm() || skip }, () => {
  before(async () => {
    const mesh = await authority(join(folder, 'authority'));
    for (const name of ['api', 'grpc']) await mesh.issue(name, HOSTS, 'serverAuth');
    await mesh.issue('proxy', 'URI:spiffe://cluster.local/ns/ig/sa/guard-ig-guard-gateway', 'clientAuth');
    await mesh.issue('peers', 'DNS:gateway.example', 'clientAuth');
    mkdirSync(here('/etc/ig/'), { recursive: true });
    mkdirSync(here('/var/lib/ig/'), { recursive: true });
    for (const name of ['api', 'grpc', 'proxy', 'peers']) {
      await run('cp', ['-r', join(folder, 'authority', name), here('/etc/ig/')]);
    }
    mkdirSync(here('/etc/ig/exports/'), { recursive: true });
    const key = ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    await run('openssl', [...key, '-out', join(here('/etc/ig/exports/'), 'export.key')]);
    mkdirSync(here('/etc/ig/issues/'), { recursive: true });
    writeFileSync(join(here('/etc/ig/issues/'), 'token'), 'a-token-of-the-tracker');
  });

  test('the control plane takes the configuration of all values', async () => {
    let checked = 0;
    for (const file of [...CI, ...REGIONS]) {
      const objects = await release([file]);
      const found = objects.find((object) => object.kind === 'ConfigMap' && object.metadata.name.endsWith('-control-plane'));
      if (!found) continue;
      mount(found, '/etc/ig/config/');
      const pod = objects.find((object) => ['StatefulSet', 'Deployment'].includes(object.kind) && object.metadata.name.endsWith('-control-plane'));
      const [container] = pod.spec.template.spec.containers;
      assert.deepEqual(container.command, ['/usr/local/bin/ig-control-plane']);
      const secrets = container.env.filter((/** @type {any} */ each) => each.valueFrom).map((/** @type {any} */ each) => each.name);
      const variables = Object.fromEntries(secrets.map((/** @type {string} */ name) => [name, SECRETS[name]]));
      const said = await attempt(tools.controlPlane, [...container.args.map(here), '--check-config'], variables);
      assert.ok(said.ok, `${nameOf(file)}: ${said.stdout}${said.stderr}`);
      checked += 1;
    }
    assert.ok(checked > 6, `${checked}`);
  });

  test('Envoy takes the configuration of all regions, and knows the hosts of its own', async () => {
    const fleet = REGIONS.map((own) => [...REGIONS.filter((file) => file !== own), own, join(CHART, 'testdata/fleet.yaml')]);
    const sets = [...REGIONS.map((file) => [file]), ...fleet, ...CI.filter(isOf('all-regions')).map((file) => [file])];
    for (const files of sets) {
      const objects = await release([...files, valuesFile({ tokens: { issuers: [{ issuer: ISSUER, jwksUri: 'https://login.example/keys' }], audiences: ['graph'] } })]);
      const config = await bootstrap(objects);
      const said = await attempt(tools.envoy, ['--mode', 'validate', '--config-path', config]);
      const name = files.map(nameOf).join(' ');
      assert.ok(said.ok, `${name}: ${said.stderr}`);
      const text = readFileSync(config, 'utf8');
      const { locality } = JSON.parse(text).node;
      for (const file of files.filter((each) => REGIONS.includes(each))) {
        const isOwn = nameOf(file) === locality.region;
        assert.equal(text.includes(`graphql-primary.${nameOf(file)}.internal`), isOwn, `${name}: ${nameOf(file)}`);
      }
    }
  });

  test('Envoy takes the configuration of the gateway alone', async () => {
    // As few values as there can be, and `guard.settings`: of bodies Envoy holds what they say.
    const fewest = { gateway: { enabled: true, upstreams: ['graphql:4000'] }, probe: { onlyPresence: true } };
    const settings = { guard: { settings: '[limits]\nmax-body-bytes = 2_000_000\n' } };
    const sets = [
      { files: CI.filter(isOf('gateway')), bytes: 1_048_576 },
      { files: [valuesFile(fewest)], bytes: 1_048_576 },
      { files: [valuesFile({ ...fewest, ...settings, tenants: { alpha: { purposes: ['audit'] } } })], bytes: 2_000_000 },
    ];
    for (const { files, bytes } of sets) {
      const config = await bootstrap(await release(files));
      const said = await attempt(tools.envoy, ['--mode', 'validate', '--config-path', config]);
      assert.ok(said.ok, said.stderr);
      const [listener] = JSON.parse(readFileSync(config, 'utf8')).static_resources.listeners;
      assert.equal(listener.per_connection_buffer_limit_bytes, bytes);
    }
  });

  describe('as a release', () => {
    /** @type {ReturnType<typeof start>[]} */
    const running = [];
    /** @type {import('../lib/upstreams.js').Upstream} */
    let upstream;
    /** @type {any[]} */
    let objects;
    /** @type {{ api: string, token: string, gateway: string, admin: string, ready: string }} */
    let at;

    before(async () => {
      upstream = await startDemo();
      await run(tools.ig, ['token', 'keys', '--dir', join(folder, 'keys')]);
      objects = await release([
        valuesFile({
          graph: 'demo',
          guard: { schemaTag: 'dev' },
          certificates: { mode: 'secrets', secrets: { api: 'ig-api', grpc: 'ig-grpc', proxy: 'ig-proxy' } },
          tokens: {
            issuers: [{ issuer: ISSUER, jwks: readFileSync(join(folder, 'keys/jwks.json'), 'utf8') }],
            audiences: ['ig'],
          },
          tenants: { alpha: { region: 'eu-west-1', purposes: ['investigation', 'audit', 'export'] } },
          gateway: { enabled: true, upstreams: [`${upstream.host}:${upstream.port}`] },
          probe: { tokenSecretName: 'ig-probe', waitSeconds: 1, holdSeconds: 1 },
        }),
      ]);
      const [http, grpc, port, admin, ready] = [await freePort(), await freePort(), await freePort(), await freePort(), await freePort()];
      const [control] = one(objects, 'StatefulSet', '-control-plane').spec.template.spec.containers;
      mount(one(objects, 'ConfigMap', '-control-plane'), '/etc/ig/config/');
      const plane = start(tools.controlPlane, [
        ...control.args.map(here),
        ...['--listen', `127.0.0.1:${http}`, '--grpc-listen', `127.0.0.1:${grpc}`],
      ]);
      running.push(plane);
      const api = `https://localhost:${http}`;
      const { readinessProbe } = control;
      await until(async () => {
        if (!plane.isRunning()) throw new Error(plane.output());
        // As the kubelet asks.
        const { path, scheme } = readinessProbe.httpGet;
        assert.equal(scheme, 'HTTPS');
        return (await get(`${api}${path}`).catch(() => null))?.status === 200;
      }, 'the control plane is ready');
      const token = /ig_[0-9a-f]{64}/.exec(plane.output())?.[0];
      at = { api, token: String(token), gateway: `http://127.0.0.1:${port}`, admin: `http://127.0.0.1:${admin}`, ready: `http://127.0.0.1:${ready}` };

      const config = await bootstrap(objects, {
        '--control-plane': `localhost:${grpc}`,
        '--listen': `127.0.0.1:${port}`,
        '--admin': `127.0.0.1:${admin}`,
        '--readiness': `127.0.0.1:${ready}`,
      });
      const [envoy] = envoyPod(objects).containers;
      assert.deepEqual(envoy.command, ['/usr/local/bin/envoy']);
      const proxy = start(tools.envoy, envoy.args.map(here));
      running.push(proxy);
      await until(async () => {
        if (!proxy.isRunning()) throw new Error(`${config}: ${proxy.output()}`);
        return (await fetch(`${at.admin}/ready`).catch(() => null))?.ok;
      }, 'Envoy is ready');
    });
    after(async () => {
      for (const each of running) await each.stop();
      await upstream?.close();
    });

    /** @param {unknown} body @param {string} token */
    async function ask(body, token) {
      const answer = await fetch(`${at.gateway}/graphql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'x-ig-purpose': 'investigation' },
        body: JSON.stringify(body),
      });
      return { status: answer.status, body: /** @type {any} */ (await answer.json()) };
    }

    const accessToken = async () => {
      const names = ['--issuer', ISSUER, '--audience', 'ig', '--dir', join(folder, 'keys')];
      return (await run(tools.ig, ['token', '--user', 'a@alpha.io', ...names])).trim();
    };
    function allowListInShadow() {
      const path = join(folder, 'allow-list-in-shadow.toml');
      writeFileSync(path, `${readFileSync(DEMO_CONFIG, 'utf8')}\n[modes]\npersisted-query = "shadow"\n`);
      return path;
    }

    const PROBED = 'http://guard-ig-guard-gateway.ig.svc.cluster.local:10000/graphql';

    /**
     * A Job's arguments, its Secret's file and what it asks as they are here.
     *
     * @param {any} job
     * @param {string} url
     */
    async function probeArgs(job, url) {
      const { args } = job.spec.template.spec.containers[0];
      assert.ok(args.includes(PROBED), args.join(' '));
      mkdirSync(here('/etc/ig/probe/'), { recursive: true });
      writeFileSync(here('/etc/ig/probe/token'), await accessToken());
      return args.map((/** @type {string} */ word) => (word === PROBED ? url : here(word)));
    }
    const ADHOC = { query: '{ tenant { id } }' };

    /** As the kubelet asks whether the pod has started. */
    async function started() {
      const { path, port } = envoyPod(objects).containers[0].startupProbe.httpGet;
      assert.equal(port, 'ready');
      return (await fetch(`${at.ready}${path}`)).status;
    }

    test('before anything is published everything is denied', async () => {
      const answer = await ask(ADHOC, await accessToken());
      assert.equal(answer.status, 503);
      assert.equal(answer.body.errors[0].extensions.code, 'GUARD_UNAVAILABLE');
      assert.equal(await started(), 503);
    });

    test('what NOTES.txt says publishes, and the catalogue passes and nothing else', async () => {
      const env = { ...process.env, IG_CONTROL_URL: at.api, IG_CONTROL_CA: CA, IG_ADMIN_TOKEN: at.token };
      const ig = (/** @type {string[]} */ ...args) => run(tools.ig, args, { env });
      const guard = join(here('/etc/ig/graph/'), 'guard.toml');
      await ig('schema', 'push', join(ROOT, 'persisted-queries/schema.graphql'), '--graph', 'demo', '--tag', 'dev');
      await ig('catalogue', 'push', join(ROOT, 'persisted-queries/manifest.json'), '--graph', 'demo', '--tag', 'dev');
      await ig('policy', 'push', join(ROOT, 'policies'));
      await ig('tenant', 'import', guard);
      const identity = 'spiffe://cluster.local/ns/ig/sa/guard-ig-guard-gateway';
      await ig('graph', 'put', 'demo', '--settings', guard, '--schema-tag', 'dev', '--bundle', '0.2.0', '--proxy', identity);
      await ig('snapshot', 'publish', 'demo');

      const manifest = JSON.parse(readFileSync(join(ROOT, 'persisted-queries/manifest.json'), 'utf8'));
      const cases = manifest.operations.find((/** @type {any} */ each) => each.name === 'Cases').id;
      const token = await accessToken();
      const allowed = await until(async () => {
        const answer = await ask({ documentId: cases }, token);
        return answer.status === 503 ? null : answer;
      }, 'the snapshot arrives');
      assert.equal(allowed.status, 200, JSON.stringify(allowed.body));
      assert.ok(allowed.body.data, JSON.stringify(allowed.body));
      const denied = await ask(ADHOC, token);
      assert.equal(denied.status, 400);
      assert.equal(denied.body.errors[0].extensions.code, 'PERSISTED_QUERY_ID_REQUIRED');
      assert.equal(await started(), 200);
    });

    test('the module is copied to where Envoy reads it', async (t) => {
      if (!(await attempt(tools.ig, ['envoy', 'module', '--help'])).ok) {
        if (process.env.CI) assert.fail('this `ig` does not copy the module');
        return t.skip('this `ig` does not copy the module');
      }
      const container = envoyPod(objects).initContainers.find((/** @type {any} */ each) => each.name === 'module');
      assert.deepEqual(container.command, ['/usr/local/bin/ig']);
      // In the image it is where `ig` looks by itself.
      const path = join(folder, 'ig_guard.wasm');
      const args = container.args.map((/** @type {string} */ word) => word.replace('/etc/envoy/ig_guard.wasm', path));
      await run(tools.ig, [...args, '--module', tools.guard]);
      assert.deepEqual(readFileSync(path), readFileSync(tools.guard));
      const [envoy] = envoyPod(objects).containers;
      const from = container.volumeMounts[0];
      const to = envoy.volumeMounts.find((/** @type {any} */ each) => each.name === from.name);
      assert.equal(from.mountPath, to.mountPath);
      assert.ok(container.args.at(-1).startsWith(`${to.mountPath}/`));
    });

    test('the probe passes', async (t) => {
      if (!(await attempt(tools.ig, ['envoy', 'probe', '--help'])).ok) {
        if (process.env.CI) assert.fail('this `ig` has no probe');
        return t.skip('this `ig` has no probe');
      }
      for (const job of [one(objects, 'Job', '-probe'), one(objects, 'Job', '-test')]) {
        await run(tools.ig, await probeArgs(job, `${at.gateway}/graphql`));
        // The service behind it answers everybody.
        const said = await attempt(tools.ig, await probeArgs(job, upstream.url));
        assert.ok(!said.ok, 'the probe passes where there is no guard');
      }
    });

    test('the probe fails where less is enforced; without a token it sees less', async () => {
      const gateway = { enabled: true, upstreams: ['graphql:4000'] };
      const presence = await release([valuesFile({ gateway, probe: { onlyPresence: true, waitSeconds: 1, holdSeconds: 1 } })]);
      const filters = (/** @type {any} */ bootstrap) =>
        bootstrap.static_resources.listeners[0].default_filter_chain?.filters[0].typed_config ??
        bootstrap.static_resources.listeners[0].filter_chains[0].filters[0].typed_config;
      /** @type {{ what: string, config?: string, edit?: (bootstrap: any) => void, passes: boolean, without: boolean }[]} */
      const cases = [
        { what: 'all of it', passes: true, without: true },
        {
          what: 'no filter',
          edit: (bootstrap) => {
            const manager = filters(bootstrap);
            const count = manager.http_filters.length;
            manager.http_filters = manager.http_filters.filter((/** @type {any} */ one) => one.name !== 'ig.guard');
            assert.equal(manager.http_filters.length, count - 1);
          },
          passes: false,
          without: false,
        },
        {
          what: 'no flag',
          edit: (bootstrap) => {
            const guard = filters(bootstrap).http_filters.find((/** @type {any} */ one) => one.name === 'ig.guard');
            assert.ok(guard.typed_config.config.allow_on_headers_stop_iteration);
            delete guard.typed_config.config.allow_on_headers_stop_iteration;
          },
          passes: false,
          without: true,
        },
        // Who asks is still asked for, and denied without a token; what for is only watched.
        { what: 'an allow-list in shadow', config: allowListInShadow(), passes: false, without: true },
        { what: 'all in shadow', config: shadowConfig(), passes: false, without: false },
      ];
      for (const { what, config, edit, passes, without } of cases) {
        const catalogues = [join(ROOT, 'persisted-queries/manifest.json')];
        const started = await startGateway(upstream, { catalogues, config, edit });
        try {
          const said = await attempt(tools.ig, await probeArgs(one(objects, 'Job', '-probe'), started.url));
          assert.equal(said.ok, passes, `${what}: ${said.stdout}${said.stderr}`);
          const less = await attempt(tools.ig, await probeArgs(one(presence, 'Job', '-probe'), started.url));
          // What `onlyPresence` is said not to see, so that nobody believes more of it.
          assert.equal(less.ok, without, `${what}, without a token: ${less.stdout}${less.stderr}`);
        } finally {
          await started.close();
        }
      }
    });

    test('rules and dashboards ask for metrics that there are', async () => {
      const { body } = await get(`${at.api}/metrics`, { authorization: `Bearer ${at.token}` });
      const types = [...body.matchAll(/^# TYPE (\S+) (\S+)/gm)];
      // What Prometheus calls them.
      const known = new Set(types.flatMap(([, name, type]) =>
        type === 'counter' ? [`${name}_total`] : type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name]));
      // Those with labels are not said before they have been counted.
      const isRegistered = (/** @type {string} */ name) => {
        const bare = name.replace(/^ig_/, '').replace(/(_seconds)?(_total|_bucket|_sum|_count)?$/, '');
        return sources.some((source) => source.includes(`"${bare}",`) || source.includes(`= "${name}";`));
      };
      let asked = 0;
      for (const [file, names] of expressions()) {
        for (const name of names) {
          assert.ok(known.has(name) || isRegistered(name), `${file}: ${name} is no metric of ours`);
        }
        asked += names.length;
      }
      assert.ok(asked > 10, `${asked}`);
    });
  });
});
