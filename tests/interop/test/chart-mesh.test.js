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
      ...[...common(HOST, '/etc/waypoint'), ...LOGIN],
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
  return { ...object, metadata: { name, namespace } };
};

const KINDS = new Set(['EnvoyFilter', 'EnvoyPatchPolicy', 'Gateway', 'HTTPRoute']);
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
      const ours = objects.filter((object) => KINDS.has(object.kind)).map(bare);
      const wanted = await rendered(flavour, args(objects));
      assert.deepEqual(ours.toSorted(byKind), wanted.toSorted(byKind));
    });
  }

  test('without issuers nothing verifies tokens, as `ig envoy render` has it', async () => {
    const values = { istio: { enabled: true, selector: { gateway: 'edge' } }, graph: 'demo' };
    const ours = (await release([valuesFile(values)])).filter((object) => KINDS.has(object.kind)).map(bare);
    const args = ['--attach', 'gateway', '--gateway', 'edge', '--name', `${RELEASE}-ig-guard-istio`];
    assert.deepEqual(ours, await rendered('istio', [...args, ...common(HOST, '/etc/ig/proxy')]));
  });
});
