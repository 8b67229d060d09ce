// @ts-check
// The chart as real Helm lints and renders it, and what an API server would say.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';

import { parse } from 'yaml';

import { ROOT, ig } from '../lib/find.js';
import {
  CHART,
  CI,
  REGIONS,
  attempt,
  nameOf,
  objectsOf,
  programs,
  recorded,
  release,
  skipHelm,
  template,
  valuesFile,
} from '../lib/helm.js';
import { NEWEST, VERSIONS, problems, wrong } from '../lib/kubernetes.js';
import { folder, run } from '../lib/process.js';

const text = (/** @type {string} */ path) => readFileSync(join(CHART, path), 'utf8');

/** Each set of values files that has to render. */
const RENDERS = [
  ...[...CI, ...REGIONS].map((file) => ({ name: nameOf(file), files: [file] })),
  // All regions' files, each region's own last.
  ...REGIONS.map((own) => ({
    name: `fleet-${nameOf(own)}`,
    files: [...REGIONS.filter((file) => file !== own), own, join(CHART, 'testdata/fleet.yaml')],
  })),
];

/** @type {{ name: string, files?: string[], values: any, kubernetes?: string, says: string }[]} */
const WRONG = parse(text('testdata/wrong.yaml'));

/** Values that ask for what the oldest Kubernetes does not have. */
const NEEDS_NEWER = new Set(['gateway']);

/** @param {any} object */
const podOf = (object) =>
  object.kind === 'Pod' ? object.spec : ['Deployment', 'StatefulSet', 'Job'].includes(object.kind) ? object.spec.template.spec : null;

describe('the chart', { skip: skipHelm() }, () => {
  test('is without a fault to `helm lint --strict`', async () => {
    for (const { name, files } of [{ name: 'defaults', files: [] }, ...RENDERS]) {
      const values = files.flatMap((file) => ['--values', file]);
      const said = await attempt(/** @type {string} */ (programs.helm), ['lint', '--strict', CHART, ...values]);
      assert.ok(said.ok, `${name}: ${said.stdout}${said.stderr}`);
    }
  });

  for (const { name, files } of RENDERS) {
    test(`${name} is as recorded, and valid`, async () => {
      const rendered = await template(files);
      assert.ok(rendered.ok, rendered.stderr);
      const kept = recorded(join(CHART, `testdata/golden/${name}.yaml`), rendered.stdout);
      assert.ok(rendered.stdout === kept, `${name} differs from testdata/golden; set IG_BLESS=1 to record it, and review the diff`);
      assert.doesNotMatch(rendered.stdout, /[ \t]$(?<!^ *)/m, 'space at the end of a line');
      const objects = objectsOf(rendered.stdout);
      assert.deepEqual(await problems(objects, NEEDS_NEWER.has(name) ? [NEWEST] : VERSIONS), []);
      for (const object of objects) checkObject(object);
    });
  }

  test('NOTES.txt of each release names what is there', async () => {
    for (const { name, files } of RENDERS) {
      const values = files.flatMap((file) => ['--values', file]);
      const args = ['install', 'guard', CHART, '--namespace', 'ig', '--dry-run=client', ...values];
      const said = await attempt(/** @type {string} */ (programs.helm), args);
      assert.ok(said.ok, `${name}: ${said.stderr}`);
      const notes = said.stdout.split('\nNOTES:\n')[1] ?? '';
      const objects = objectsOf((await template(files)).stdout);
      const names = new Set(objects.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`));
      const told = [...notes.matchAll(/\b(?:statefulset|deployment|service)\/[\w-]+/g)].map(([one]) => one);
      for (const one of told) assert.ok(names.has(one), `${name}: ${one}`);
      assert.match(notes, /get configmap guard-ig-guard-graph |get configmap guard-graph /, name);
      assert.equal(notes.includes('helm upgrade --wait'), objects.some(({ kind }) => kind === 'Job'), name);
    }
  });

  test('what is wrong together is refused, and the value named', async () => {
    for (const { name, files = [], values, kubernetes, says } of WRONG) {
      const base = files.map((file) => join(CHART, file));
      const said = await template([...base, valuesFile(values)], kubernetes);
      assert.ok(!said.ok, `${name} renders`);
      // Helm breaks its schema's messages into lines.
      const flat = said.stderr.replace(/\s+/g, ' ');
      assert.ok(flat.includes(says), `${name}: ${flat}`);
    }
  });

  test('hosts that only look like those of another region render', async () => {
    const eu = join(CHART, 'values/regions/eu-west-1.yaml');
    for (const [region, host] of [
      ['eu-west-1', 'db.eu-west-1a.internal:4000'],
      ['eu-west-1', 'db.eu-west-10.internal:4000'],
      ['eu-west-1', 'museast1.internal:4000'],
      ['eu-west-1', '[2001:db8::1]:4000'],
      ['eu-west-1', '[1:2:3:4:5:6:7:8]:4000'],
      // Two clouds' names of different places.
      ['us-east1', 'db.us-east1-b.internal:4000'],
    ]) {
      const regions = { [region]: { gateways: ['gateway.internal:443'], primary: [host], replicas: [] } };
      const tenants = { alpha: { region, jurisdiction: region.slice(0, 2) } };
      const said = await template([eu, valuesFile({ region, regions, tenants })]);
      assert.ok(said.ok, `${host}: ${said.stderr}`);
    }
  });

  test('the schema knows every value, and no other', () => {
    const schema = JSON.parse(text('values.schema.json'));
    const values = parse(text('values.yaml'));
    /** @param {any} of @param {any} value @param {string} path */
    const compare = (of, value, path) => {
      if (!of.properties) return;
      assert.equal(of.additionalProperties, false, `${path}: lets unknown keys pass`);
      // Helm's own, which every chart may be given.
      const known = Object.keys(of.properties).filter((key) => path || key !== 'global');
      const shown = path.startsWith('.regions') ? known : Object.keys(value ?? {});
      if (value && typeof value === 'object' && Object.keys(value).length > 0 && !/resources$/.test(path)) {
        assert.deepEqual(shown.toSorted(), known.toSorted(), `${path || 'values'}: values.yaml and values.schema.json`);
      }
      for (const key of known) compare(of.properties[key], value?.[key], `${path}.${key}`);
    };
    compare(schema, values, '');
  });

  test('README.md is what values.yaml says', async () => {
    const said = await attempt(/** @type {string} */ (programs.docs), [
      ...['--chart-search-root', CHART, '--dry-run'],
      ...['--sort-values-order', 'file', '--log-level', 'error', '--template-files', 'README.md.gotmpl'],
    ]);
    assert.ok(said.ok, said.stderr);
    const made = `${said.stdout.trim()}\n`;
    const rows = made.split('\n').filter((line) => line.startsWith('| `'));
    assert.ok(rows.length > 150, `${rows.length}`);
    for (const row of rows) assert.doesNotMatch(row, /\|\s*\|$/, `nothing says what this is: ${row}`);
    assert.ok(made === recorded(join(CHART, 'README.md'), made), 'README.md is older; set IG_BLESS=1 to write it');
  });

  test('a package has what renders, and nothing of the tests', async () => {
    await run(/** @type {string} */ (programs.helm), ['package', CHART, '--destination', folder]);
    const { version, appVersion } = parse(text('Chart.yaml'));
    // The images' tag, and so what the chart installs.
    const workspace = readFileSync(join(ROOT, 'Cargo.toml'), 'utf8').split('[workspace.package]')[1];
    assert.equal(appVersion, /^version = "(.*)"$/m.exec(workspace)?.[1]);
    const files = (await run('tar', ['-tzf', join(folder, `ig-guard-${version}.tgz`)])).split('\n');
    for (const wanted of ['values.schema.json', 'files/mesh.json', 'files/rules/control-plane.yaml', 'values/regions/eu-west-1.yaml']) {
      assert.ok(files.includes(`ig-guard/${wanted}`), wanted);
    }
    assert.deepEqual(files.filter((file) => /\/(ci|testdata)\//.test(file)), []);
  });

  test('a probe passes its token in a file, and says where it has none', async () => {
    const gateway = { enabled: true, upstreams: ['a:1'] };
    for (const [probe, has, lacks] of [
      [{ tokenSecretName: 'ig-probe', tokenSecretKey: 'access' }, '--token-file', '--expect-code'],
      [{ onlyPresence: true }, '--expect-code', '--token-file'],
    ]) {
      const objects = await release([valuesFile({ gateway, probe })]);
      const jobs = objects.filter(({ kind }) => kind === 'Job');
      assert.equal(jobs.length, 2);
      for (const job of jobs) {
        const pod = job.spec.template.spec;
        const [container] = pod.containers;
        assert.ok(container.args.includes(has) && !container.args.includes(lacks), container.args.join(' '));
        assert.equal(container.env, undefined);
        assert.doesNotMatch(container.args.join(' '), /bearer|\$\(/i);
        const items = pod.volumes?.[0].secret.items;
        assert.deepEqual(items, has === '--token-file' ? [{ key: 'access', path: 'token' }] : undefined);
      }
    }
  });

  test('a probe over TLS has its authority, and follows a rollback too', async () => {
    const gateway = { enabled: true, upstreams: ['a:1'] };
    const probe = {
      url: 'https://graph.example/graphql',
      tokenSecretName: 'ig-probe',
      ca: { secretName: 'ig-ca', key: 'root.pem' },
      extraArgs: ['--header', 'host: graph.example', '--timeout=9s', '--json'],
    };
    const jobs = (await release([valuesFile({ gateway, probe })])).filter(({ kind }) => kind === 'Job');
    assert.equal(jobs[0].metadata.annotations['helm.sh/hook'], 'post-install,post-upgrade,post-rollback');
    for (const job of jobs) {
      const pod = job.spec.template.spec;
      const [container] = pod.containers;
      const words = container.args.join(' ');
      assert.ok(words.includes('--ca /etc/ig/probe-ca/ca.crt --header host: graph.example --timeout=9s --json'), words);
      const volume = pod.volumes.find((/** @type {any} */ one) => one.name === 'ca');
      assert.deepEqual(volume.secret.items, [{ key: 'root.pem', path: 'ca.crt' }]);
      const mount = container.volumeMounts.find((/** @type {any} */ one) => one.name === 'ca');
      assert.equal(mount.mountPath, '/etc/ig/probe-ca');
    }
  });

  test('Prometheus is told who signed the certificate of the API', async () => {
    const own = { secret: { name: 'guard-ig-guard-api-tls', key: 'ca.crt' } };
    for (const [ca, wanted] of [
      [{}, own],
      [{ from: 'system' }, undefined],
      [{ from: 'secret', name: 'a', key: 'b' }, { secret: { name: 'a', key: 'b' } }],
      [{ from: 'configMap', name: 'a' }, { configMap: { name: 'a', key: 'ca.crt' } }],
    ]) {
      const monitoring = { serviceMonitor: { enabled: true, tokenSecretName: 't', ca } };
      const [monitor] = (await release([valuesFile({ monitoring })])).filter(({ kind }) => kind === 'ServiceMonitor');
      assert.deepEqual(monitor.spec.endpoints[0].tlsConfig.ca, wanted);
      assert.deepEqual(await problems([monitor], VERSIONS), []);
    }
  });

  test('no text of the values becomes more than a text', async () => {
    const bases = ['ha-postgres', 'gateway', 'istio', 'envoy-gateway'].map((name) =>
      ({ name, values: parse(text(`ci/${name}-values.yaml`)) }));
    const leaves = stringsOf(JSON.parse(text('values.schema.json')));
    assert.ok(leaves.length > 80, `${leaves.length}`);
    // Ends a quoted text, adds a key within braces, and starts a line.
    const EVIL = 'x", privileged: true\n  privileged: true\n  #';
    let rendered = 0;
    /** @param {{ name: string, values: any }} base @param {string[]} path */
    const check = async (base, path) => {
      const said = await template([valuesFile(withText(base.values, path, EVIL))]);
      const at = `${base.name} ${path.join('.')}`;
      // Refused by the schema or a check is well; broken by the text is one space from changed by it.
      assert.doesNotMatch(said.stderr, /YAML parse|converting YAML/, at);
      if (!said.ok) return;
      rendered += 1;
      const usual = await template([valuesFile(withText(base.values, path, 'x'))]);
      const objects = objectsOf(said.stdout);
      assert.deepEqual(keysOf(objects).filter((key) => key === 'privileged'), [], at);
      // Where the plain text is no value, there is nothing to compare with.
      if (usual.ok) assert.deepEqual(shapeOf(objects), shapeOf(objectsOf(usual.stdout)), at);
    };
    const cases = bases.flatMap((base) => leaves.map((path) => () => check(base, path)));
    await Promise.all([0, 1, 2, 3].map(async (lane) => {
      for (let index = lane; index < cases.length; index += 4) await cases[index]();
    }));
    assert.ok(rendered > 40, `${rendered}`);
  });

  test('names stay within what Kubernetes takes', async () => {
    const objects = await release([CI.find((file) => nameOf(file) === 'ha-postgres') ?? '', valuesFile({
      fullnameOverride: 'a-name-that-is-very-long-and-then-some-more-of-it-so-that-it-is-cut',
    })]);
    for (const { kind, metadata } of objects) assert.ok(metadata.name.length <= 63, `${kind} ${metadata.name}`);
  });

  test('commands of docs/kubernetes.md render, and those of `ig` are ones that exist', async () => {
    const page = readFileSync(join(ROOT, 'docs/kubernetes.md'), 'utf8');
    const blocks = (/** @type {string} */ kind) => page.split(`\`\`\`${kind}\n`).slice(1).map((rest) => rest.split('```')[0]);
    const commands = blocks('sh');
    assert.ok(commands.length > 4, `${commands.length}`);
    // Without it the probe asks pods that are on their way out.
    const upgrades = commands.join('').split('helm upgrade ').slice(1);
    for (const command of upgrades) assert.match(command, /^--install --wait /);
    const script = `
      helm() {
        local args=()
        for word in "$@"; do
          case "$word" in upgrade) args+=(template) ;; --install | --create-namespace | --wait) ;; *) args+=("$word") ;; esac
        done
        command helm "\${args[@]}" > /dev/null
      }
      ${commands.join('')}`;
    const path = `${dirname(/** @type {string} */ (programs.helm))}:${process.env.PATH}`;
    await run('bash', ['-euxo', 'pipefail', '-c', script], { cwd: ROOT, env: { ...process.env, PATH: path } });
    if (!ig) return;
    const typed = blocks('text').join('').replaceAll('\\\n', ' ').split('\n').filter((line) => line.startsWith('ig '));
    assert.ok(typed.length > 4, `${typed.length}`);
    for (const line of typed) {
      const [, ...words] = line.split(/\s+/);
      const help = await run(ig, [...words.slice(0, 2), '--help']);
      for (const option of words.filter((word) => word.startsWith('--'))) assert.ok(help.includes(option), line);
    }
  });

  test('the checks of objects find what is wrong', async () => {
    const meta = { name: 'x', namespace: 'y' };
    const cases = [
      [{ apiVersion: 'v1', kind: 'Service', metadata: meta, spec: { ports: [{ port: 1, prot: 1 }] } }, /'prot' was unexpected/],
      [{ apiVersion: 'monitoring.coreos.com/v1', kind: 'PrometheusRule', metadata: meta, spec: { groups: [], group: 1 } }, /\/spec\/group: unknown field/],
      [{ apiVersion: 'networking.istio.io/v1alpha3', kind: 'EnvoyFilter', metadata: meta, spec: { configPatches: [{ applyTo: 'CLUSTER', aplyTo: 'X' }] } }, /aplyTo: unknown field/],
      [{ apiVersion: 'networking.istio.io/v1alpha3', kind: 'EnvoyFilter', metadata: meta, spec: { configPatches: [{ applyTo: 'CLUSTERS' }] } }, /applyTo/],
      [{ apiVersion: 'cert-manager.io/v1', kind: 'Certificate', metadata: meta, spec: { secretName: 's' } }, /issuerRef/],
      [{ apiVersion: 'cert-manager.io/v1', kind: 'Certificate', metadata: meta, spec: { secretName: 's', issuerRef: { name: 'i' }, dnsName: [] } }, /dnsName: unknown field/],
      [{ apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute', metadata: meta, spec: { rules: [{ backendRef: [] }] } }, /backendRef: unknown field/],
      [{ apiVersion: 'gateway.envoyproxy.io/v1alpha1', kind: 'EnvoyPatchPolicy', metadata: meta, spec: { type: 'JSONPatch', target: {} } }, /\/spec\/target: unknown field/],
      [{ apiVersion: 'example.com/v1', kind: 'Thing', metadata: meta }, /nothing here knows it/],
    ];
    for (const [object, says] of cases) {
      assert.match((await problems([object], VERSIONS)).join('\n'), /** @type {RegExp} */ (says));
    }
    assert.deepEqual(wrong({ type: 'integer' }, 'x', '/a'), ['/a: string, not integer']);
  });
});

/**
 * Paths of the texts that values may have by the schema: `[]` is an item, `*` a key of one's own.
 *
 * @param {any} schema
 * @param {string[]} [path]
 * @returns {string[][]}
 */
function stringsOf(schema, path = []) {
  if (schema === null || typeof schema !== 'object') return [];
  const inner = [
    ...Object.entries(schema.properties ?? {}).flatMap(([key, of]) => stringsOf(of, [...path, key])),
    ...stringsOf(schema.additionalProperties ?? null, [...path, '*']),
    ...stringsOf(schema.items ?? null, [...path, '[]']),
  ];
  return schema.type === 'string' && !schema.enum ? [path, ...inner] : inner;
}

/**
 * Values with a text at a path.
 *
 * @param {any} values
 * @param {string[]} path
 * @param {string} text
 * @returns {any}
 */
function withText(values, [step, ...rest], text) {
  if (step === undefined) return text;
  if (step === '[]') return [withText(values?.[0], rest, text)];
  const key = step === '*' ? (Object.keys(values ?? {})[0] ?? 'eu-west-1') : step;
  return { ...values, [key]: withText(values?.[key], rest, text) };
}

/** @param {any} value @returns {string[]} */
const keysOf = (value) =>
  value === null || typeof value !== 'object' ? [] : Object.entries(value).flatMap(([key, inner]) => [key, ...keysOf(inner)]);

/** Where something stands, and what kind of thing. @param {any} value @returns {any} */
const shapeOf = (value) =>
  value === null || typeof value !== 'object'
    ? typeof value
    : Array.isArray(value)
      ? value.map(shapeOf)
      : Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]));

/**
 * What holds for every object: where it is, whose it is, and that no pod may do
 * what the restricted standard forbids.
 *
 * @param {any} object
 */
function checkObject(object) {
  const name = `${object.kind} ${object.metadata.name}`;
  assert.equal(object.metadata.namespace, 'ig', name);
  assert.equal(object.metadata.labels['app.kubernetes.io/instance'], 'guard', name);
  if (object.kind === 'ServiceAccount') assert.equal(object.automountServiceAccountToken, false, name);
  const pod = podOf(object);
  if (!pod) return;
  assert.equal(pod.automountServiceAccountToken, false, name);
  assert.equal(pod.securityContext.runAsNonRoot, true, name);
  assert.equal(pod.securityContext.seccompProfile.type, 'RuntimeDefault', name);
  for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
    const at = `${name} ${container.name}`;
    const { securityContext } = container;
    assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] }, at);
    assert.equal(securityContext.allowPrivilegeEscalation, false, at);
    assert.equal(securityContext.readOnlyRootFilesystem, true, at);
    assert.match(container.image, /@sha256:[0-9a-f]{64}$|:[^:]*\d[^:]*$/, `${at}: an image without a version`);
    assert.ok(container.resources.requests && container.resources.limits, at);
    for (const { name: volume, mountPath } of container.volumeMounts ?? []) {
      const known = [...(pod.volumes ?? []), ...(object.spec.volumeClaimTemplates ?? []).map((/** @type {any} */ one) => one.metadata)];
      assert.ok(known.some((one) => one.name === volume), `${at}: ${mountPath} of no volume`);
    }
  }
}
