// @ts-check
// A transparency log of two leaves, after RFC 6962 and C2SP's tlog-checkpoint.

import { createHash, generateKeyPairSync, sign } from 'node:crypto';

const ORIGIN = 'log.example';

/** @param {(Buffer | string)[]} parts */
const sha256 = (...parts) => createHash('sha256').update(Buffer.concat(parts.map((part) => Buffer.from(part)))).digest();

/**
 * A log with this leaf as its first of two.
 *
 * @param {Buffer} leaf
 * @param {string} [origin] What its checkpoint says of whom it is; the trusted root says ORIGIN.
 */
export function logWith(leaf, origin = ORIGIN) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const logId = { keyId: sha256(spki).toString('base64') };
  const other = sha256(Buffer.from([0]), 'another');
  const root = sha256(Buffer.from([1]), sha256(Buffer.from([0]), leaf), other);
  const note = `${origin}\n2\n${root.toString('base64')}\n`;
  const signature = Buffer.concat([sha256(spki).subarray(0, 4), sign('sha256', Buffer.from(note), privateKey)]);
  return {
    /** An entry of `tlogEntries`. */
    entry: {
      logIndex: '0',
      logId,
      kindVersion: { kind: 'hashedrekord', version: '0.0.2' },
      inclusionProof: {
        logIndex: '0',
        rootHash: root.toString('base64'),
        treeSize: '2',
        hashes: [other.toString('base64')],
        checkpoint: { envelope: `${note}\n\u2014 ${origin} ${signature.toString('base64')}\n` },
      },
      canonicalizedBody: leaf.toString('base64'),
    },
    /** Who trusts this log, in the JSON of `TrustedRoot`. */
    trustedRoot: {
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      tlogs: [
        {
          baseUrl: `https://${ORIGIN}`,
          hashAlgorithm: 'SHA2_256',
          publicKey: {
            rawBytes: spki.toString('base64'),
            keyDetails: 'PKIX_ECDSA_P256_SHA_256',
            validFor: { start: '2020-01-01T00:00:00Z' },
          },
          logId,
        },
      ],
      certificateAuthorities: [],
      ctlogs: [],
      timestampAuthorities: [],
    },
  };
}
