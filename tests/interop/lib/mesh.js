// @ts-check
// What `ig envoy render` writes for Istio and Envoy Gateway, and the pieces of it
// that the chart is made of.

import { parseAllDocuments } from 'yaml';

import { run } from './process.js';
import { ig } from './find.js';

/** What differs from one release to another stands here; templates/_mesh.tpl puts it in. */
const PLACEHOLDERS = [
  ...['--control-plane', 'control-plane.placeholder:1', '--graph', 'GRAPH-NAME'],
  ...['--control-plane-ca', '/PROXY-FOLDER/ca.crt', '--proxy-certificate', '/PROXY-FOLDER/tls.crt'],
  ...['--proxy-key', '/PROXY-FOLDER/tls.key', '--sds', '/PROXY-FOLDER', '--module', '/MODULE-PATH'],
  ...['--issuer', 'placeholder', '--jwks', 'https://jwks.placeholder:1/', '--jwks-ca', '/JWKS-CA'],
  ...['--audience', 'placeholder', '--text-store', 'placeholder=texts.placeholder:1'],
];

/**
 * `ig envoy render`, as objects.
 *
 * @param {string} flavour
 * @param {string[]} args
 * @returns {Promise<any[]>}
 */
export async function rendered(flavour, args) {
  const text = await run(/** @type {string} */ (ig), ['envoy', 'render', '--flavour', flavour, ...args]);
  return parseAllDocuments(text).map((document) => document.toJS());
}

/** The pieces, with placeholders. */
export async function pieces() {
  const of = ['--attach', 'gateway', '--label', 'a=b', '--name', 'placeholder'];
  const objects = await rendered('istio', [...of, ...PLACEHOLDERS]);
  const byKind = (/** @type {string} */ kind) => objects.find((object) => object.kind === kind);
  const filter = byKind('EnvoyFilter');
  /** @type {[string, string][]} */
  const files = Object.entries(byKind('ConfigMap').data);
  /** @param {string} applyTo @returns {any[]} */
  const values = (applyTo) =>
    filter.spec.configPatches
      .filter((/** @type {any} */ patch) => patch.applyTo === applyTo)
      .map((/** @type {any} */ patch) => patch.patch.value);
  const clusters = new Map(values('CLUSTER').map((cluster) => [cluster.name, cluster]));
  const filters = values('HTTP_FILTER');
  const tokens = filters.find((one) => one.name === 'ig.jwt_authn').typed_config;
  const { issuer: provider } = tokens.providers;
  Object.assign(tokens, { providers: {}, rules: [] });
  return {
    clusters: {
      controlPlane: clusters.get('control-plane'),
      jwks: clusters.get('jwks_issuer'),
      texts: clusters.get('placeholder'),
    },
    manager: values('NETWORK_FILTER')[0],
    provider,
    filters,
    sds: Object.fromEntries(files.map(([name, text]) => [name, JSON.parse(text)])),
  };
}
