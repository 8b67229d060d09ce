// @ts-check
// What `ig policy test` says of tests and what they cover, OPA says too; and
// policies decide alike under OPA, the interpreter and the guard's bytecode.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { missingFunctions, opaCases, opaEval, ran, rows, uses, verdicts, writeCase } from '../lib/opa.js';
import { folder } from '../lib/process.js';
import { numbers, randomInput } from '../lib/random.js';
import { policies, ROOT, skipPolicies } from '../lib/tools.js';

const OURS = join(ROOT, 'policies');
const ig = (/** @type {string[]} */ ...args) => ran(policies.ig, ['policy', ...args]);
const opa = (/** @type {string[]} */ ...args) => ran(policies.opa, args);

/**
 * Cases of OPA that end in another way here, by their notes, or by what these
 * begin with, each with its reason; `verdict` is ours, as `verdict` says it.
 *
 * @type {{ reason: string, notes: string[], verdict: string }[]}
 */
const DIFFERENT = JSON.parse(readFileSync(new URL('./policies.json', import.meta.url), 'utf8'));

/**
 * Lines on which OPA and `ig` do not agree whether tests cover them, by file;
 * none where OPA has no figures.
 *
 * Lines that OPA did not come to because its index ruled a rule out, or because
 * a rule had its value already, are left out: it says so, and the interpreter
 * has no index and looks at them.
 *
 * @param {string} folder
 * @param {string} run
 * @param {string[]} options
 */
async function differences(folder, run, options = []) {
  const [theirs, ours] = await Promise.all([
    opa('test', folder, '--coverage', '--run', run),
    ig('test', folder, '--coverage', '--json', '--run', run, ...options),
  ]);
  if (theirs.code !== 0) return undefined;
  const there = JSON.parse(theirs.stdout).files;
  const here = JSON.parse(ours.stdout).coverage.files;
  const differing = Object.entries(here).flatMap(([file, of]) =>
    ['covered', 'not_covered'].map((which) => {
      const other = there[file];
      const skipped = rows((other.not_covered ?? []).filter((/** @type {any} */ range) => range.kinds?.length));
      const only = (/** @type {Set<number>} */ one, /** @type {Set<number>} */ two) =>
        [...one].filter((row) => !two.has(row) && !skipped.has(row));
      const [lines, others] = [rows(of[which]), rows(other[which])];
      return { file, which, lines: [...only(lines, others), ...only(others, lines)] };
    }),
  );
  return differing.filter(({ lines }) => lines.length > 0);
}

/**
 * What became of a case, in a word: `invalid` where it is refused, and else what
 * became of its test; `error` where that of the control is one, too.
 *
 * @param {ReturnType<typeof verdicts>} of
 */
function verdict(of) {
  if (typeof of === 'string') return of;
  const { 'data.ig_interop_case.test_other': control, ...value } = of;
  return control === 'fail' ? Object.values(value).join() : control;
}

test('what differs from OPA has a reason and a verdict', () => {
  for (const one of DIFFERENT) {
    assert.deepEqual(Object.keys(one).sort(), ['notes', 'reason', 'verdict'], JSON.stringify(one));
    assert.ok(one.reason && one.notes.length > 0, JSON.stringify(one));
    assert.ok(['invalid', 'error', 'fail', 'pass'].includes(one.verdict), JSON.stringify(one));
  }
});

describe('policies', { skip: skipPolicies() }, () => {
  test('tests of this project end as under OPA', async () => {
    const [theirs, ours] = await Promise.all([
      opa('test', OURS, '--format', 'json'),
      ig('test', OURS, '--format', 'json'),
    ]);
    assert.equal(ours.code, 0, ours.stderr);
    assert.deepEqual(verdicts(ours), verdicts(theirs));
    const place = (/** @type {any} */ { name, package: from, location }) => [from, name, location];
    const places = (/** @type {string} */ text) => JSON.parse(text).map(place).sort();
    assert.deepEqual(places(ours.stdout), places(theirs.stdout));
    assert.ok(Object.keys(verdicts(ours)).length > 20);
  });

  test('tests that fail, are skipped, have cases or the same name end as under OPA', async () => {
    const made = join(folder, 'made');
    writeCase(made, { note: '', query: '', rule: 'data.p.q', modules: ['package p\n\nq := 1\n'], want_result: [{ x: 1 }] });
    writeFileSync(
      join(made, 'more_test.rego'),
      `package more_test

todo_test_later if false

test_twice if true

test_twice if false

test_cases[note] if {
	some note, value in {"good": 1, "bad": 2, "none": null}
	data.p.q == value
}

test_nested[group][name] if {
	some group, names in {"a": {"x": 1}, "b": {"y": 2}}
	some name, value in names
	value == 1
}

test_set contains "x"

test_number := 1

test_else if {
	false
} else if {
	true
}
`,
    );
    const [theirs, ours] = await Promise.all([
      opa('test', made, '--format', 'json'),
      ig('test', made, '--format', 'json', '--engine', 'interpreter'),
    ]);
    assert.deepEqual([theirs.code, ours.code], [2, 1]);
    assert.deepEqual(verdicts(ours), verdicts(theirs));
    const cases = (/** @type {string} */ text) =>
      JSON.parse(text)
        .map((/** @type {any} */ one) => [one.name, one.sub_results ?? null])
        .sort();
    assert.deepEqual(cases(ours.stdout), cases(theirs.stdout));
  });

  test('coverage is that of OPA, within a line', async () => {
    const whole = await ig('test', OURS, '--coverage', '--json');
    const { coverage, decisions } = JSON.parse(whole.stdout).coverage;
    assert.ok(coverage >= 95 && decisions.coverage >= 95, `${coverage} ${decisions.coverage}`);
    for (const run of ['.', 'purpose', 'tenancy', 'retention', 'license', 'request', 'decision', 'test_missing']) {
      const differing = await differences(OURS, run);
      assert.ok(differing, run);
      for (const { file, which, lines } of differing) {
        assert.ok(lines.length <= 1, `${run}: ${file}: ${which}: ${lines}`);
      }
    }
  });

  test('cases of OPA end as under OPA', async () => {
    const [cases, missing] = await Promise.all([opaCases(), missingFunctions()]);
    const counts = { same: 0, passed: 0, covered: 0, missing: 0, different: 0 };
    const unknown = [];
    const listed = new Set();
    for (const [number, one] of cases.entries()) {
      const made = join(folder, 'cases', String(number));
      writeCase(made, one);
      const [theirs, ours] = await Promise.all([
        opa('test', made, '--format', 'json'),
        ig('test', made, '--format', 'json', '--engine', 'interpreter'),
      ]);
      assert.ok([0, 1, 2].includes(ours.code), `${one.note}: ${ours.code} ${ours.stderr}`);
      const [there, here] = [verdicts(theirs), verdicts(ours)];
      if (JSON.stringify(there) === JSON.stringify(here)) {
        counts.same += 1;
        counts.passed += Object.values(here).includes('pass') ? 1 : 0;
        // Each of them would double the time.
        if (number % 4 === 0) {
          const run = 'test_(value|undefined)';
          const differing = await differences(made, run, ['--engine', 'interpreter']);
          counts.covered += differing ? 1 : 0;
          const isFar = (differing ?? []).some(({ lines }) => lines.length > 1);
          // A look-up by a variable: the interpreter evaluates whatever it may lead to.
          if (isFar && !/^(ir\/call-dynamic|refheads\/)/.test(one.note)) {
            unknown.push(`${one.note}: coverage: ${JSON.stringify(differing)}`);
          }
        }
        continue;
      }
      // The guard has basic functions only.
      if (uses(one, missing)) {
        counts.missing += 1;
        continue;
      }
      const matches = (/** @type {string} */ note) =>
        note.endsWith('/') ? one.note.startsWith(note) : one.note === note;
      const known = DIFFERENT.find(({ notes }) => notes.some(matches));
      if (known?.verdict === verdict(here)) {
        counts.different += 1;
        known.notes.filter(matches).forEach((note) => listed.add(note));
      } else {
        unknown.push(`${one.note}: OPA ${JSON.stringify(there)}, ig ${JSON.stringify(here)} ${ours.stderr}`);
      }
    }
    console.log(`${cases.length} cases of OPA: ${JSON.stringify(counts)}`);
    assert.deepEqual(unknown, []);
    const alike = DIFFERENT.flatMap(({ notes }) => notes).filter((note) => !listed.has(note));
    assert.deepEqual(alike, [], 'these do not differ any more; take them off the list');
    assert.ok(counts.passed >= 1_000 && counts.covered >= 200, JSON.stringify(counts));
  });

  test('three engines decide alike on 10,000 inputs', async () => {
    const seed = Number(process.env.IG_SEED ?? Date.now() % 2 ** 32);
    console.log(`IG_SEED=${seed}`);
    const random = numbers(seed);
    const inputs = Array.from({ length: 10_000 }, () => randomInput(random));
    const file = join(folder, 'inputs.json');
    writeFileSync(file, JSON.stringify(inputs.map((input) => ({ input }))));
    const ours = await ig('diff', OURS, OURS, '--decisions', file, '--all', '--json');
    assert.equal(ours.code, 0, `IG_SEED=${seed}\n${ours.stderr}`);
    // The command reports each input on which interpreter and bytecode differ.
    const { replayed, disagreeing, decisions } = JSON.parse(ours.stdout);
    assert.deepEqual([replayed, disagreeing], [inputs.length, 0]);
    const theirs = await opaEval('[d | some one in input; d := data.ig.decision with input as one]', inputs, [OURS]);
    assert.equal(theirs.length, inputs.length);
    const rules = new Set();
    for (const [number, { before }] of decisions.entries()) {
      const { undecided, ...decision } = before;
      assert.equal(undecided, undefined, `IG_SEED=${seed}, input ${number}: ${JSON.stringify(inputs[number])}`);
      const said = `IG_SEED=${seed}, input ${number}: ${JSON.stringify(inputs[number])}`;
      assert.deepEqual(decision, theirs[number], said);
      rules.add(decision.rule);
    }
    // Else inputs would be too plain to tell anything.
    const expected = ['allow', 'cross-tenant', 'default-deny', 'license-incompatible', 'purpose-not-granted'];
    const all = [...expected, 'retention-missing', 'retention-too-long'];
    assert.deepEqual([...rules].sort(), all.sort());
  });
});
