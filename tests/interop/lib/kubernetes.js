// @ts-check
// What is wrong with an object, as the API server would say it, and more: the
// published models let unknown fields of custom resources pass.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { stringify } from 'yaml';

import { CHART, attempt, programs } from './helm.js';
import { folder } from './process.js';

/** The oldest and the newest Kubernetes that the chart is for. */
export const NEWEST = '1.37';
export const VERSIONS = ['1.30', NEWEST];

/** API groups that Kubernetes has by itself. */
const isCore = (/** @type {string} */ apiVersion) =>
  !apiVersion.includes('.') || /^(apps|batch|policy|autoscaling)\/|\.k8s\.io\/v\d+$/.test(apiVersion);

/** Packages with models of custom resources, by API group. */
const PACKAGES = new Map([
  ['networking.istio.io', '@kubernetes-models/istio'],
  ['gateway.networking.k8s.io', '@kubernetes-models/gateway-api'],
  ['monitoring.coreos.com', '@kubernetes-models/prometheus-operator'],
  ['cert-manager.io', '@kubernetes-models/cert-manager'],
]);

/** Where anything may stand, by kind: paths as JSON pointers, `*` for one step. */
const FREE = new Map([
  ['EnvoyFilter', ['/spec/configPatches/*/patch/value']],
  ['PrometheusRule', []],
]);

/** Kinds without published models: fields by path, as in the CRD. */
const OWN = new Map([
  [
    'gateway.envoyproxy.io/v1alpha1 EnvoyPatchPolicy',
    JSON.parse(readFileSync(join(CHART, 'testdata/envoy-patch-policy.schema.json'), 'utf8')),
  ],
]);

/**
 * @param {any[]} objects
 * @param {string[]} versions Of Kubernetes.
 * @returns {Promise<string[]>}
 */
export async function problems(objects, versions) {
  const isCustom = (/** @type {any} */ object) =>
    PACKAGES.has(object.apiVersion.split('/')[0]) || OWN.has(`${object.apiVersion} ${object.kind}`);
  const custom = objects.filter(isCustom);
  const core = objects.filter((object) => !isCustom(object));
  const strange = core.filter((object) => !isCore(object.apiVersion));
  const said = strange.map((object) => `${object.apiVersion} ${object.kind}: nothing here knows it`);
  for (const object of custom) said.push(...(await ofCustom(object)));
  return [...said, ...(await ofCore(core.filter((object) => !strange.includes(object)), versions))];
}

/** @param {any[]} objects @param {string[]} versions */
async function ofCore(objects, versions) {
  const file = join(folder, 'objects.yaml');
  writeFileSync(file, objects.map((object) => stringify(object)).join('---\n'));
  const said = [];
  for (const version of versions) {
    const args = ['--strict', '--no-warn', '-k', version, file];
    const checked = await attempt(/** @type {string} */ (programs.validate), args);
    const lines = `${checked.stdout}${checked.stderr}`.split('\n').filter((line) => line.trim());
    const passed = lines.filter((line) => / passed/.test(line));
    if (!checked.ok || passed.length !== objects.length) {
      said.push(...lines.filter((line) => !passed.includes(line)).map((line) => `${version}: ${line}`));
      said.push(`${version}: ${passed.length} of ${objects.length} objects are valid`);
    }
  }
  return said;
}

/**
 * @param {any} object
 * @returns {Promise<string[]>}
 */
async function ofCustom(object) {
  const { apiVersion, kind, metadata } = object;
  const of = (/** @type {string} */ what) => `${kind} ${metadata.name}: ${what}`;
  const own = OWN.get(`${apiVersion} ${kind}`);
  if (own) return wrong(own, object, '').map(of);
  const [group, version] = apiVersion.split('/');
  const { [kind]: Model } = await import(`${PACKAGES.get(group)}/${group}/${version}/${kind}`);
  try {
    new Model(object).validate();
  } catch (error) {
    return [of(/** @type {Error} */ (error).message)];
  }
  return unread(Model, object)
    .filter((path) => !path.startsWith('/metadata/'))
    .filter((path) => !(FREE.get(kind) ?? []).some((free) => isBelow(path, free)))
    .map((path) => of(`${path}: unknown field`));
}

/**
 * Fields that the model's validation has not even looked at: those that the
 * schema does not have. It is code made of the schema, which reads a member only
 * where the schema has it.
 *
 * @param {any} Model
 * @param {any} object
 */
function unread(Model, object) {
  /** @type {Set<string>} */
  const read = new Set();
  const watched = (/** @type {any} */ value, /** @type {string} */ path) =>
    value === null || typeof value !== 'object'
      ? value
      : new Proxy(value, {
          get(target, key, receiver) {
            const member = Reflect.get(target, key, receiver);
            if (typeof key === 'symbol' || !Object.hasOwn(target, key)) return member;
            read.add(`${path}/${key}`);
            return watched(member, `${path}/${key}`);
          },
        });
  // `validate` of an instance copies; that of the class is given the object itself.
  Model.prototype.validate.call(watched(object, ''));
  return pathsOf(object, '').filter((path) => !read.has(path));
}

/**
 * @param {any} value
 * @param {string} path
 * @returns {string[]}
 */
function pathsOf(value, path) {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, member]) => [`${path}/${key}`, ...pathsOf(member, `${path}/${key}`)]);
}

/** @param {string} path @param {string} pattern */
function isBelow(path, pattern) {
  const [steps, wanted] = [path.split('/'), pattern.split('/')];
  return steps.length > wanted.length && wanted.every((step, index) => step === '*' || step === steps[index]);
}

/**
 * What is wrong with a value by a small part of JSON Schema: type, enum, pattern,
 * required, properties (no others), items.
 *
 * @param {any} schema
 * @param {any} value
 * @param {string} path
 * @returns {string[]}
 */
export function wrong(schema, value, path) {
  if (schema === true) return [];
  const type = Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
  if (schema.type && schema.type !== type) return [`${path}: ${type}, not ${schema.type}`];
  if (schema.enum && !schema.enum.includes(value)) return [`${path}: ${value} is not one of ${schema.enum}`];
  if (schema.pattern && !new RegExp(schema.pattern).test(value)) return [`${path}: ${value} is not ${schema.pattern}`];
  if (type === 'array') {
    return value.flatMap((/** @type {any} */ item, /** @type {number} */ index) =>
      wrong(schema.items ?? true, item, `${path}/${index}`),
    );
  }
  if (type !== 'object' || !schema.properties) return [];
  const missing = (schema.required ?? []).filter((/** @type {string} */ key) => !(key in value));
  return [
    ...missing.map((/** @type {string} */ key) => `${path}/${key}: is missing`),
    ...Object.entries(value).flatMap(([key, member]) =>
      key in schema.properties
        ? wrong(schema.properties[key], member, `${path}/${key}`)
        : [`${path}/${key}: unknown field`],
    ),
  ];
}
