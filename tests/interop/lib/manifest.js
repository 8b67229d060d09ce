// @ts-check
// Manifests of the client's documents, made by the clients' own means.

import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { formatDocument, stringifyDocument } from '@urql/core';
import { getOperationAST } from 'graphql';

import * as released from '../client/operations.js';
import * as unreleased from '../client/unreleased.js';
import { folder, run } from './process.js';

/**
 * @typedef {{ id: string, name: string, type: 'query' | 'mutation' | 'subscription', body: string }} Operation
 * @typedef {{ format: 'apollo-persisted-query-manifest', version: 1, operations: Operation[] }} Manifest
 */

const HERE = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const UNRELEASED = new Set(Object.values(unreleased).map(nameOf));

/** @param {import('graphql').DocumentNode} document */
function nameOf(document) {
  return getOperationAST(document)?.name?.value ?? '';
}

/** @param {string} text */
export const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** What `generate-persisted-query-manifest` makes of the client's source folder. */
export async function apolloManifest() {
  const output = join(folder, 'apollo-all.json');
  const config = join(folder, 'persisted-query-manifest.config.json');
  writeFileSync(config, JSON.stringify({ documents: ['client/**/*.js'], output }));
  const { resolve: find } = createRequire(import.meta.url);
  const cli = join(dirname(find('@apollo/generate-persisted-query-manifest/package.json')), 'cli.js');
  await run(process.execPath, [cli, '--config', config], { cwd: HERE });
  return /** @type {Manifest} */ (JSON.parse(readFileSync(output, 'utf8')));
}

/** The text that urql sends for a document, and hashes. */
export const urqlText = (/** @type {import('graphql').DocumentNode} */ document) =>
  stringifyDocument(formatDocument(document));

/** The same operations as urql writes them. @returns {Manifest} */
export function urqlManifest() {
  const documents = [...Object.values(released), ...Object.values(unreleased)];
  const operations = documents.map((document) => {
    const body = urqlText(document);
    const type = /** @type {Operation['type']} */ (getOperationAST(document)?.operation);
    return { id: sha256(body), name: nameOf(document), type, body };
  });
  return { format: 'apollo-persisted-query-manifest', version: 1, operations };
}

/**
 * Writes what of a manifest is released, for a catalogue, and gives the path.
 *
 * @param {Manifest} manifest
 * @param {string} name
 */
export function writeCatalogue(manifest, name) {
  const path = join(folder, `${name}.json`);
  const operations = manifest.operations.filter((one) => !UNRELEASED.has(one.name));
  writeFileSync(path, JSON.stringify({ ...manifest, operations }));
  return path;
}
