// @ts-check
// The chart's objects of Istio and Envoy Gateway are those of `ig envoy render`.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { skipIg } from '../lib/find.js';
import { CHART, CI, NAMESPACE, RELEASE, nameOf, one, recorded, release, skipHelm, valuesFile } from '../lib/helm.js';
import { pieces, rendered } from '../lib/mesh.js';
import { folder } from '../lib/process.js';

const HOST = `${RELEASE}-ig-guard-control-plane.${NAMESPACE}.svc.cluster.local:18000`;
const LOGIN = ['--issuer', 'https://login.example', '--jwks', 'https://login.example/keys'];
const PARTNER = ['--issuer', 'https://partner.example', '--jwks', 'https://keys.partner.example:8443/jwks.json?v=1'];

/** @param {string} address @param {string} certificates */
const common = (address, certificates) => [
  ...['--namespace', NAMESPACE, '--graph', 'demo', '--module', '/etc/envoy/ig_guard.wasm'],
  ...['--control-plane', address, '--control-plane-ca', `${certificates}/ca.crt`],
  ...['--proxy-certificate', `${certificates}/tls.crt`, '--proxy-key', `${certificates}/tls.key`],
  ...['--sds', certificates],
];

/** Values of `ci/`, and what one would type in their place. */
const CASES = [
  {
    values: 'istio',
    flavour: 'istio',
    args: () => [
      ...['--attach', 'gateway', '--label', 'istio=ingressgateway', '--port', '8080'],
      ...['--name', `${RELEASE}-ig-guard-istio`, ...common(HOST, '/etc/ig/proxy')],
      ...[...LOGIN, ...PARTNER, '--audience', 'graph'],
    ],
  },
  {
    values: 'istio-sidecar',
    flavour: 'istio',
    args: (/** @type {any[]} */ objects) => [
      ...['--attach', 'sidecar', '--label', 'app=graphql', '--name', `${RELEASE}-ig-guard-istio`],
      ...common('ig.platform.example:18000', '/etc/ig/proxy'),
      ...['--text-store', 'texts=texts.shop.svc.cluster.local:8080'],
      ...['--issuer', 'https://issuer.localhost', '--jwks', file(objects, 'jwks-0.json')],
      ...['--config', file(objects, 'guard.toml')],
    ],
  },
  {
    values: 'istio-waypoint',
    flavour: 'istio',
    args: () => [
      ...['--attach', 'waypoint', '--service', 'graphql', '--name', `${RELEASE}-ig-guard-istio`],
      ...[...common(HOST, '/etc/waypoint'), ...LOGIN, '--audience', 'graph'],
    ],
  },
  {
    values: 'envoy-gateway',
    flavour: 'envoy-gateway',
    args: () => [
      ...['--gateway', 'edge', '--listener', 'http', '--listener', 'internal', '--port', '8080'],
      ...['--gateway-class', 'eg', '--upstream', 'graphql:4000', '--name', `${RELEASE}-ig-guard-envoy-gateway`],
      ...[...common(HOST, '/etc/ig/proxy'), ...LOGIN, '--audience', 'graph', '--audience', 'mobile'],
    ],
  },
];

/** @param {any[]} objects @param {string} key */
function file(objects, key) {
  const path = join(folder, key);
  // As `kubectl` would write it, but for the end that a block of YAML adds.
  writeFileSync(path, one(objects, 'ConfigMap', '-graph').data[key].trimEnd());
  return path;
}

/** What of an object is ours: the chart's labels and annotations say who installed it. */
const bare = (/** @type {any} */ object) => {
  const { name, namespace } = object.metadata;
  const made = { ...object, metadata: { name, namespace } };
  // Texts of JSON, whose members may stand in another order.
  if (object.kind === 'ConfigMap') {
    /** @type {[string, string][]} */
    const files = Object.entries(object.data);
    made.data = Object.fromEntries(files.map(([name, text]) => [name, JSON.parse(text)]));
  }
  return made;
};

const KINDS = new Set(['EnvoyFilter', 'EnvoyPatchPolicy', 'Gateway', 'HTTPRoute']);
const isMeshs = (/** @type {any} */ { kind, metadata }) =>
  KINDS.has(kind) || (kind === 'ConfigMap' && metadata.name.endsWith('-sds'));
const byKind = (/** @type {any} */ left, /** @type {any} */ right) => left.kind.localeCompare(right.kind);

/** @param {string} values */
const fileOf = (values) => /** @type {string} */ (CI.find((path) => nameOf(path) === values));

describe('meshes', { skip: skipHelm() || skipIg() }, () => {
  test('files/mesh.json is what `ig envoy render` writes', async () => {
    const made = `${JSON.stringify(await pieces(), null, 2)}\n`;
    assert.ok(made === recorded(join(CHART, 'files/mesh.json'), made), 'files/mesh.json is older; set IG_BLESS=1 to write it');
  });

  for (const { values, flavour, args } of CASES) {
    test(`${values} is what \`ig envoy render\` writes`, async () => {
      const objects = await release([fileOf(values)]);
      const ours = objects.filter(isMeshs).map(bare);
      const wanted = (await rendered(flavour, args(objects))).map(bare);
      assert.deepEqual(ours.toSorted(byKind), wanted.toSorted(byKind));
    });
  }

  test('without issuers nothing verifies tokens, as `ig envoy render` has it', async () => {
    const values = { istio: { enabled: true, selector: { gateway: 'edge' } }, graph: 'demo', probe: { enabled: false } };
    const ours = (await release([valuesFile(values)])).filter(isMeshs).map(bare);
    const args = ['--attach', 'gateway', '--gateway', 'edge', '--name', `${RELEASE}-ig-guard-istio`];
    const wanted = (await rendered('istio', [...args, ...common(HOST, '/etc/ig/proxy')])).map(bare);
    assert.deepEqual(ours.toSorted(byKind), wanted.toSorted(byKind));
  });

  test('values may be called what placeholders are', async () => {
    const graph = 'PROXY-FOLDER';
    const objects = await release([fileOf('istio'), valuesFile({ graph, guard: { modulePath: '/x/JWKS-CA' } })]);
    const filter = JSON.stringify(one(objects, 'EnvoyFilter'));
    assert.match(filter, /"name":"ig\.guard\.PROXY-FOLDER"/);
    assert.match(filter, /"filename":"\/x\/JWKS-CA"/);
    assert.doesNotMatch(filter, /MODULE-PATH|GRAPH-NAME/);
  });

  test('settings count however their TOML is spelt', async () => {
    const spellings = [
      '[limits]\nmax-body-bytes = 4_194_304\n[identity]\nmetadata-key = "verified"\n',
      'limits = { "max-body-bytes" = 0x40_0000 }\nidentity = { metadata-key = \'verified\' }\n',
      'limits.max-body-bytes = 4194304\n"identity"."metadata-key" = "verified"\n',
      '# max-body-bytes = 1\n[ "limits" ]\n\'max-body-bytes\' = 0o20000000\n[identity]\n"metadata\\u002dkey" = "verified"\n',
    ];
    const sets = await Promise.all(spellings.map((settings) =>
      release([fileOf('istio-sidecar'), valuesFile({ guard: { settings } })])));
    for (const [index, objects] of sets.entries()) {
      const filter = one(objects, 'EnvoyFilter');
      assert.deepEqual(filter, one(sets[0], 'EnvoyFilter'), spellings[index]);
      const text = JSON.stringify(filter);
      assert.match(text, /"per_connection_buffer_limit_bytes":4194304/, spellings[index]);
      assert.match(text, /"payload_in_metadata":"verified"/, spellings[index]);
    }
  });

  test('Envoy Gateway finds listeners by their ports where it calls them so', async () => {
    const ports = { envoyGateway: { ports: [8080, 8081] } };
    const [byName, byPort] = await Promise.all([[], [valuesFile(ports)]].map((more) => release([fileOf('envoy-gateway'), ...more])));
    const patches = (/** @type {any[]} */ objects) => one(objects, 'EnvoyPatchPolicy').spec.jsonPatches;
    const renamed = patches(byName).map((/** @type {any} */ patch) => ({
      ...patch,
      name: patch.name.replace('ig/edge/http', 'tcp-8080').replace('ig/edge/internal', 'tcp-8081'),
    }));
    assert.deepEqual(patches(byPort), renamed);
    assert.deepEqual(one(byPort, 'Gateway'), one(byName, 'Gateway'));
    const { flavour, args } = CASES[CASES.length - 1];
    const typed = (await rendered(flavour, [...args([]), '--listener-port', '8080', '--listener-port', '8081'])).map(bare);
    const ours = byPort.filter(isMeshs).map(bare);
    assert.deepEqual(ours.toSorted(byKind), typed.toSorted(byKind));
  });

  test('proxies say what their module reads, where it is of another release', async () => {
    const said = (/** @type {any[]} */ objects) =>
      [...JSON.stringify(one(objects, 'EnvoyFilter')).matchAll(/"key":"x-ig-snapshot-formats","value":"([^"]*)"/g)].map(([, value]) => value);
    const mesh = { snapshotFormats: '7-9' };
    const [usual, older] = await Promise.all([[], [valuesFile({ mesh })]].map((more) => release([fileOf('istio'), ...more])));
    assert.equal(said(usual).length, 1);
    assert.notDeepEqual(said(usual), ['7-9']);
    assert.deepEqual(said(older), ['7-9']);
  });
});
