// @ts-check
// What we sign, other programs verify, and refuse once it was changed; and we
// what they sign.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
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
 * What others take of what was changed of a log: they look at the signed checkpoint, at the body's digest, or
 * elsewhere. `ig-verify` takes none of it.
 */
const TAKEN = {
  sigstore: ['a bit of the root hash', 'another size', 'another log', 'another algorithm in the entry'],
  cosign: ['a bit of the root hash', 'another size', 'another kind'],
};

/**
 * A bundle with an entry of a log, and whom to trust, with one thing changed.
 *
 * @returns {Generator<{ name: string, bundle: any, root: any, file?: string }>}
 */
function* tamperedLogs() {
  const leaf = read('m.leaf.json');
  const log = logWith(leaf);
  const signed = json('m.sigstore.json');
  const make = (/** @type {any} */ entry) => {
    const bundle = structuredClone(signed);
    bundle.verificationMaterial.tlogEntries = [structuredClone(entry)];
    return bundle;
  };
  const root = log.trustedRoot;
  /** @param {string} name @param {(entry: any, proof: any) => void} how */
  const entry = (name, how) => {
    const bundle = make(log.entry);
    const [copy] = bundle.verificationMaterial.tlogEntries;
    how(copy, copy.inclusionProof);
    return { name, bundle, root };
  };
  const noted = (/** @type {any} */ proof, /** @type {(note: string) => string} */ how) => {
    const { checkpoint } = proof;
    const changed = how(checkpoint.envelope);
    assert.notEqual(changed, checkpoint.envelope);
    checkpoint.envelope = changed;
  };
  yield entry('a bit of the entry', (copy) => (copy.canonicalizedBody = flip(copy.canonicalizedBody, 900)));
  yield entry('a bit of the path', (_, proof) => (proof.hashes[0] = flip(proof.hashes[0], 1)));
  yield entry('no path', (_, proof) => (proof.hashes = []));
  yield entry('a hash too many', (_, proof) => proof.hashes.push(proof.hashes[0]));
  yield entry('another index', (copy, proof) => (copy.logIndex = proof.logIndex = '1'));
  yield entry('an index that is not there', (copy, proof) => (copy.logIndex = proof.logIndex = '2'));
  yield entry('a bit of the root hash', (_, proof) => (proof.rootHash = flip(proof.rootHash, 1)));
  yield entry('another size', (_, proof) => (proof.treeSize = '3'));
  yield entry('another size in the checkpoint', (_, proof) => noted(proof, (note) => note.replace('\n2\n', '\n3\n')));
  yield entry('a bit of the checkpoint', (_, proof) =>
    noted(proof, (note) => note.replace(proof.rootHash, flip(proof.rootHash, 1))));
  yield entry("a bit of the checkpoint's signature", (_, proof) =>
    noted(proof, (note) => note.replace(/[^ ]+\n$/, (line) => `${flip(line, 300)}\n`)));
  yield entry('no signature', (_, proof) => noted(proof, (note) => note.replace(/\u2014.*\n$/, '')));
  yield entry('another log', (copy) => (copy.logId.keyId = flip(copy.logId.keyId, 1)));
  yield entry('another kind', (copy) => (copy.kindVersion.version = '0.0.1'));

  const stranger = logWith(leaf);
  const mixed = structuredClone(stranger.trustedRoot);
  mixed.tlogs[0].logId = log.entry.logId;
  yield { name: "a trusted root with another log's key", bundle: make(log.entry), root: mixed };
  yield { name: 'a trusted root of another log', bundle: make(log.entry), root: stranger.trustedRoot };
  const elsewhere = logWith(leaf, 'other.example');
  yield { name: 'a checkpoint of another origin', bundle: make(elsewhere.entry), root: elsewhere.trustedRoot };
  const named = structuredClone(root);
  named.tlogs[0].baseUrl = 'https://other.example';
  yield { name: 'a trusted root with another name', bundle: make(log.entry), root: named };
  const body = JSON.parse(leaf.toString());
  const { data } = body.spec.hashedRekordV002;
  data.algorithm = 'SHA2_512';
  const longer = logWith(Buffer.from(canonical(body)));
  yield { name: 'another algorithm in the entry', bundle: make(longer.entry), root: longer.trustedRoot };
  data.algorithm = 'SHA2_256';
  data.digest = flip(data.digest, 7);
  const other = logWith(Buffer.from(canonical(body)));
  yield { name: 'the entry of something else', bundle: make(other.entry), root: other.trustedRoot };
  const attested = json('a.sigstore.json');
  attested.verificationMaterial.tlogEntries = [log.entry];
  yield { name: 'an attestation with the entry of a signature', bundle: attested, root };
  yield { name: 'no entry', bundle: structuredClone(signed), root };
  yield { name: 'the bundle of another file', bundle: make(log.entry), root, file: 'cosign.pub' };
}

/**
 * Verifies with `@sigstore/verify`.
 *
 * @param {any} bundle
 * @param {Buffer} [artifact]
 * @param {any} [root] Whose log has to have the signature.
 * @param {import('node:crypto').KeyObject} [key] What is known by the exporter's name.
 */
function sigstore(bundle, artifact, root, key) {
  const spki = createPublicKey(read('cosign.pub'));
  const known = createHash('sha256').update(spki.export({ type: 'spki', format: 'der' })).digest('base64');
  const keys = (/** @type {string} */ hint) => {
    if (hint !== known) throw new Error(`no key ${hint}`);
    return { publicKey: key ?? spki, validFor: () => true };
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

const igLogged = (/** @type {any} */ bundle, /** @type {any} */ root, file = at('m.json')) => {
  writeFileSync(at('root.json'), JSON.stringify(root));
  const args = ['bundle', '--bundle', write(bundle), ...KEY(), '--trusted-root', at('root.json'), file];
  return says(signing.verify, args);
};

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
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const other = (/** @type {Buffer} */ file) => sigstore(json('m.sigstore.json'), file, undefined, publicKey);
    assert.throws(() => other(manifest), /signature/);
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

  test('@sigstore/verify and ig-verify refuse what was changed of a log', async () => {
    const log = logWith(read('m.leaf.json'));
    const good = json('m.sigstore.json');
    good.verificationMaterial.tlogEntries = [log.entry];
    assert.equal(await igLogged(good, log.trustedRoot), true);
    sigstore(good, read('m.json'), log.trustedRoot);
    const taken = [];
    for (const { name, bundle, root, file = 'm.json' } of tamperedLogs()) {
      assert.equal(await igLogged(bundle, root, at(file)), false, name);
      try {
        sigstore(bundle, bundle.dsseEnvelope ? undefined : read(file), root);
        taken.push(name);
      } catch {
        // Refused.
      }
    }
    assert.deepEqual(taken, TAKEN.sigstore);
  });

  test('JSON that is cut off is refused', async () => {
    const text = read('m.sigstore.json').toString();
    for (const length of [0, 1, 100, text.length - 1]) {
      writeFileSync(at('cut.json'), text.slice(0, length));
      assert.equal(await says(signing.verify, ['bundle', '--bundle', at('cut.json'), ...KEY(), at('m.json')]), false);
    }
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

  test('verifies what ig attests', async () => {
    const out = at('ig.att.sigstore.json');
    writeFileSync(at('review.json'), '{"reviewer": "alice", "findings": []}');
    const args = ['export', 'attest', at('m.json'), '--type', TYPE, '--predicate', at('review.json')];
    const key = ['--key', at('cosign.key'), '--password-file', at('password')];
    writeFileSync(at('password'), 'interop\n');
    assert.equal(await says(/** @type {string} */ (signing.ig), [...args, ...key, '-o', out]), true);
    const bundle = json('ig.att.sigstore.json');
    assert.equal(await attestation(bundle), true);
    assert.equal(await attestation(bundle, 'https://example.com/other'), false);
    sigstore(bundle);
    assert.equal(await igBundle(bundle), true);
    for (const [what, changed] of tampered(bundle)) {
      assert.equal(await attestation(changed), what === 'hint', what);
      assert.equal(await igBundle(changed), false, what);
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

  test('refuses what was changed of a log', async () => {
    const verify = (/** @type {any} */ bundle, /** @type {any} */ root, file = 'm.json') => {
      writeFileSync(at('root.json'), JSON.stringify(root));
      const kind = bundle.dsseEnvelope ? ['verify-blob-attestation', '--type', TYPE] : ['verify-blob'];
      return says(cosign, [...kind, ...KEY(), '--trusted-root', at('root.json'), '--bundle', write(bundle), at(file)]);
    };
    const taken = [];
    for (const { name, bundle, root, file } of tamperedLogs()) {
      if (await verify(bundle, root, file)) taken.push(name);
    }
    assert.deepEqual(taken, TAKEN.cosign);
  });

  test('refuses JSON that is cut off, and another key', async () => {
    const text = read('m.sigstore.json').toString();
    for (const length of [0, 1, 100, text.length - 1]) {
      writeFileSync(at('cut.json'), text.slice(0, length));
      assert.equal(await says(cosign, ['verify-blob', ...KEYED(), '--bundle', at('cut.json'), at('m.json')]), false);
    }
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(at('other.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    const other = ['--key', at('other.pub'), '--insecure-ignore-tlog', '--bundle', at('m.sigstore.json')];
    assert.equal(await says(cosign, ['verify-blob', ...other, at('m.json')]), false);
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
