// @ts-check
// The chart, rendered by the real Helm.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { parseAllDocuments } from 'yaml';

import { ROOT, find, isExecutable } from './find.js';
import { folder } from './process.js';

export const CHART = join(ROOT, 'charts/ig-guard');

const tool = (/** @type {string} */ path) => [join(ROOT, '.tools', path)];

export const programs = {
  helm: find('IG_HELM', tool('bin/helm'), isExecutable),
  docs: find('IG_HELM_DOCS', tool('bin/helm-docs'), isExecutable),
  validate: find('IG_KUBERNETES_VALIDATE', tool('venv/bin/kubernetes-validate'), isExecutable),
};

/** Why there are no tests of the chart; an error where `CI` is set. */
export function skipHelm() {
  const names = { helm: 'helm', docs: 'helm-docs', validate: 'kubernetes-validate' };
  const keys = /** @type {(keyof typeof names)[]} */ (Object.keys(names));
  const missing = keys.filter((key) => !programs[key]).map((key) => names[key]);
  if (missing.length === 0) return false;
  const message = `missing tools:\n  ${missing.join(', ')}: cargo xtask setup --with helm`;
  if (process.env.CI) throw new Error(message);
  console.error(`SKIPPED: ${message}`);
  return `SKIPPED: ${message}`;
}

/** @param {string} inner A folder of the chart. */
const filesIn = (inner) =>
  readdirSync(join(CHART, inner))
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map((name) => join(CHART, inner, name));

/** Values that the chart is tested with, and those of regions. */
export const CI = filesIn('ci');
export const REGIONS = filesIn('values/regions');

/** @param {string} file */
export const nameOf = (file) => basename(file, '.yaml').replace(/-values$/, '');

/**
 * @typedef {object} Outcome
 * @property {boolean} ok
 * @property {string} stdout
 * @property {string} stderr
 */

/**
 * Runs a program, whatever comes of it.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {Record<string, string>} [variables] Beside those of this process.
 * @returns {Promise<Outcome>}
 */
export function attempt(program, args, variables) {
  const env = { ...process.env, ...variables };
  return new Promise((resolve) => {
    execFile(program, args, { encoding: 'utf8', maxBuffer: 64 << 20, env }, (error, stdout, stderr) =>
      resolve({ ok: !error, stdout, stderr }),
    );
  });
}

let serial = 0;

/**
 * A file of values.
 *
 * @param {unknown} values
 */
export function valuesFile(values) {
  const file = join(folder, `values-${++serial}.yaml`);
  // JSON is YAML, and with escapes each character arrives: some end a line of YAML.
  const text = JSON.stringify(values);
  writeFileSync(file, text.replace(/[\u007f-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`));
  return file;
}

/** The release's name and namespace in all tests. */
export const RELEASE = 'guard';
export const NAMESPACE = 'ig';

/**
 * `helm template`, with values of files, later ones over earlier ones.
 *
 * @param {string[]} files
 * @param {string} [kubernetes] The cluster's version.
 */
export const template = (files, kubernetes = '1.37.0') =>
  attempt(/** @type {string} */ (programs.helm), [
    ...['template', RELEASE, CHART, '--namespace', NAMESPACE],
    ...['--kube-version', kubernetes],
    ...files.flatMap((file) => ['--values', file]),
  ]);

/**
 * The objects that a render has.
 *
 * @param {string} text
 * @returns {any[]}
 */
export const objectsOf = (text) =>
  parseAllDocuments(text)
    .map((document) => {
      if (document.errors.length > 0) throw document.errors[0];
      return document.toJS();
    })
    .filter((object) => object !== null);

/**
 * The objects of a release.
 *
 * @param {string[]} files
 */
export async function release(files) {
  const rendered = await template(files);
  if (!rendered.ok) throw new Error(`${files.map(nameOf).join(' ')}: ${rendered.stderr}`);
  return objectsOf(rendered.stdout);
}

/**
 * The one object of a kind whose name ends so.
 *
 * @param {any[]} objects
 * @param {string} kind
 * @param {string} [suffix]
 */
export function one(objects, kind, suffix = '') {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name.endsWith(suffix));
  if (found.length !== 1) throw new Error(`${found.length} times ${kind} …${suffix}`);
  return found[0];
}

/**
 * Compares with a file that is kept, or with `IG_BLESS` writes it.
 *
 * @param {string} file
 * @param {string} text
 */
export function recorded(file, text) {
  if (process.env.IG_BLESS) writeFileSync(file, text);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
