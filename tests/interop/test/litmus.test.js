// @ts-check
// Experiments of Litmus: each is what its CRD has, spelt as the operator reads it, and
// its probes ask for metrics that there are. The CRD lets unknown fields pass, so a
// probe that is misspelt would never be asked.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { parse } from 'yaml';

import { ROOT } from '../lib/find.js';
import { wrong } from '../lib/kubernetes.js';

const FOLDER = join(ROOT, 'chaos/litmus');
const schema = JSON.parse(readFileSync(join(FOLDER, 'chaos-engine.schema.json'), 'utf8'));
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));

/** @param {string} name @returns {any} */
const read = (name) => parse(readFileSync(join(FOLDER, name), 'utf8'));

/** What each fault has to be told, as its experiment says. */
const NEEDS = new Map([
  ['pod-delete', ['TOTAL_CHAOS_DURATION', 'CHAOS_INTERVAL', 'FORCE', 'PODS_AFFECTED_PERC']],
  ['pod-network-latency', ['TOTAL_CHAOS_DURATION', 'NETWORK_LATENCY', 'JITTER', 'PODS_AFFECTED_PERC']],
  ['pod-dns-error', ['TOTAL_CHAOS_DURATION', 'TARGET_HOSTNAMES', 'MATCH_SCHEME', 'PODS_AFFECTED_PERC']],
  ['pod-http-latency', ['TOTAL_CHAOS_DURATION', 'TARGET_SERVICE_PORT', 'LATENCY', 'PODS_AFFECTED_PERC']],
]);

/** Metrics by the names that rules, dashboards and documentation have. */
const known = ['docs/telemetry.md', 'docs/alerts.md', ...['rules', 'dashboards'].flatMap((kind) => {
  const folder = join('charts/ig-guard/files', kind);
  return readdirSync(join(ROOT, folder)).map((name) => join(folder, name));
})]
  .map((path) => readFileSync(join(ROOT, path), 'utf8'))
  .join('\n');

describe('experiments of Litmus', () => {
  test('there is one of each fault', () => {
    const faults = files.flatMap((name) => read(name).spec.experiments.map((/** @type {any} */ one) => one.name));
    assert.deepEqual(faults.sort(), [...NEEDS.keys()].sort());
  });

  for (const name of files) {
    const engine = read(name);

    test(`${name} is what the CRD has`, () => {
      assert.deepEqual(wrong(schema, engine, ''), []);
      for (const experiment of engine.spec.experiments) {
        const { env } = experiment.spec.components;
        const told = env.map((/** @type {any} */ one) => one.name);
        for (const needed of NEEDS.get(experiment.name) ?? []) assert.ok(told.includes(needed), needed);
        assert.equal(new Set(told).size, told.length, 'a name twice');
        const hosts = env.find((/** @type {any} */ one) => one.name === 'TARGET_HOSTNAMES');
        if (hosts) assert.ok(Array.isArray(JSON.parse(hosts.value)));
      }
    });

    test(`probes of ${name} ask for what there is`, () => {
      for (const { spec } of engine.spec.experiments) {
        assert.ok(spec.probe.some((/** @type {any} */ one) => one.mode === 'Continuous'), 'nothing is asked meanwhile');
        assert.ok(spec.probe.some((/** @type {any} */ one) => one.mode === 'EOT'), 'nothing is asked afterwards');
        for (const { name: probe, 'promProbe/inputs': inputs } of spec.probe) {
          const metrics = inputs.query.match(/\b(ig|envoy)_[a-z_]+/g) ?? [];
          assert.ok(metrics.length > 0, `${probe}: no metric`);
          for (const metric of metrics) assert.ok(known.includes(metric), `${probe}: ${metric}`);
          // A counter that begins above nothing does not increase: the first breach is one.
          if (inputs.query.includes('increase(ig_residency_breaches_total')) assert.match(inputs.query, /unless/, probe);
        }
      }
    });
  }

  /** @type {[string, (engine: any) => void, RegExp][]} */
  const MISSPELT = [
    ['a probe without its slash', (probe) => rename(probe, 'promProbe/inputs', 'promProbe'), /unknown field/],
    ['a mode of its own', (probe) => (probe.mode = 'Always'), /mode: Always is not one of/],
    ['a time-out in numbers', (probe) => (probe.runProperties.probeTimeout = 5), /probeTimeout: integer, not string/],
    ['no interval', (probe) => delete probe.runProperties.interval, /interval: is missing/],
    ['a value that is no text', (probe) => (probe['promProbe/inputs'].comparator.value = 1), /value: integer, not string/],
    ['an unknown comparison', (probe) => (probe['promProbe/inputs'].comparator.criteria = '=>'), /criteria/],
    ['an unknown property', (probe) => (probe.runProperties.timeout = '5s'), /timeout: unknown field/],
  ];

  for (const [what, change, says] of MISSPELT) {
    test(`${what} is found`, () => {
      const engine = read(files[0]);
      change(engine.spec.experiments[0].spec.probe[0]);
      assert.match(wrong(schema, engine, '').join('\n'), says);
    });
  }
});

/** @param {any} object @param {string} from @param {string} to */
function rename(object, from, to) {
  object[to] = object[from];
  delete object[from];
}
