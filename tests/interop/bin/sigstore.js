// @ts-check
// Verifies a file with Sigstore's own verifier, and that a log has its signature:
// `sigstore.js KEY HINT ROOT BUNDLE FILE`. HINT is what KEY is known by. Exits with 1
// when it is refused.

import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';

const [key, known, root, bundle, file] = process.argv.slice(2);
const publicKey = createPublicKey(readFileSync(key));
const artifact = readFileSync(file);
const trusted = TrustedRoot.fromJSON(JSON.parse(readFileSync(root, 'utf8')));
const text = readFileSync(bundle, 'utf8');

try {
  const material = toTrustMaterial(trusted, (hint) => {
    if (hint !== known) throw new Error(`no key ${hint}`);
    return { publicKey, validFor: () => true };
  });
  const options = { tlogThreshold: 1, ctlogThreshold: 0, timestampThreshold: 0 };
  const entity = toSignedEntity(bundleFromJSON(JSON.parse(text)), artifact);
  new Verifier(material, options).verify(entity);
} catch (refused) {
  console.error(String(refused));
  process.exit(1);
}
