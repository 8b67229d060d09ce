// @ts-check
// Policies under `ig` and under OPA.

import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { policies, ROOT } from './tools.js';

/** Largest output that is read. */
const MAX_OUTPUT = 1 << 28;

/**
 * Runs a program, whatever its exit code.
 *
 * @param {string | undefined} program
 * @param {string[]} args
 * @param {string} [input]
 * @returns {Promise<{ code: number, stdout: string, stderr: string }>}
 */
export function ran(program, args, input = '') {
  return new Promise((resolve, reject) => {
    const options = { encoding: /** @type {const} */ ('utf8'), maxBuffer: MAX_OUTPUT, timeout: 300_000 };
    const child = execFile(/** @type {string} */ (program), args, options, (error, stdout, stderr) => {
      const code = error ? error.code : 0;
      if (typeof code === 'number') resolve({ code, stdout, stderr });
      else reject(error);
    });
    // A program that is done does not read on; what it said counts.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/**
 * The value of a query, by OPA.
 *
 * @param {string} query
 * @param {unknown} input
 * @param {string[]} [data]
 */
export async function opaEval(query, input, data = []) {
  const loaded = data.flatMap((path) => ['-d', path]);
  const { code, stdout, stderr } = await ran(
    policies.opa,
    ['eval', '-I', '--format', 'json', ...loaded, query],
    JSON.stringify(input),
  );
  if (code !== 0) throw new Error(`opa eval ${query}: ${stdout}${stderr}`);
  return JSON.parse(stdout).result[0].expressions[0].value;
}

/** @typedef {{ location: { file: string, row: number, col: number }, package: string, name: string, fail?: boolean, skip?: boolean, error?: unknown, sub_results?: unknown }} TestResult */

/**
 * What became of tests: a word for each, or `invalid` where there is no result.
 *
 * @param {{ stdout: string }} output
 */
export function verdicts({ stdout }) {
  /** @type {TestResult[]} */
  let results;
  try {
    results = JSON.parse(stdout);
  } catch {
    return 'invalid';
  }
  const word = (/** @type {TestResult} */ { fail, skip, error }) =>
    skip ? 'skip' : error ? 'error' : fail ? 'fail' : 'pass';
  return Object.fromEntries(results.map((one) => [`${one.package}.${one.name}`, word(one)]).sort());
}

/** @typedef {{ start: { row: number }, end: { row: number } }} Range */

/**
 * Numbers of lines.
 *
 * @param {Range[] | undefined} ranges
 */
export function rows(ranges = []) {
  const all = ranges.flatMap(({ start, end }) =>
    Array.from({ length: end.row - start.row + 1 }, (_, index) => start.row + index),
  );
  return new Set(all);
}

/** @typedef {{ note: string, query: string, modules?: string[], data?: Record<string, unknown>, input?: unknown, input_term?: string, want_result?: Record<string, unknown>[] }} Case */

/**
 * The cases that OPA tests itself with, as far as each asks for one rule and
 * has one value, or none.
 *
 * @returns {Promise<(Case & { rule: string })[]>}
 */
export async function opaCases() {
  const folder = /** @type {string} */ (policies.cases);
  const names = readdirSync(folder, { recursive: true }).map(String).filter((name) => name.endsWith('.yaml'));
  const texts = names.sort().map((name) => readFileSync(join(folder, name), 'utf8'));
  /** @type {{ cases: Case[] }[]} */
  const files = await opaEval('[yaml.unmarshal(text) | some text in input]', texts);
  return files.flatMap(({ cases }) =>
    cases.flatMap((one) => {
      const rule = /^(data(?:\.\w+)+) = x$/.exec(one.query)?.[1];
      const isPlain = one.want_result && one.modules?.length && !one.input_term && !Array.isArray(one.data);
      return rule && isPlain ? [{ ...one, rule }] : [];
    }),
  );
}

/**
 * Writes a case as a folder with tests: one of the value that it should have,
 * and one that has to fail.
 *
 * @param {string} folder
 * @param {Case & { rule: string }} one
 */
export function writeCase(folder, { modules = [], data, input, rule, want_result }) {
  mkdirSync(folder, { recursive: true });
  modules.forEach((text, number) => writeFileSync(join(folder, `module${number}.rego`), text));
  // Among data, so that OPA's types do not tell what is expected from what is.
  const expected = { want: want_result?.[0]?.x ?? null, other: 'no such value' };
  writeFileSync(join(folder, 'data.json'), JSON.stringify({ ...data, ig_interop: expected }));
  const where = input === undefined ? '' : ` with input as ${JSON.stringify(input)}`;
  const first =
    want_result?.length === 0
      ? `test_undefined if not ${rule}${where}`
      : `test_value if json.unmarshal(json.marshal(${rule})) == data.ig_interop.want${where}`;
  const other = `test_other if ${rule} == data.ig_interop.other${where}`;
  writeFileSync(join(folder, 'case_test.rego'), `package ig_interop_case\n\n${first}\n\n${other}\n`);
}

/**
 * Functions that OPA has and the guard does not.
 *
 * @returns {Promise<string[]>}
 */
export async function missingFunctions() {
  const { stdout } = await ran(policies.opa, ['capabilities', '--current']);
  const theirs = JSON.parse(stdout).builtins.map((/** @type {{ name: string }} */ one) => one.name);
  const source = readFileSync(join(ROOT, 'control-plane/snapshot/src/builtins.rs'), 'utf8');
  const ours = new Set([...source.matchAll(/^ {4}"([\w.]+)",$/gm)].map((match) => match[1]));
  return theirs.filter((/** @type {string} */ name) => !ours.has(name));
}

/**
 * Whether a case uses one of these functions.
 *
 * @param {Case} one
 * @param {string[]} names
 */
export function uses({ modules = [], query }, names) {
  const text = [...modules, query].join('\n');
  return names.some((name) => {
    const escaped = name.replaceAll('.', '\\.');
    return new RegExp(`(?<![\\w.])${escaped}\\(|\\bwith ${escaped} as\\b`).test(text);
  });
}
