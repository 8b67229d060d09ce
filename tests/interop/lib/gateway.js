// @ts-check
// The real Envoy with the guard, rendered and compiled by the repository's own tools.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { folder, freePort, run, start, until } from './process.js';
import { ROOT, tools } from './tools.js';

const ISSUER = 'https://issuer.localhost';
const AUDIENCE = 'ig';
const KEYS = join(folder, 'keys');

/** The demo's configuration. */
export const DEMO_CONFIG = join(ROOT, 'envoy/demo/guard.toml');

/** The demo's configuration with every guard in shadow mode. */
export function shadowConfig() {
  const path = join(folder, 'shadow.toml');
  const modes = '[modes]\npersisted-query = "shadow"\npolicy = "shadow"\n';
  writeFileSync(path, `${readFileSync(DEMO_CONFIG, 'utf8')}\n${modes}`);
  return path;
}

/** An access token of the demo's analyst. */
export async function accessToken() {
  const names = ['--issuer', ISSUER, '--audience', AUDIENCE, '--dir', KEYS];
  return (await run(tools.ig, ['token', '--user', 'a@alpha.io', ...names])).trim();
}

/** Headers by which the demo's analyst investigates. */
export async function analystHeaders() {
  return { authorization: `Bearer ${await accessToken()}`, 'x-ig-purpose': 'investigation' };
}

let serial = 0;

/**
 * @param {{ host: string, port: number }} upstream
 * @param {{ catalogues: string[], config?: string, edit?: (bootstrap: any) => void }} options
 *   Paths of manifests and of guard.toml; what to change in the bootstrap.
 */
export async function startGateway(upstream, { catalogues, config = DEMO_CONFIG, edit }) {
  const base = join(folder, `gateway-${++serial}`);
  const snapshot = `${base}.igsnap`;
  await run(tools.ig, [
    ...['snapshot', 'compile', '--schema', join(ROOT, 'persisted-queries/schema.graphql')],
    ...catalogues.flatMap((catalogue) => ['--catalogue', catalogue]),
    ...['--policies', join(ROOT, 'policies'), '--config', config, '--output', snapshot],
  ]);
  await run(tools.ig, ['token', 'keys', '--dir', KEYS]);
  for (let attempt = 1; ; attempt++) {
    const [port, adminPort] = [await freePort(), await freePort()];
    const accessLog = `${base}-${attempt}.log`;
    const bootstrap = `${base}-${attempt}.json`;
    await run(tools.ig, [
      ...['envoy', 'render', '--flavour', 'envoy', '--snapshot', snapshot, '--module', tools.guard],
      ...['--upstream', `${upstream.host}:${upstream.port}`, '--jwks', join(KEYS, 'jwks.json')],
      ...['--issuer', ISSUER, '--audience', AUDIENCE, '--access-log', accessLog],
      ...['--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${adminPort}`],
      ...['--output', bootstrap],
    ]);
    if (edit) {
      const rendered = JSON.parse(readFileSync(bootstrap, 'utf8'));
      edit(rendered);
      writeFileSync(bootstrap, JSON.stringify(rendered));
    }
    const envoy = start(tools.envoy, [
      ...['--config-path', bootstrap, '--concurrency', '1', '--disable-hot-restart'],
      ...['--log-level', 'warning', '--file-flush-interval-msec', '20'],
    ]);
    const isReady = async () => {
      if (!envoy.isRunning()) throw new Error(`Envoy did not start:\n${envoy.output()}`);
      const answer = await fetch(`http://127.0.0.1:${adminPort}/ready`).catch(() => null);
      return answer?.ok;
    };
    try {
      await until(isReady, 'Envoy is ready');
    } catch (error) {
      await envoy.stop();
      // Somebody else may have taken a port in between.
      if (attempt < 3) continue;
      throw new Error(envoy.output(), { cause: error });
    }
    return {
      host: '127.0.0.1',
      port,
      url: `http://127.0.0.1:${port}/graphql`,
      /**
       * The decision records of the request that got `decisionId`.
       *
       * @param {string | string[] | undefined} decisionId
       * @returns {Promise<any[]>}
       */
      decisions(decisionId) {
        const line = () => {
          const log = existsSync(accessLog) ? readFileSync(accessLog, 'utf8') : '';
          return log.split('\n').find((one) => one.includes(`"${decisionId}"`));
        };
        const logged = until(line, `decision ${decisionId} is logged`, 5_000);
        return logged.then((one) => JSON.parse(one).decisions);
      },
      close: () => envoy.stop(),
    };
  }
}

/** @typedef {Awaited<ReturnType<typeof startGateway>>} Gateway */
