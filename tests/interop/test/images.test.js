// @ts-check
// The images of a release: built twice alike, run as nobody, fetched and signed in a
// registry.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { parse } from 'yaml';

import { CHART, programs, skipHelm } from '../lib/helm.js';
import { PINNED, asRoot, images, makeBase, makeDist, makeImages, readLayout, skipImages, startRegistry } from '../lib/images.js';
import { folder, freePort, run, start, until } from '../lib/process.js';
import { ROOT, tools } from '../lib/tools.js';

const TAG = '1.2.3';
const WASM_LAYER = 'application/vnd.module.wasm.content.layer.v1+wasm';
const sha256 = (/** @type {string} */ path) => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('images', { skip: skipImages() }, () => {
  const layouts = join(folder, 'images');
  /** @type {string} */
  let dist;
  /** @type {string[]} */
  let files;
  /** @type {string[]} */
  let from;
  /** @type {Map<string, string>} */
  let digests;

  before(async () => {
    dist = await makeDist();
    files = ['--dist', dist, '--base', await makeBase()];
    from = [...files, '--tag', TAG];
    digests = await makeImages(...from, '--to', `oci:${layouts}`);
  });

  test('the same files give the same digests', async () => {
    const again = await makeImages(...from, '--to', `oci:${join(folder, 'again')}`);
    assert.deepEqual([...again], [...digests]);
    assert.deepEqual([...digests.keys()], [`ig-control-plane:${TAG}`, `ig-guard:${TAG}`, `ig-guard:${TAG}-image`]);
    const other = await makeImages(...files, '--tag', '1.2.4', '--to', `oci:${join(folder, 'other')}`);
    assert.equal([...other.values()].some((digest) => [...digests.values()].includes(digest)), false);
  });

  test('digests are those of the files, and the bill of materials has them', async () => {
    await run('sha256sum', ['--check', '--strict', join(dist, 'SHA256SUMS')], { cwd: dist });
    const sums = readFileSync(join(dist, 'SHA256SUMS'), 'utf8').trim().split('\n');
    const { packages, relationships } = JSON.parse(readFileSync(join(dist, 'sbom.spdx.json'), 'utf8'));
    for (const [sum, name] of sums.map((line) => line.split('  '))) {
      const one = packages.find((/** @type {any} */ known) => known.packageFileName === name);
      assert.deepEqual(one.checksums, [{ algorithm: 'SHA256', checksumValue: sum }], name);
      const linked = relationships.filter((/** @type {any} */ relation) => relation.spdxElementId === one.SPDXID);
      assert.ok(linked.length > 30, name);
    }
    const { buildDefinition } = JSON.parse(readFileSync(join(dist, 'provenance.json'), 'utf8'));
    const [source, , base] = buildDefinition.resolvedDependencies;
    assert.deepEqual(base, { uri: `docker://${PINNED.name}`, digest: { sha256: PINNED.sha256 } });
    assert.equal(`${source.digest.gitCommit}\n`, await run('git', ['rev-parse', 'HEAD'], { cwd: ROOT }));
  });

  test('a file that is missing is named', async () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const made = makeImages('--dist', empty, '--base', 'scratch', '--to', `oci:${layouts}`);
    await assert.rejects(made, /no ig-control-plane in .*cargo xtask dist/);
    await assert.rejects(makeImages(...from, '--to', 'somewhere'), /docker:\/\/REGISTRY\/NAMESPACE or oci:FOLDER/);
    const moving = ['--dist', dist, '--base', 'gcr.io/distroless/cc-debian13', '--to', `oci:${layouts}`];
    await assert.rejects(makeImages(...moving), /expected a digest/);
  });

  describe("the control plane's", () => {
    const root = join(folder, 'root');
    /** @param {string[]} args */
    const inside = (...args) => {
      const [program, ...rest] = [...asRoot, 'chroot', '--userspec=65532:65532', root, ...args];
      return /** @type {const} */ ([program, rest]);
    };
    /** @type {ReturnType<typeof readLayout>} */
    let image;

    before(async () => {
      image = readLayout(join(layouts, 'ig-control-plane'));
      mkdirSync(join(root, 'data'), { recursive: true });
      for (const layer of image.layers) {
        const [program, ...args] = [...asRoot, 'tar', '-xzf', layer, '-C', root];
        await run(program, args);
      }
    });

    test('runs as nobody, and says what it is', () => {
      const { User, Entrypoint, Labels } = image.config.config;
      assert.equal(User, '65532:65532');
      assert.deepEqual(Entrypoint, ['/usr/local/bin/ig-control-plane']);
      assert.equal(Labels['org.opencontainers.image.version'], TAG);
      assert.match(Labels['org.opencontainers.image.revision'], /^[0-9a-f]{40}$/);
    });

    test('adds programs and the module, which nobody can change', async () => {
      const listed = await run('find', [root, '-type', 'f', '-newermt', '@1', '-printf', '%m %u /%P\n']);
      const lines = listed.trim().split('\n').filter((line) => line.includes('/usr/')).sort();
      assert.deepEqual(lines.filter((line) => !line.includes('/lib')), [
        '444 root /usr/share/intelgraph/SHA256SUMS',
        '444 root /usr/share/intelgraph/ig_guard.wasm',
        '555 root /usr/local/bin/ig',
        '555 root /usr/local/bin/ig-control-plane',
        '555 root /usr/local/bin/ig-verify',
      ]);
      assert.equal(sha256(join(root, 'usr/share/intelgraph/ig_guard.wasm')), sha256(tools.guard));
    });

    test('has programs that run', async () => {
      for (const name of ['ig', 'ig-control-plane', 'ig-verify']) {
        const said = await run(...inside(`/usr/local/bin/${name}`, '--version'));
        assert.match(said, new RegExp(`^${name} \\d`));
      }
    });

    test('serves with one folder that it may write', async () => {
      const [program, ...args] = [...asRoot, 'chown', '65532:65532', join(root, 'data')];
      await run(program, args);
      const [http, grpc] = [await freePort(), await freePort()];
      const [chroot, rest] = inside(
        ...['/usr/local/bin/ig-control-plane', '--listen', `127.0.0.1:${http}`],
        ...['--grpc-listen', `127.0.0.1:${grpc}`, '--database', 'sqlite:/data/guard.db'],
        ...['--module', '/usr/share/intelgraph/ig_guard.wasm'],
      );
      const control = start(chroot, [...rest]);
      await until(async () => {
        if (!control.isRunning()) throw new Error(control.output());
        return (await fetch(`http://127.0.0.1:${http}/readyz`).catch(() => null))?.ok;
      }, 'the control plane is ready');
      await control.stop();
    });
  });

  describe('in a registry', () => {
    /** @type {Awaited<ReturnType<typeof startRegistry>>} */
    let registry;
    const manifestOf = async (/** @type {string} */ name) => {
      const [image, tag] = name.split(':');
      const accept = 'application/vnd.oci.image.manifest.v1+json';
      const answer = await fetch(`${registry.url}ig/${image}/manifests/${tag}`, { headers: { accept } });
      assert.equal(answer.status, 200, name);
      return { digest: answer.headers.get('docker-content-digest'), manifest: await answer.json() };
    };
    const blobOf = async (/** @type {string} */ digest) => {
      const answer = await fetch(`${registry.url}ig/ig-guard/blobs/${digest}`);
      return Buffer.from(await answer.arrayBuffer());
    };

    before(async () => {
      registry = await startRegistry();
      await makeImages(...from, '--to', `docker://${registry.host}/ig`, '--plain-http');
    });
    after(() => registry?.close());

    // As the release does it: who looks for the tag finds nothing that is not signed.
    test('they are copied by digest, and get their tag after', async () => {
      for (const [name, digest] of digests) {
        const [image, tag] = name.split(':');
        const to = `docker://${registry.host}/late/${image}`;
        const copy = ['copy', '--preserve-digests', '--dest-tls-verify=false'];
        await run(/** @type {string} */ (images.skopeo), [...copy, `oci:${join(layouts, image)}:${tag}`, `${to}@${digest}`]);
        const at = (/** @type {string} */ reference) =>
          fetch(`${registry.url}late/${image}/manifests/${reference}`, { headers: { accept: 'application/vnd.oci.image.manifest.v1+json' } });
        assert.equal((await at(digest)).status, 200, name);
        assert.equal((await at(tag)).status, 404, name);
        await run(/** @type {string} */ (images.skopeo), [...copy, '--src-tls-verify=false', `${to}@${digest}`, `${to}:${tag}`]);
        assert.equal((await at(tag)).headers.get('docker-content-digest'), digest, name);
      }
    });

    test('the chart is pushed beside them, and comes back as it was', { skip: skipHelm() }, async () => {
      const helm = (/** @type {string[]} */ ...args) => run(/** @type {string} */ (programs.helm), args);
      await helm('package', CHART, '--destination', folder);
      const { version } = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'));
      const file = `ig-guard-${version}.tgz`;
      await helm('push', join(folder, file), `oci://${registry.host}/ig/charts`, '--plain-http');
      const pulled = join(folder, 'pulled');
      mkdirSync(pulled);
      await helm('pull', `oci://${registry.host}/ig/charts/ig-guard`, '--version', version, '--plain-http', '--destination', pulled);
      assert.equal(sha256(join(pulled, file)), sha256(join(folder, file)));
      await helm('template', 'guard', join(pulled, file));
    });

    test('they have the digests that were printed', async () => {
      for (const [name, digest] of digests) assert.equal((await manifestOf(name)).digest, digest, name);
    });

    // What Istio's agent and Envoy Gateway ask of one (`imagefetcher.go` of both): two layers, one of
    // which has this type and is not compressed.
    test('the module is an artefact of two layers', async () => {
      const { manifest } = await manifestOf(`ig-guard:${TAG}`);
      assert.equal(manifest.layers.length, 2);
      const layer = manifest.layers.find((/** @type {any} */ one) => one.mediaType === WASM_LAYER);
      assert.equal(layer.digest, `sha256:${sha256(tools.guard)}`);
      assert.deepEqual(await blobOf(layer.digest), readFileSync(tools.guard));
    });

    test('the module is an image of one file', async () => {
      const { manifest } = await manifestOf(`ig-guard:${TAG}-image`);
      assert.deepEqual(
        manifest.layers.map((/** @type {any} */ one) => one.mediaType),
        ['application/vnd.oci.image.layer.v1.tar+gzip'],
      );
      const layer = join(folder, 'plugin.tar.gz');
      writeFileSync(layer, await blobOf(manifest.layers[0].digest));
      assert.equal((await run('tar', ['-tzf', layer])).trim(), 'plugin.wasm');
      await run('tar', ['-xzf', layer, '-C', folder]);
      assert.deepEqual(readFileSync(join(folder, 'plugin.wasm')), readFileSync(tools.guard));
    });

    test('Cosign signs and attests them, and verifies no other', async () => {
      process.env.COSIGN_PASSWORD = 'interop';
      const cosign = (/** @type {string[]} */ ...args) => run(/** @type {string} */ (images.cosign), args);
      for (const name of ['key', 'other']) await cosign('generate-key-pair', '--output-key-prefix', join(folder, name));
      const none = join(folder, 'none.json');
      writeFileSync(none, '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json"}');
      const predicate = join(folder, 'provenance.json');
      writeFileSync(predicate, '{"buildDefinition":{"buildType":"https://example.com/try"},"runDetails":{}}');
      const make = ['--key', join(folder, 'key.key'), '--signing-config', none, '--allow-http-registry', '--yes'];
      const type = ['--type', 'slsaprovenance1'];
      const check = ['--insecure-ignore-tlog', '--allow-http-registry', '--key'];
      const [control, guard] = [`ig-control-plane:${TAG}`, `ig-guard:${TAG}`].map(
        (name) => `${registry.host}/ig/${name.split(':')[0]}@${digests.get(name)}`,
      );
      await cosign('sign', ...make, guard);
      await cosign('attest', ...make, ...type, '--predicate', predicate, guard);
      const good = join(folder, 'key.pub');
      await cosign('verify', ...check, good, guard);
      await cosign('verify-attestation', ...check, good, ...type, guard);
      const other = join(folder, 'other.pub');
      await assert.rejects(cosign('verify', ...check, other, guard));
      await assert.rejects(cosign('verify-attestation', ...check, other, ...type, guard));
      await assert.rejects(cosign('verify', ...check, good, control), /no signatures|not found|no matching/i);
    });
  });
});
