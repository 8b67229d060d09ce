// @ts-check
// What the tier needs of the repository, built before.

import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { ROOT, built, find, isExecutable } from './find.js';

export { ROOT };

/**
 * @typedef {object} Tools
 * @property {string} ig The command line.
 * @property {string} upstream The demo upstream.
 * @property {string} controlPlane The control plane.
 * @property {string} guard The guard's Wasm module.
 * @property {string} envoy Envoy.
 */

function envoys() {
  const libs = join(ROOT, '.tools/venv/lib');
  const pythons = existsSync(libs) ? readdirSync(libs).sort() : [];
  const installed = pythons.map((python) => join(libs, python, 'site-packages/envoy/_bin/envoy'));
  const onPath = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return [...installed, ...onPath.map((folder) => join(folder, 'envoy'))];
}

/**
 * The tools, or why there are none. A missing tool is an error where `CI` is
 * set: a tier that skips itself there would prove nothing.
 *
 * @returns {{ tools: Tools, skip: false } | { tools: Tools, skip: string }}
 */
function look() {
  const found = {
    ig: find('IG_BIN', built('ig'), isExecutable),
    controlPlane: find('IG_CONTROL_PLANE_BIN', built('ig-control-plane'), isExecutable),
    upstream: find('IG_UPSTREAM_BIN', built('ig-demo-upstream'), isExecutable),
    guard: find('IG_GUARD_WASM', [join(ROOT, 'target/wasm/ig_guard.wasm')], existsSync),
    envoy: find('IG_ENVOY', envoys(), isExecutable),
  };
  const hints = {
    ig: 'ig: cargo build -p ig-cli, or set IG_BIN',
    controlPlane: 'ig-control-plane: cargo build -p ig-control-plane, or set IG_CONTROL_PLANE_BIN',
    upstream: 'ig-demo-upstream: cargo build -p ig-demo-upstream, or set IG_UPSTREAM_BIN',
    guard: 'ig_guard.wasm: cargo xtask build, or set IG_GUARD_WASM',
    envoy: 'Envoy: cargo xtask setup, or set IG_ENVOY',
  };
  const names = /** @type {(keyof Tools)[]} */ (Object.keys(hints));
  const missing = names.filter((name) => !found[name]).map((name) => hints[name]);
  const tools = /** @type {Tools} */ (found);
  if (missing.length === 0) return { tools, skip: false };
  const message = `missing tools:\n  ${missing.join('\n  ')}`;
  if (process.env.CI) throw new Error(message);
  console.error(`SKIPPED: ${message}`);
  return { tools, skip: `SKIPPED: ${message}` };
}

export const { tools, skip } = look();

/** Cosign, as `cargo xtask setup --with cosign` builds it. */
export const cosign = find('IG_COSIGN', [join(ROOT, '.tools/bin/cosign')], isExecutable);

/** What verifies exports, and what makes one to verify. */
export const signing = {
  ig: find('IG_BIN', built('ig'), isExecutable),
  verify: find('IG_VERIFY_BIN', built('ig-verify'), isExecutable),
  fixtures: find('IG_FIXTURES_BIN', built('examples/fixtures'), isExecutable),
};

/**
 * Why there are no tests of signed exports; an error where `CI` is set.
 *
 * @param {boolean} withCosign
 */
export function skipSigning(withCosign) {
  const missing = [
    signing.ig ? [] : ['ig: cargo build -p ig-cli, or set IG_BIN'],
    signing.verify ? [] : ['ig-verify: cargo build -p ig-verify, or set IG_VERIFY_BIN'],
    signing.fixtures
      ? []
      : ['fixtures: cargo build -p ig-signing --example fixtures, or set IG_FIXTURES_BIN'],
    cosign || !withCosign ? [] : ['cosign: cargo xtask setup --with cosign, or set IG_COSIGN'],
  ].flat();
  if (missing.length === 0) return false;
  const message = `missing tools:\n  ${missing.join('\n  ')}`;
  if (process.env.CI) throw new Error(message);
  console.error(`SKIPPED: ${message}`);
  return `SKIPPED: ${message}`;
}

const opaCases = join(ROOT, '.tools/opa-cases');

/** OPA, the cases it tests itself with, and what is compared with it. */
export const policies = {
  ig: find('IG_BIN', built('ig'), isExecutable),
  opa: find('IG_OPA', [join(ROOT, '.tools/bin/opa')], isExecutable),
  cases: find(
    'IG_OPA_CASES',
    existsSync(opaCases) ? readdirSync(opaCases).sort().reverse().map((name) => join(opaCases, name)) : [],
    existsSync,
  ),
};

/** Why there are no tests with OPA; an error where `CI` is set. */
export function skipPolicies() {
  const hints = {
    ig: 'ig: cargo build -p ig-cli, or set IG_BIN',
    opa: 'OPA: cargo xtask setup --with opa, or set IG_OPA',
    cases: "OPA's cases: cargo xtask setup --with opa, or set IG_OPA_CASES",
  };
  const names = /** @type {(keyof typeof hints)[]} */ (Object.keys(hints));
  const missing = names.filter((name) => !policies[name]).map((name) => hints[name]);
  if (missing.length === 0) return false;
  const message = `missing tools:\n  ${missing.join('\n  ')}`;
  if (process.env.CI) throw new Error(message);
  console.error(`SKIPPED: ${message}`);
  return `SKIPPED: ${message}`;
}

/** Debian's Chromium, or another that speaks its protocol. */
export const chromium = find(
  'IG_CHROMIUM',
  (process.env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .flatMap((folder) => ['chromium', 'chromium-browser'].map((name) => join(folder, name))),
  isExecutable,
);

/** Why there are no tests with a browser; an error where `CI` is set. */
export function skipBrowser() {
  if (skip || chromium) return skip;
  const message = 'missing tools:\n  Chromium: cargo xtask setup --with browser, or set IG_CHROMIUM';
  if (process.env.CI) throw new Error(message);
  console.error(`SKIPPED: ${message}`);
  return `SKIPPED: ${message}`;
}
