// @ts-check
// Certificates as cert-manager would issue them, made by OpenSSL.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { run } from './process.js';

/**
 * An authority, and what it signs. Each certificate is a folder with `tls.crt`,
 * `tls.key` and `ca.crt`, as a Secret is mounted.
 *
 * @param {string} folder
 */
export async function authority(folder) {
  const at = (/** @type {string} */ name) => join(folder, name);
  mkdirSync(folder, { recursive: true });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  await run('openssl', [
    ...['req', '-x509', ...key, '-keyout', at('ca.key'), '-out', at('ca.crt'), '-days', '2'],
    ...['-subj', '/CN=authority', '-addext', 'basicConstraints=critical,CA:TRUE'],
  ]);
  return {
    /**
     * @param {string} name
     * @param {string} alternatives `DNS:…` or `URI:…`, with commas between.
     * @param {'serverAuth' | 'clientAuth'} usage
     */
    async issue(name, alternatives, usage) {
      const inner = (/** @type {string} */ file) => join(folder, name, file);
      mkdirSync(join(folder, name));
      await run('openssl', ['req', ...key, '-keyout', inner('tls.key'), '-out', inner('csr'), '-subj', `/CN=${name}`]);
      writeFileSync(inner('ext'), `subjectAltName=${alternatives}\nextendedKeyUsage=${usage}\n`);
      await run('openssl', [
        ...['x509', '-req', '-in', inner('csr'), '-out', inner('tls.crt'), '-days', '1', '-CAcreateserial'],
        ...['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-extfile', inner('ext')],
      ]);
      await run('cp', [at('ca.crt'), inner('ca.crt')]);
    },
  };
}
