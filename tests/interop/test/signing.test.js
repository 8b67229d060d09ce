// @ts-check
// What we sign, other programs verify, and refuse once it was changed; and we
// what they sign.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, createPublicKey } from 'node:crypto';
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';

import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';

import { logWith } from '../lib/log.js';
import { folder, run } from '../lib/process.js';
import { cosign, signing, skipSigning } from '../lib/tools.js';

const TYPE = 'https://example.com/export/v1';
const at = (/** @type {string} */ name) => join(folder, 'export', name);
const read = (/** @type {string} */ name) => readFileSync(at(name));
const json = (/** @type {string} */ name) => JSON.parse(read(name).toString());

/** @param {string} base64 @param {number} bit */
function flip(base64, bit) {
  const bytes = Buffer.from(base64, 'base64');
  bytes[bit >> 3] ^= 1 << (bit & 7);
  return bytes.toString('base64');
}

/**
 * The same bundle with one thing changed: each way has to be refused.
 *
 * @param {any} bundle
 */
function* tampered(bundle) {
  const change = (/** @type {string} */ name, /** @type {(copy: any) => void} */ how) => {
    const copy = structuredClone(bundle);
    how(copy);
    return /** @type {const} */ ([name, copy]);
  };
  const hint = bundle.verificationMaterial.publicKey.hint;
  yield change('hint', (copy) => (copy.verificationMaterial.publicKey.hint = flip(hint, 9)));
  if (bundle.messageSignature) {
    const { signature, messageDigest } = bundle.messageSignature;
    for (const bit of [3, 77, 300, 500]) {
      yield change(`signature, bit ${bit}`, (copy) => (copy.messageSignature.signature = flip(signature, bit)));
    }
    yield change('digest', (copy) => (copy.messageSignature.messageDigest.digest = flip(messageDigest.digest, 0)));
  } else {
    const { payload, signatures } = bundle.dsseEnvelope;
    yield change('payload', (copy) => (copy.dsseEnvelope.payload = flip(payload, 100)));
    yield change('type', (copy) => (copy.dsseEnvelope.payloadType += ' '));
    yield change('signature', (copy) => (copy.dsseEnvelope.signatures[0].sig = flip(signatures[0].sig, 300)));
    yield change('no signature', (copy) => (copy.dsseEnvelope.signatures = []));
    yield change('two signatures', (copy) => copy.dsseEnvelope.signatures.push(signatures[0]));
  }
}

/**
 * Verifies with `@sigstore/verify`.
 *
 * @param {any} bundle
 * @param {Buffer} [artifact]
 * @param {any} [root] Whose log has to have the signature.
 */
function sigstore(bundle, artifact, root) {
  const spki = createPublicKey(read('cosign.pub'));
  const known = createHash('sha256').update(spki.export({ type: 'spki', format: 'der' })).digest('base64');
  const keys = (/** @type {string} */ hint) => {
    if (hint !== known) throw new Error(`no key ${hint}`);
    return { publicKey: spki, validFor: () => true };
  };
  const material = toTrustMaterial(TrustedRoot.fromJSON(root ?? { tlogs: [] }), keys);
  const options = { tlogThreshold: root ? 1 : 0, ctlogThreshold: 0, timestampThreshold: 0 };
  new Verifier(material, options).verify(toSignedEntity(bundleFromJSON(bundle), artifact));
}

/**
 * Runs a program that verifies; whether it says yes. One that could not do its
 * work says neither.
 *
 * @param {string | undefined} program
 * @param {string[]} args
 */
function says(program, args) {
  return new Promise((resolve, reject) => {
    execFile(/** @type {string} */ (program), args, { timeout: 60_000 }, (error, stdout, stderr) => {
      if (!error) resolve(true);
      else if (error.code === 1) resolve(false);
      else reject(new Error(`${program} ${args.join(' ')}: ${error.code}\n${stdout}${stderr}`));
    });
  });
}

/**
 * RFC 8785, which is what ECMAScript does but for the order of names.
 *
 * @param {any} value
 * @returns {string}
 */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
}

/** @param {any} bundle */
function write(bundle) {
  const path = at('written.sigstore.json');
  writeFileSync(path, JSON.stringify(bundle));
  return path;
}

const KEY = () => ['--key', at('cosign.pub')];
const igBundle = (/** @type {any} */ bundle, file = at('m.json')) =>
  says(signing.verify, ['bundle', '--bundle', write(bundle), ...KEY(), file]);

async function export_() {
  mkdirSync(at('.'), { recursive: true });
  await run(/** @type {string} */ (signing.fixtures), [at('.')]);
}

describe('signed exports', { skip: skipSigning(false) }, () => {
  before(export_);

  test('ig-verify verifies the export', async () => {
    const args = ['manifest', '--manifest', at('m.json'), '--bundle', at('m.sigstore.json'), ...KEY()];
    assert.equal(await says(signing.verify, [...args, '--files', at('files')]), true);
    cpSync(at('files'), at('changed'), { recursive: true });
    writeFileSync(at('changed/people.json'), '[] \n');
    assert.equal(await says(signing.verify, [...args, '--files', at('changed')]), false);
  });

  test('what is signed is canonical JSON', () => {
    const { payload } = json('a.sigstore.json').dsseEnvelope;
    const texts = [...['m.json', 'm.leaf.json', 'm.sigstore.json'].map(read), Buffer.from(payload, 'base64')];
    for (const text of texts.map(String)) assert.equal(text, canonical(JSON.parse(text)));
  });

  test('@sigstore/verify and ig-verify agree on what was changed', async () => {
    const manifest = read('m.json');
    // It hashes the file itself, whatever the bundle says the digest is.
    const ignored = ['digest'];
    for (const [name, artifact] of [['m.sigstore.json', manifest], ['a.sigstore.json', undefined]]) {
      const good = json(/** @type {string} */ (name));
      sigstore(good, /** @type {Buffer | undefined} */ (artifact));
      assert.equal(await igBundle(good), true, `${name}`);
      for (const [what, bundle] of tampered(good)) {
        const theirs = () => sigstore(bundle, /** @type {Buffer | undefined} */ (artifact));
        if (ignored.includes(what)) theirs();
        else assert.throws(theirs, `${name}: ${what}`);
        assert.equal(await igBundle(bundle), false, `${name}: ${what}`);
      }
    }
    const changed = Buffer.from(manifest);
    changed[10] ^= 1;
    assert.throws(() => sigstore(json('m.sigstore.json'), changed));
  });

  test('@sigstore/verify finds our leaves in a log', () => {
    const bundle = json('m.sigstore.json');
    const log = logWith(read('m.leaf.json'));
    assert.throws(() => sigstore(bundle, read('m.json'), log.trustedRoot), /tlog entries/);
    bundle.verificationMaterial.tlogEntries = [log.entry];
    sigstore(bundle, read('m.json'), log.trustedRoot);
    const other = logWith(Buffer.from(read('m.leaf.json').toString().replace('0.0.2', '0.0.1')));
    bundle.verificationMaterial.tlogEntries = [other.entry];
    assert.throws(() => sigstore(bundle, read('m.json'), other.trustedRoot));
  });

  test('OpenSSL verifies the bare signature', async () => {
    writeFileSync(at('m.der'), Buffer.from(read('m.json.sig').toString(), 'base64'));
    const args = ['dgst', '-sha256', '-verify', at('cosign.pub'), '-signature', at('m.der')];
    assert.equal(await says('openssl', [...args, at('m.json')]), true);
    assert.equal(await says('openssl', [...args, at('cosign.pub')]), false);
  });
});

describe('Cosign', { skip: skipSigning(true) }, () => {
  const KEYED = () => [...KEY(), '--insecure-ignore-tlog'];
  const blob = (/** @type {any} */ bundle, file = at('m.json')) =>
    says(cosign, ['verify-blob', ...KEYED(), '--bundle', write(bundle), file]);
  const attestation = (/** @type {any} */ bundle, type = TYPE) =>
    says(cosign, ['verify-blob-attestation', ...KEYED(), '--bundle', write(bundle), '--type', type, at('m.json')]);

  before(export_);

  test('verifies our bundle, and none that was changed', async () => {
    const good = json('m.sigstore.json');
    assert.equal(await blob(good), true);
    assert.equal(await blob(good, at('cosign.pub')), false);
    for (const [what, bundle] of tampered(good)) {
      // Cosign takes the key that it is given, whatever the hint is.
      assert.equal(await blob(bundle), what === 'hint', what);
    }
  });

  test('verifies our attestation, and none that was changed', async () => {
    const good = json('a.sigstore.json');
    assert.equal(await attestation(good), true);
    assert.equal(await attestation(good, 'https://example.com/other'), false);
    for (const [what, bundle] of tampered(good)) {
      assert.equal(await attestation(bundle), what === 'hint', what);
    }
  });

  // Why we write no `keyid`; when this fails, we can.
  test('refuses the keyid that the specification asks for', async () => {
    const bundle = json('a.sigstore.json');
    bundle.dsseEnvelope.signatures[0].keyid = bundle.verificationMaterial.publicKey.hint;
    sigstore(bundle);
    assert.equal(await igBundle(bundle), true);
    assert.equal(await attestation(bundle), false);
  });

  test('verifies our bare signature', async () => {
    const args = ['verify-blob', ...KEYED(), '--signature', at('m.json.sig')];
    assert.equal(await says(cosign, [...args, at('m.json')]), true);
    assert.equal(await says(cosign, [...args, at('cosign.pub')]), false);
  });

  test('finds our leaf in a log', async () => {
    const bundle = json('m.sigstore.json');
    const log = logWith(read('m.leaf.json'));
    writeFileSync(at('root.json'), JSON.stringify(log.trustedRoot));
    const args = ['verify-blob', ...KEY(), '--trusted-root', at('root.json'), '--bundle'];
    assert.equal(await says(cosign, [...args, write(bundle), at('m.json')]), false, 'no entry');
    bundle.verificationMaterial.tlogEntries = [log.entry];
    assert.equal(await says(cosign, [...args, write(bundle), at('m.json')]), true);
    assert.equal(await igBundle(bundle), true);
    const { inclusionProof } = bundle.verificationMaterial.tlogEntries[0];
    inclusionProof.hashes[0] = flip(inclusionProof.hashes[0], 1);
    assert.equal(await says(cosign, [...args, write(bundle), at('m.json')]), false, 'another proof');
  });

  test('signs with our key what ig-verify verifies', async () => {
    process.env.COSIGN_PASSWORD = 'interop';
    copyFileSync(at('m.json'), at('theirs.json'));
    // A configuration without services: nothing is sent anywhere.
    const none = { mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json' };
    writeFileSync(at('none.json'), JSON.stringify(none));
    const key = ['--key', at('cosign.key'), '--signing-config', at('none.json'), '--yes'];
    const bundle = at('theirs.sigstore.json');
    await run(/** @type {string} */ (cosign), ['sign-blob', ...key, '--bundle', bundle, at('theirs.json')]);
    assert.equal(await igBundle(json('theirs.sigstore.json'), at('theirs.json')), true);
    assert.equal(await igBundle(json('theirs.sigstore.json'), at('cosign.pub')), false);
  });
});
