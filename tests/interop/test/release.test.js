// @ts-check
// The workflow that publishes: who may do what, and in which order.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { parse } from 'yaml';

import { ROOT } from '../lib/find.js';

const text = readFileSync(join(ROOT, '.github/workflows/release.yml'), 'utf8');
const { permissions, jobs } = parse(text);
/** @param {string} job @returns {any[]} */
const stepsOf = (job) => jobs[job].steps;
/** @param {string} job */
const scriptOf = (job) => stepsOf(job).map(({ run }) => run ?? '').join('\n');

describe('the release', () => {
  test('what compiles or runs code of others may do nothing', () => {
    assert.deepEqual(permissions, { contents: 'read' });
    for (const [name, job] of Object.entries(jobs)) {
      const isPublishing = name === 'publish';
      assert.equal(job.permissions !== undefined, isPublishing || name === 'evidence', name);
      const script = scriptOf(name);
      if (isPublishing) {
        assert.doesNotMatch(script, /\b(cargo|npm|npx|pip|go|make|bash|apt-get|buildah|docker) /, name);
        assert.deepEqual(stepsOf(name).filter((step) => step.uses), []);
      } else if (name !== 'evidence') {
        assert.doesNotMatch(JSON.stringify(job), /github\.token|secrets\./, name);
      }
    }
  });

  test('keys of the ledger are a step\'s, which compiles nothing', () => {
    const { evidence } = jobs;
    assert.deepEqual(evidence.permissions, { contents: 'read', actions: 'read' });
    assert.equal(evidence.environment, 'ledger');
    assert.equal(evidence.env, undefined);
    const holding = (/** @type {RegExp} */ what) => stepsOf('evidence').filter((step) => what.test(JSON.stringify(step.env ?? {})));
    assert.deepEqual(holding(/secrets\./).map(({ name }) => name), ['Evidence']);
    assert.deepEqual(holding(/github\.token/).map(({ name }) => name), ['What was built', 'The ledger of the last release']);
    for (const { run } of holding(/secrets\.|github\.token/)) assert.doesNotMatch(run, /\b(cargo|npm|npx|pip|go|make) /);
  });

  test('the ledger goes on from the last release, or says that it begins', () => {
    const names = stepsOf('evidence').map(({ name, id }) => name ?? id);
    const order = ['What makes it', 'The ledger of the last release', 'Evidence', 'pack'].map((name) => names.indexOf(name));
    assert.deepEqual(order, order.toSorted((left, right) => left - right));
    assert.ok(order[0] > 0);
    const [last, made] = ['The ledger of the last release', 'Evidence'].map((name) => stepsOf('evidence').find((step) => step.name === name).run);
    assert.match(last, /::notice::the ledger begins with \$GITHUB_REF_NAME/);
    assert.match(last, /cosign verify-blob [^]*release\.yml@refs\/tags\/\$last"/);
    assert.match(made, /--since "\$work\/last\/v0\.2\.checkpoint"/);
    assert.match(made, /target\/debug\/ig evidence build --reports /);
    assert.match(made, /--keys "\$work\/keys" --ledger "\$work\/ledger" "\$\{since\[@\]\}"/);
    // Two at once would both go on from the same checkpoint.
    assert.deepEqual(parse(text).concurrency, { group: '${{ github.workflow }}', 'cancel-in-progress': false });
  });

  test('what signs is compiled where no code of ours or of our crates runs', () => {
    const script = scriptOf('tools');
    assert.doesNotMatch(script, /\b(cargo|npm|npx|pip|make|bash) /);
    // The versions are read where the tests have theirs.
    const pinned = /sed -n "(s\|.*\|p)"/.exec(script)?.[1]?.replaceAll('\\\\', '\\').replaceAll('\\"', '"') ?? '';
    for (const [tool, module] of [['cosign', 'github.com/sigstore/cosign/v3/cmd/cosign'], ['helm', 'helm.sh/helm/v4/cmd/helm']]) {
      const source = join(ROOT, 'xtask/src/setup', `${tool}.rs`);
      const [version] = execFileSync('sed', ['-n', pinned, source], { encoding: 'utf8' }).split('\n');
      assert.match(version, /^v\d+\.\d+\.\d+$/, tool);
      assert.ok(readFileSync(source, 'utf8').includes(`"${module}`), module);
      assert.ok(script.includes(`"${module}@$(pinned ${tool})"`), module);
    }
  });

  test('a release is made once', () => {
    const names = stepsOf('publish').map(({ name }) => name);
    const asked = names.indexOf('It is not released yet');
    assert.ok(asked > 0 && asked < names.indexOf('Login'), names.join());
  });

  test('what is published has a sum or a signature, and is named', () => {
    const script = scriptOf('publish');
    const release = stepsOf('publish').find(({ name }) => name === 'Release').run;
    // No pattern: whatever else the build left there stays there.
    for (const line of script.split('\n').filter((each) => /gh release create|helm push|attest-blob|cp /.test(each))) {
      assert.doesNotMatch(line, /\*/, line);
    }
    assert.doesNotMatch(release.replaceAll('[ *]', ''), /\*/);
    const run = (/** @type {string} */ sums) =>
      execFileSync('bash', ['-euo', 'pipefail', '-c', `gh() { printf '%s\\n' "$@"; }\ncd "$(mktemp -d)"\nprintf '%s' "$SUMS" >SHA256SUMS\n${release}`], {
        encoding: 'utf8',
        env: { ...process.env, GITHUB_REF_NAME: 'v1.2.3', SUMS: sums },
      }).trim().split('\n').slice(5);
    const sum = 'a'.repeat(64);
    assert.deepEqual(run(`${sum}  ig\n${sum} *ig_guard.wasm\n`), [
      ...['ig', 'ig_guard.wasm', 'ig.provenance.sigstore.json', 'ig_guard.wasm.provenance.sigstore.json'],
      ...['ig.sbom.sigstore.json', 'ig_guard.wasm.sbom.sigstore.json'],
      ...['ig-guard-1.2.3.tgz', 'ig-guard-1.2.3.tgz.provenance.sigstore.json'],
      ...['SHA256SUMS', 'SHA256SUMS.sigstore.json', 'sbom.spdx.json', 'provenance.json'],
      // The evidence, the key that signed it, the ledger's checkpoint that has it, and the ledger.
      ...['cosign.pub', 'v0.2.tar', 'v0.2.checkpoint', 'ledger.tar.gz'].flatMap((file) => [file, `${file}.sigstore.json`]),
    ]);
    assert.match(script, /for file in cosign\.pub v0\.2\.tar v0\.2\.checkpoint ledger\.tar\.gz; do\n +\.\.\/tools\/cosign sign-blob/);
  });

  test('a token is a step\'s, and of those that need it', () => {
    const { publish } = jobs;
    assert.doesNotMatch(JSON.stringify(publish.env), /token|secrets/i);
    const holders = stepsOf('publish').filter((step) => JSON.stringify(step.env ?? {}).includes('github.token'));
    assert.deepEqual(holders.map(({ name }) => name), ['What was built', 'It is not released yet', 'Login', 'Release']);
    for (const { run } of holders) assert.match(run, /\bgh (run|release) |GH_TOKEN/);
  });

  test('a tag is a release when it is on main and somebody lets it out', () => {
    const [checkout, onMain, version] = stepsOf('build');
    // Without the history nothing is anybody's ancestor.
    assert.equal(checkout.with['fetch-depth'], 0);
    assert.match(onMain.run, /^git merge-base --is-ancestor "\$GITHUB_SHA" refs\/remotes\/origin\/main$/);
    for (const what of ['cargo pkgid', '^version: ', '^appVersion: ']) assert.ok(version.run.includes(what), what);
    assert.equal(jobs.publish.environment, 'release');
    assert.deepEqual(jobs.publish.needs, ['tools', 'build', 'evidence']);
  });

  test('what is published is what was built, and ran in its image before', () => {
    const names = stepsOf('build').map(({ name, id }) => name ?? id);
    const order = ['All tests', 'Images', 'Programs run in their image', 'pack'].map((name) => names.indexOf(name));
    assert.deepEqual(order, order.toSorted((left, right) => left - right));
    assert.ok(order[0] > 0);
    for (const program of ['ig-control-plane', 'ig', 'ig-verify']) {
      assert.match(scriptOf('build'), new RegExp(`for program in .*\\b${program}\\b`));
    }
    const [{ env, run }] = stepsOf('publish');
    const sums = ['build', 'tools', 'evidence'].map((job) => `\${{ needs.${job}.outputs.sum }}`);
    assert.deepEqual([env.RELEASE, env.TOOLS, env.EVIDENCE], sums);
    assert.match(run, /"\$RELEASE" release\.tar\.gz "\$TOOLS" tools\.tar\.gz "\$EVIDENCE" evidence\.tar\.gz \|\n +sha256sum --check --strict\n/);
    // What was built cannot lie where programs lie that run with a token.
    const unpacked = [...run.matchAll(/tar (.*)-xzf (\S+)/g)].map(([, options, file]) => [file, /-C (\S+)/.exec(options)?.[1]]);
    assert.deepEqual(unpacked, [['release.tar.gz', 'built'], ['evidence.tar.gz', 'evidence'], ['tools.tar.gz', 'tools']]);
    assert.match(run, /mv built\/dist built\/images built\/chart \./);
  });

  test('a step that fails in a pipe fails', () => {
    assert.equal(parse(text).defaults.run.shell, 'bash');
  });

  test('the base is one that was reviewed, and the provenance has it', () => {
    assert.equal(jobs.build.env.BASE, '${{ vars.RELEASE_BASE }}');
    for (const command of ['xtask dist', 'xtask image']) {
      assert.match(scriptOf('build').replaceAll('\\\n', ' '), new RegExp(`${command} [^\\n]*--base "\\$BASE"`));
    }
    const { run } = stepsOf('build').find(({ name }) => /^The base/.test(name));
    const pattern = /=~ (\S+) \]\]/.exec(run)?.[1] ?? '';
    const known = new RegExp(pattern);
    assert.match(`gcr.io/distroless/cc-debian13@sha256:${'0a'.repeat(32)}`, known);
    for (const other of ['', 'gcr.io/distroless/cc-debian13:nonroot', 'gcr.io/distroless/cc-debian13@sha256:0a']) {
      assert.doesNotMatch(other, known);
    }
    // The same as the programs are held to.
    const source = readFileSync(join(ROOT, 'xtask/src/release/base.rs'), 'utf8');
    assert.match(source, /const BASE: &str = "gcr\.io\/distroless\/cc-debian13";/);
  });

  test('what has a tag is signed', () => {
    const script = scriptOf('publish');
    const signed = script.indexOf('tools/cosign sign --yes "$image"');
    const tagged = script.indexOf('"docker://$NAMESPACE/$name"');
    const copied = script.indexOf('"docker://$image"');
    assert.ok(copied > 0 && copied < signed && signed < tagged, `${copied} ${signed} ${tagged}`);
    assert.match(script, /cosign sign --yes "\$NAMESPACE\/charts\/ig-guard@\$digest"/);
  });
});
