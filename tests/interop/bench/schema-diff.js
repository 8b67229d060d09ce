// @ts-check
// `ig schema diff` beside graphql-inspector: whole runs, from two files to
// JSON, and graphql-inspector in a process that has it loaded and warm, which no
// gate has. Machines are noisy, so all alternate, and the ratio is what counts.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { corpora, pairs } from '../lib/corpora.js';
import { ig } from '../lib/find.js';
import { inspect } from '../lib/inspector.js';

if (!corpora) throw new Error('no corpora: set IG_CORPORA');
if (!ig) throw new Error('no ig: cargo build --release -p ig-cli, and set IG_BIN');

const ROUNDS = 15;
const size = (/** @type {{ before: string, after: string }} */ pair) =>
  readFileSync(pair.before).length + readFileSync(pair.after).length;
const largest = pairs(corpora).sort((a, b) => size(b) - size(a))[0];
const files = [largest.before, largest.after];
const options = /** @type {const} */ ({ stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 30 });
const inspector = fileURLToPath(new URL('inspector.js', import.meta.url));
const arms = {
  ig: () => execFileSync(ig ?? '', ['schema', 'diff', ...files, '--fail-on', 'nothing', '--format', 'json'], options),
  'graphql-inspector': () => execFileSync(process.execPath, [inspector, ...files], options),
  'the same, warm': async () => {
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
const medians = Object.keys(arms).map((name) => ({ name, time: median(times[name]) }));
console.log(`${largest.name}, ${(size(largest) / 1e6).toFixed(1)} MB, median of ${ROUNDS} runs`);
for (const { name, time } of medians) {
  console.log(`${name.padEnd(18)} ${time.toFixed(0).padStart(5)} ms  ${(time / medians[0].time).toFixed(1).padStart(4)} times ig's`);
}
