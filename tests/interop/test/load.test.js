// @ts-check
// Scripts of k6 are type-checked with what k6 publishes; and what `cargo xtask load`
// writes promises the same.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { ROOT } from '../lib/find.js';
import { attempt } from '../lib/helm.js';

const FOLDER = join(ROOT, 'tests/load');
const COMPILER = join(ROOT, 'tests/interop/node_modules/.bin/tsc');
const text = (/** @type {string} */ name) => readFileSync(join(FOLDER, name), 'utf8');

describe('scripts of k6', () => {
  test('have the types of k6', async () => {
    const said = await attempt(COMPILER, ['--project', FOLDER]);
    assert.ok(said.ok, `${said.stdout}${said.stderr}`);
  });

  test('and what has not is found', async () => {
    const wrong = join(FOLDER, 'wrong.test.js');
    writeFileSync(wrong, "// @ts-check\nimport http from 'k6/http';\nhttp.post(1, 2, { timeout: [] });\n");
    try {
      const said = await attempt(COMPILER, ['--project', FOLDER]);
      assert.ok(!said.ok);
      assert.match(`${said.stdout}${said.stderr}`, /wrong\.test\.js.*error TS2769|wrong\.test\.js.*error TS2345/);
    } finally {
      rmSync(wrong);
    }
  });

  test('each has options, a request, and a summary under its own name', () => {
    const scripts = readdirSync(FOLDER).filter((name) => /^(stress|soak|spike)\.js$/.test(name));
    assert.equal(scripts.length, 3);
    for (const name of scripts) {
      const script = text(name);
      assert.match(script, /^export const options = of\(/m, name);
      assert.match(script, /^export default request;$/m, name);
      assert.ok(script.includes(`summary('${name.replace('.js', '')}', data)`), name);
    }
  });

  test('promise what the other engine promises', () => {
    const rust = readFileSync(join(ROOT, 'chaos/src/load/summary.rs'), 'utf8');
    const [, thresholds] = rust.match(/THRESHOLDS[^=]*=\s*\[(.*)\];/) ?? [];
    assert.ok(thresholds, 'no thresholds');
    const promised = [...thresholds.matchAll(/"(p\(\d+\))", (\d+)\.0/g)].map(([, name, most]) => `'${name}<${most}'`);
    assert.equal(promised.length, 2);
    const lines = text('options.js').split('\n').filter((line) => line.includes('_duration') && line.includes('<'));
    assert.equal(lines.length, 5);
    for (const line of lines) for (const one of promised) assert.ok(line.includes(one), line);
    // Subscriptions over a WebSocket have a metric of their own, of one name everywhere.
    const [, metric] = text('socket.js').match(/new Trend\('(\w+)', true\)/) ?? [];
    assert.ok(metric && lines.some((line) => line.includes(`${metric}:`)), metric);
    const measured = readFileSync(join(ROOT, 'chaos/src/load/measured.rs'), 'utf8');
    assert.ok(measured.includes(`"${metric}"`), metric);
    const [, failed] = rust.match(/MOST_FAILED: f64 = ([\d.]+);/) ?? [];
    assert.ok(text('options.js').includes(`'rate<${failed}'`));
  });
});
