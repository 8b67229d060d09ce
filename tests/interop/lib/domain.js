// @ts-check
// The investigation domain for JavaScript servers: the repository's schema,
// and resolvers over the demo upstream's data as far as the tests ask for it.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { GraphQLError } from 'graphql';

import { ROOT } from './tools.js';

export const typeDefs = readFileSync(join(ROOT, 'persisted-queries/schema.graphql'), 'utf8');

/** @typedef {{ tenant: string | undefined }} Context */

const CASES = [
  { id: 'case-1', tenant: 'alpha', title: 'Harbour shipments' },
  { id: 'case-2', tenant: 'alpha', title: 'Invoice ring' },
  { id: 'case-101', tenant: 'bravo', title: 'Border crossings' },
];

/**
 * @param {string} id
 * @param {string} caseId
 * @param {string} label
 * @param {string | null} retention
 */
const asset = (id, caseId, label, retention, kind = 'document') => {
  const digest = createHash('sha256').update(`${id}\0${label}\0`).digest('hex');
  return { id, caseId, kind, label, retention, licenseClass: 'cc-by', sha256: digest };
};

/** @param {Context} context */
function tenantOf({ tenant }) {
  if (!tenant) throw new GraphQLError('x-ig-tenant is missing');
  return tenant;
}

/** Fresh data: what one server creates, no other sees. */
export function createDomain() {
  const assets = [
    asset('asset-1', 'case-1', 'Harbour manifest', 'short-30d'),
    asset('asset-2', 'case-1', 'Harbour camera still', 'legal-hold'),
    asset('asset-3', 'case-2', 'Invoice scan', 'short-30d'),
  ];
  const caseOf = (/** @type {string} */ id, /** @type {Context} */ context) =>
    CASES.find((one) => one.id === id && one.tenant === tenantOf(context)) ?? null;
  /** @type {(input: { caseId: string, kind: string, label: string, retention?: string }, context: Context) => unknown} */
  const create = ({ caseId, kind, label, retention }, context) => {
    if (!caseOf(caseId, context)) throw new GraphQLError(`no case ${caseId} in this tenant`);
    const created = asset(`asset-${1000 + assets.length}`, caseId, label, retention ?? null, kind);
    assets.push(created);
    return created;
  };
  return {
    assets,
    caseOf,
    create,
    cases: (/** @type {number} */ first, /** @type {Context} */ context) =>
      CASES.filter((one) => one.tenant === tenantOf(context)).slice(0, first),
    assetsOf: (/** @type {string} */ caseId, /** @type {number} */ first) =>
      assets.filter((one) => one.caseId === caseId).slice(0, first),
  };
}

/** Resolvers as Apollo Server takes them. */
export function createResolvers() {
  const domain = createDomain();
  /** @typedef {any} Args */
  return {
    Query: {
      case: (/** @type {unknown} */ _, /** @type {Args} */ { id }, /** @type {Context} */ context) =>
        domain.caseOf(id, context),
      cases: (/** @type {unknown} */ _, /** @type {Args} */ { first }, /** @type {Context} */ context) =>
        domain.cases(first, context),
    },
    Case: {
      assets: (/** @type {{ id: string }} */ { id }, /** @type {Args} */ { first }) =>
        domain.assetsOf(id, first),
    },
    Mutation: {
      createAsset: (/** @type {unknown} */ _, /** @type {Args} */ { input }, /** @type {Context} */ context) =>
        domain.create(input, context),
    },
  };
}
