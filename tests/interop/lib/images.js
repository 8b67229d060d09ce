// @ts-check
// Images without a daemon: what builds them, a registry, and what runs in one.

import { copyFileSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

import { built, find, isExecutable } from './find.js';
import { folder, freePort, run, start, until } from './process.js';
import { cosign, skip as skipTools, tools } from './tools.js';

const onPath = (/** @type {string} */ name) =>
  find(
    `IG_${name.toUpperCase().replaceAll('-', '_')}`,
    [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/sbin'].map((at) => join(at, name)),
    isExecutable,
  );

export const images = {
  xtask: find('IG_XTASK_BIN', built('xtask'), isExecutable),
  buildah: onPath('buildah'),
  skopeo: onPath('skopeo'),
  registry: onPath('docker-registry'),
  cosign,
};

/** Why there are no tests of images; an error where `CI` is set. */
export function skipImages() {
  if (skipTools) return skipTools;
  const names = /** @type {(keyof typeof images)[]} */ (Object.keys(images));
  const missing = names.filter((name) => !images[name]);
  if (missing.length === 0) return false;
  const message = `missing tools: ${missing.join(', ')}: cargo xtask setup --with images,cosign`;
  if (process.env.CI) throw new Error(message);
  console.error(`SKIPPED: ${message}`);
  return `SKIPPED: ${message}`;
}

/**
 * `cargo xtask image`; the digest of each image by its name and tag.
 *
 * @param {string[]} args
 */
export async function makeImages(...args) {
  const said = await run(/** @type {string} */ (images.xtask), ['image', ...args]);
  return new Map(
    said.trim().split('\n').map((line) => /** @type {[string, string]} */ (line.split('@'))),
  );
}

/** A base for the provenance. Nothing is fetched from there. */
export const PINNED = { name: 'gcr.io/distroless/cc-debian13', sha256: '0123456789abcdef'.repeat(4) };

/** `cargo xtask dist`, with the programs that are built already. */
export async function makeDist() {
  const dist = join(folder, 'dist');
  const args = ['dist', '--programs', dirname(tools.controlPlane), '--out', dist, '--base', `${PINNED.name}@sha256:${PINNED.sha256}`];
  await run(/** @type {string} */ (images.xtask), args);
  return dist;
}

/**
 * A stand-in for the base, whose registry may be out of reach: the C library of this
 * machine, certificates, a user, and nothing to run.
 */
export async function makeBase() {
  const context = join(folder, 'base');
  const linked = await run('ldd', [tools.controlPlane]);
  const libraries = [...linked.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path);
  for (const path of [...libraries, '/etc/ssl/certs/ca-certificates.crt']) {
    const to = join(context, 'root', path);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(realpathSync(path), to);
  }
  writeFileSync(join(context, 'root/etc/passwd'), 'nonroot:x:65532:65532::/home/nonroot:/sbin/nologin\n');
  writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY root/ /\n');
  const storage = [
    ...['--root', join(folder, 'base-storage'), '--runroot', join(folder, 'base-run')],
    ...['--storage-driver', 'vfs'],
  ];
  const buildah = /** @type {string} */ (images.buildah);
  const built = ['bud', '--isolation', 'chroot', '--timestamp', '0', '--tag', 'localhost/base', context];
  await run(buildah, [...storage, ...built]);
  // Buildah takes names in small letters only, which the folder's may not be.
  const at = join(tmpdir(), `ig-base-${process.pid}`);
  process.on('exit', () => rmSync(at, { recursive: true, force: true }));
  const layout = `oci:${at}:base`;
  await run(buildah, [...storage, 'push', 'localhost/base', layout]);
  return layout;
}

/**
 * What an image in a layout says of itself, and the files of its layers, the first of which is the base's.
 *
 * @param {string} layout
 */
export function readLayout(layout) {
  const blob = (/** @type {{ digest: string }} */ { digest }) =>
    join(layout, 'blobs', digest.replace(':', '/'));
  const json = (/** @type {string} */ path) => JSON.parse(readFileSync(path, 'utf8'));
  const { manifests } = json(join(layout, 'index.json'));
  const manifest = json(blob(manifests[0]));
  return { manifest, config: json(blob(manifest.config)), layers: manifest.layers.map(blob) };
}

/** A registry on this machine, without TLS. */
export async function startRegistry() {
  const port = await freePort();
  const file = join(folder, 'registry.yml');
  const storage = join(folder, 'registry');
  const settings = {
    version: 0.1,
    log: { level: 'warn', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage } },
    http: { addr: `127.0.0.1:${port}` },
  };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(settings));
  const registry = start(/** @type {string} */ (images.registry), ['serve', file]);
  const url = `http://127.0.0.1:${port}/v2/`;
  await until(async () => {
    if (!registry.isRunning()) throw new Error(registry.output());
    return (await fetch(url).catch(() => null))?.ok;
  }, 'the registry answers');
  return { host: `127.0.0.1:${port}`, url, close: () => registry.stop() };
}

/** What makes a command one of root's: nothing, where that is who runs this. */
export const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
