// @ts-check
// Inputs of policies by chance: like those that the guard builds, with one
// thing or another missing, of another type, or out of bounds.

/**
 * Numbers from 0 to 1 that a seed decides (mulberry32).
 *
 * @param {number} seed
 */
export function numbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const ODD = [null, true, false, 0, -1, 3.5, '', 'x', [], {}, [null], ['x'], { x: 1 }, [[]], [{}], 'ünïcödé'];

/**
 * @param {() => number} random
 */
export function randomInput(random) {
  const pick = (/** @type {any[]} */ all) => all[Math.floor(random() * all.length)];
  const some = (/** @type {any[]} */ all) => all.filter(() => random() < 0.4);
  const purposes = ['investigation', 'audit', 'export'];
  const purpose = pick(purposes);
  const facts = /** @type {Record<string, unknown>} */ ({});
  if (random() < 0.6) facts.retention = some(['short-30d', 'legal-hold', 'short-30d', 'forever', null]);
  if (random() < 0.5) facts.licenseClass = some(['cc0', 'cc-by', 'cc-by-nc', 'partner-only', 'proprietary', 'unknown']);
  if (random() < 0.5) facts['destination.tos'] = some(['internal', 'partner', 'public', 'commercial', 'unknown']);
  if (random() < 0.2) facts.pii = some([true, false, null]);
  const resource = () => {
    const members = /** @type {Record<string, unknown>} */ ({});
    if (random() < 0.7) members.pii = random() < 0.3;
    if (random() < 0.2) members.retention = pick(['short-30d', 'legal-hold', '7y']);
    if (random() < 0.2) members.licenseClass = pick(['cc0', 'proprietary', 'unknown']);
    return members;
  };
  const tenant = pick(['alpha', 'alpha', 'alpha', 'bravo']);
  const input = {
    actor: {
      iss: 'https://issuer.test',
      sub: 'a@alpha.io',
      tenant: random() < 0.9 ? tenant : 'alpha',
      groups: some(['analyst', 'cross-tenant-analyst', 'admin']),
      purposes: random() < 0.7 ? [...some(purposes), purpose] : some(purposes),
    },
    purpose,
    authority: pick([null, null, 'warrant-17']),
    tenant: { id: tenant, region: pick(['eu-west-1', 'us-east-1', null]) },
    operation: {
      name: pick(['CaseById', 'CreateAsset', 'ExportAssets', 'CrossTenantSearch']),
      type: pick(['query', 'query', 'mutation', 'mutation', 'subscription']),
      actions: random() < 0.6
        ? [pick(['query:case', 'mutation:createAsset', 'export:assets', 'crossTenant:search'])]
        : some(['query:case', 'mutation:createAsset', 'export:assets', 'crossTenant:search']),
      crossTenant: random() < 0.1,
      stepUp: random() < 0.2,
    },
    resources: Array.from({ length: Math.floor(random() * 3) }, resource),
    facts,
  };
  const faults = random() < 0.5 ? 0 : 1 + Math.floor(random() * 2);
  for (let fault = 0; fault < faults; fault += 1) damage(input, random, pick);
  return random() < 0.01 ? pick(ODD) : input;
}

/**
 * Changes or removes one member, anywhere.
 *
 * @param {any} value
 * @param {() => number} random
 * @param {(all: any[]) => any} pick
 */
function damage(value, random, pick) {
  const keys = Object.keys(value);
  if (keys.length === 0) return;
  const key = pick(keys);
  const inner = value[key];
  if (inner !== null && typeof inner === 'object' && random() < 0.6) damage(inner, random, pick);
  else if (random() < 0.5 && !Array.isArray(value)) delete value[key];
  else value[key] = structuredClone(pick(ODD));
}
