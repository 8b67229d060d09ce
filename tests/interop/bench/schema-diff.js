// @ts-check
// `ig schema diff` beside graphql-inspector: whole runs, from two files to
// JSON, and graphql-inspector in a process that has it loaded and warm, which no
// gate has. Machines are noisy, so all alternate, and the ratio is what counts.
// With `--write` the page of figures is written anew.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { corpora, pairs } from '../lib/corpora.js';
import { ROOT, find, isExecutable } from '../lib/find.js';
import { inspect } from '../lib/inspector.js';

const PAGE = join(ROOT, 'docs/benchmarks-schema-diff.md');
const ROUNDS = 15;

// A build for tests is many times slower, and nobody's gate.
const ig = find('IG_BIN', [join(ROOT, 'target/release/ig')], isExecutable);
if (!corpora) throw new Error('no real schemas: set IG_CORPORA');
if (!ig) throw new Error('no ig: cargo build --release -p ig-cli, or set IG_BIN');

const size = (/** @type {import('../lib/corpora.js').Pair} */ pair) =>
  readFileSync(pair.before).length + readFileSync(pair.after).length;
const largest = pairs(corpora).sort((a, b) => size(b) - size(a))[0];
const files = [largest.before, largest.after];
const options = /** @type {const} */ ({ stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 30 });
const inspector = fileURLToPath(new URL('inspector.js', import.meta.url));
const arms = {
  ig: () => execFileSync(ig, ['schema', 'diff', ...files, '--fail-on', 'nothing', '--format', 'json'], options),
  'graphql-inspector': () => execFileSync(process.execPath, [inspector, ...files], options),
  'graphql-inspector, warm': async () => {
    const [before, after] = files.map((file) => readFileSync(file, 'utf8'));
    JSON.stringify(await inspect(before, after));
  },
};

/** @type {Record<string, number[]>} */
const times = {};
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(arms)) {
    const started = performance.now();
    await run();
    (times[name] ??= []).push(performance.now() - started);
  }
}
const median = (/** @type {number[]} */ all) => all.sort((a, b) => a - b)[all.length >> 1];
const rows = Object.keys(arms).map((name) => ({ name, time: median(times[name]) }));

const version = (/** @type {string} */ name) =>
  JSON.parse(readFileSync(new URL(`../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version;
const [{ model }] = cpus();
const page = `# Benchmark of schema diffs

The last run of \`npm run bench:schema-diff -- --write\` in \`tests/interop\`; do not edit by hand.

${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores of ${model.trim()}, Node ${process.versions.node}, \
@graphql-inspector/core ${version('@graphql-inspector/core')}.

The largest pair of real schemas, \`${largest.name}\`, ${(size(largest) / 1e6).toFixed(1)} MB together; medians of \
${ROUNDS} runs that alternate.

| run | time | times that of ig |
|---|---|---|
${rows.map(({ name, time }) => `| ${name} | ${time.toFixed(0)} ms | ${(time / rows[0].time).toFixed(1)} |`).join('\n')}

A run is from two files to JSON, in a process of its own: what a gate waits for. Warm is in a process that has
graphql-inspector loaded and compiled, and compares the same pair again and again.
`;
console.log(page);
if (process.argv.includes('--write')) writeFileSync(PAGE, page);
