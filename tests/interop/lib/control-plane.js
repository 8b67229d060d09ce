// @ts-check
// The control plane as a process, and the real Envoy that takes its snapshots.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { folder, freePort, run, start, until } from './process.js';
import { ROOT, tools } from './tools.js';

let serial = 0;

/**
 * Starts one on SQLite.
 *
 * @param {(http: number) => string} [configuration] Its file, by the port of the API.
 */
export async function startControlPlane(configuration) {
  const base = join(folder, `control-${++serial}`);
  for (let attempt = 1; ; attempt++) {
    const [http, grpc] = [await freePort(), await freePort()];
    const file = `${base}-${attempt}.db`;
    const database = `sqlite:${file}`;
    const settings = `${base}-${attempt}.toml`;
    if (configuration) writeFileSync(settings, configuration(http));
    const control = start(tools.controlPlane, [
      ...['--listen', `127.0.0.1:${http}`, '--grpc-listen', `127.0.0.1:${grpc}`],
      ...['--database', database, '--module', tools.guard],
      ...(configuration ? ['--config', settings] : []),
    ]);
    const url = `http://127.0.0.1:${http}`;
    const ready = async () => {
      if (!control.isRunning()) throw new Error(control.output());
      const answer = await fetch(`${url}/readyz`).catch(() => null);
      return answer?.ok && control.output().match(/ig_[0-9a-f]{64}/);
    };
    let token;
    try {
      [token] = await until(ready, 'the control plane is ready');
    } catch (error) {
      await control.stop();
      if (attempt < 3) continue;
      throw error;
    }
    /**
     * A call; anything but a success is an error.
     *
     * @param {string} method
     * @param {string} path
     * @param {unknown} [body]
     * @param {string} [as] Another token than the first.
     * @returns {Promise<any>}
     */
    const call = async (method, path, body, as = token) => {
      const isText = typeof body === 'string' || body instanceof Uint8Array;
      const answer = await fetch(`${url}${path}`, {
        method,
        headers: { authorization: `Bearer ${as}`, 'content-type': 'application/json' },
        body: body === undefined || isText ? /** @type {any} */ (body) : JSON.stringify(body),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text ? JSON.parse(text) : null;
    };
    return { url, http, grpc, token, file, call, close: () => control.stop() };
  }
}

/** @typedef {Awaited<ReturnType<typeof startControlPlane>>} ControlPlane */

/**
 * Publishes the demo's graph with a directory.
 *
 * @param {ControlPlane} control
 */
export async function publishDemo(control) {
  const text = (/** @type {string} */ path) => readFileSync(join(ROOT, path), 'utf8');
  await control.call('PUT', '/schemas/demo/dev', text('persisted-queries/schema.graphql'));
  const manifest = text('persisted-queries/manifest.json');
  await control.call('POST', '/catalogue/demo?tag=dev', manifest);
  const bundle = join(folder, `bundle-${serial}.tar.gz`);
  await run(tools.ig, [
    ...['policy', 'bundle', join(ROOT, 'policies'), '--tests', '--output', bundle],
  ]);
  const pushed = await control.call('POST', '/policies/bundles', readFileSync(bundle));
  const settings = [
    'endpoint = "/graphql"',
    '[directory]',
    'cluster = "control-plane"',
    'authority = "control-plane"',
  ].join('\n');
  const graph = { settings, schemaTag: 'dev', bundle: pushed.revision };
  await control.call('PUT', '/graphs/demo', graph);
  await control.call('POST', '/snapshots/demo');
}

/**
 * An Envoy that takes the demo's snapshot from a control plane.
 *
 * @param {ControlPlane} control
 * @param {{ host: string, port: number }} upstream
 * @param {import('./idp.js').Idp} idp
 * @param {string} audience
 */
export async function startEdge(control, upstream, idp, audience) {
  const [port, adminPort] = [await freePort(), await freePort()];
  const bootstrap = join(folder, `edge-${++serial}.json`);
  const rendered = await run(tools.ig, [
    ...['envoy', 'render', '--flavour', 'envoy', '--module', tools.guard],
    ...['--control-plane', `127.0.0.1:${control.grpc}`, '--graph', 'demo', '--node', 'edge'],
    ...['--upstream', `${upstream.host}:${upstream.port}`],
    ...['--jwks', idp.keys, '--issuer', idp.issuer, '--audience', audience],
    ...['--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${adminPort}`],
  ]);
  writeFileSync(bootstrap, rendered);
  const envoy = start(tools.envoy, [
    ...['--config-path', bootstrap, '--concurrency', '2', '--disable-hot-restart'],
    ...['--log-level', 'warning'],
  ]);
  await until(async () => {
    if (!envoy.isRunning()) throw new Error(envoy.output());
    const answer = await fetch(`http://127.0.0.1:${adminPort}/ready`).catch(() => null);
    return answer?.ok;
  }, 'Envoy is ready');
  return {
    url: `http://127.0.0.1:${port}/graphql`,
    output: envoy.output,
    close: () => envoy.stop(),
  };
}
