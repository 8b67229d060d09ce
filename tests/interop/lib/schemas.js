// @ts-check
// Schemas that are valid and otherwise at random, with few names, so that any
// two of them have much in common and differ in everything that may differ.

/**
 * Numbers from 0 to 1, the same for a seed (mulberry32).
 *
 * @param {number} seed
 */
export function random(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @typedef {() => number} Random */

/** Places of directives, and who uses them below. */
const LOCATIONS = [
  ...['SCHEMA', 'SCALAR', 'OBJECT', 'FIELD_DEFINITION', 'ARGUMENT_DEFINITION', 'INTERFACE', 'UNION', 'ENUM'],
  ...['ENUM_VALUE', 'INPUT_OBJECT', 'INPUT_FIELD_DEFINITION'],
];

/**
 * An SDL.
 *
 * @param {Random} next
 */
export function generate(next) {
  const chance = (/** @type {number} */ of) => next() < of;
  const pick = (/** @type {readonly any[]} */ all) => all[Math.floor(next() * all.length)];
  const some = (/** @type {readonly any[]} */ all, of = 0.6) => all.filter(() => chance(of));
  const description = () => (chance(0.3) ? `${JSON.stringify(pick(['a', "it's", 'b c', '', 'é']))} ` : '');
  const deprecated = () =>
    chance(0.2) ? pick([' @deprecated', ' @deprecated(reason: "old")', ' @deprecated(reason: "it\'s 2026-01-01")', ' @deprecated(reason: "No longer supported")']) : '';

  const scalars = some(['S', 'T'], 0.8);
  // What has this name is of another kind in every schema.
  const kind = pick(['scalar', 'enum', 'object', 'input', 'none']);
  const enums = [...some(['E', 'F'], 0.8), ...(kind === 'enum' ? ['K'] : [])];
  const inputs = [...some(['I', 'J'], 0.8), ...(kind === 'input' ? ['K'] : [])];
  const objects = [...some(['A', 'B', 'C'], 0.8), ...(kind === 'object' ? ['K'] : [])];
  const interfaces = some(['M', 'N'], 0.7);
  if (kind === 'scalar') scalars.push('K');
  const values = Object.fromEntries(enums.map((name) => [name, ['X', ...some(['Y', 'Z', 'W'])]]));

  const wrap = (/** @type {string} */ type) => pick([type, type, `${type}!`, `[${type}]`, `[${type}!]!`, `[[${type}]]`]);
  const input = (nullable = false) => {
    const type = wrap(pick(['Int', 'Float', 'String', 'ID', 'Boolean', ...scalars, ...enums, ...inputs]));
    return nullable ? type.replace(/!$/, '') : type;
  };
  const output = () => wrap(pick(['Int', 'String', 'ID', ...scalars, ...enums, ...objects, ...interfaces]));

  /** @param {string} type @param {number} depth @returns {string} */
  const value = (type, depth) => {
    if (type.endsWith('!')) return value(type.slice(0, -1), depth);
    if (chance(0.1)) return type.endsWith('!') ? '1' : 'null';
    if (type.startsWith('[')) {
      const item = type.slice(1, -1);
      const one = () => (item.endsWith('!') ? strict(item, depth) : value(item, depth));
      return pick([0, 1, 2]) === 0 ? '[]' : `[${[one(), one()].join(', ')}]`;
    }
    return strict(type, depth);
  };
  /** A value that is not null. @param {string} type @param {number} depth @returns {string} */
  const strict = (type, depth) => {
    const name = type.replace(/!$/, '');
    if (name.startsWith('[')) return '[]';
    if (values[name]) return pick(values[name]);
    if (inputs.includes(name)) return '{}';
    if (name === 'Int') return pick(['0', '1', '-5']);
    if (name === 'Float') return pick(['1', '1.0', '0.5', '1e30', '1.5e-9']);
    if (name === 'String') return pick(['"a"', '"it\'s"', '""', '"b\\n"']);
    if (name === 'ID') return pick(['"a"', '1', '"1"']);
    if (name === 'Boolean') return pick(['true', 'false']);
    return pick(['1', '"a"', '{a: [1, {b: "c"}]}', 'Q', '[true, null]', '1.50']);
  };
  const fallback = (/** @type {string} */ type) => {
    if (!chance(0.4)) return '';
    return ` = ${type.endsWith('!') ? strict(type, 0) : value(type, 0)}`;
  };

  const directives = some(['d', 'e', 'f'], 0.8).map((name) => ({
    name,
    repeatable: chance(0.5),
    locations: ['OBJECT', ...some(LOCATIONS.filter((it) => it !== 'OBJECT'), 0.7), ...some(['FIELD', 'QUERY'], 0.5)],
    arguments: some(['a', 'b', 'c'], 0.7).map((argument) => ({ argument, type: pick(['Int', 'String', '[Int!]', 'P']) })),
  }));
  const use = (/** @type {string} */ location) => {
    const all = directives.filter((it) => it.locations.includes(location) && chance(0.35));
    const uses = all.flatMap((it) => (it.repeatable && chance(0.5) ? [it, it] : [it]));
    const text = uses.map(({ name, arguments: given }) => {
      const parts = some(given).map(({ argument, type }) => `${argument}: ${value(type, 0)}`);
      return ` @${name}${parts.length ? `(${parts.join(', ')})` : ''}`;
    });
    return text.join('');
  };

  const args = () => {
    const all = some(['x', 'y', 'z'], 0.3).map((name) => {
      const type = input();
      return `${description()}${name}: ${type}${fallback(type)}${use('ARGUMENT_DEFINITION')}`;
    });
    return all.length ? `(${all.join(', ')})` : '';
  };
  const field = (/** @type {string} */ name) => `${description()}${name}${args()}: ${output()}${deprecated()}${use('FIELD_DEFINITION')}`;

  // Implementations have the fields of the interface, letter for letter.
  const ofInterface = Object.fromEntries(interfaces.map((name) => [name, some(['n1', 'n2'], 0.7).concat('n0').map((it) => field(`${name.toLowerCase()}${it}`))]));
  const body = (/** @type {string[]} */ supers, isInterface = false) => {
    const own = isInterface ? [] : ['a', ...some(['b', 'c', 'd', 'e'])].map(field);
    return `{ ${[...supers.flatMap((name) => ofInterface[name]), ...own].join(' ')} }`;
  };
  const out = [];
  for (const { name, repeatable, locations, arguments: given } of directives) {
    const list = given.map(({ argument, type }) => `${description()}${argument}: ${type}${fallback(type)}`);
    out.push(`${description()}directive @${name}${list.length ? `(${list.join(', ')})` : ''}${repeatable ? ' repeatable' : ''} on ${locations.join(' | ')}`);
  }
  const roots = ['query: Query', ...(chance(0.5) && objects.length ? [`mutation: ${objects[0]}`] : [])];
  if (roots.length > 1 && chance(0.5) && objects.length > 1) roots.push(`subscription: ${objects[1]}`);
  out.push(`schema${use('SCHEMA')} { ${roots.join(' ')} }`);
  out.push(`${description()}type Query${use('OBJECT')} ${body([])}`);
  // Of directives, so that none of them is on its own type.
  out.push('scalar P');
  for (const name of scalars) out.push(`${description()}scalar ${name}${use('SCALAR')}`);
  for (const name of enums) {
    const all = values[name].map((/** @type {string} */ it) => `${description()}${it}${deprecated()}${use('ENUM_VALUE')}`);
    out.push(`${description()}enum ${name}${use('ENUM')} { ${all.join(' ')} }`);
  }
  for (const name of inputs) {
    const isOneOf = chance(0.2);
    const all = ['a', ...some(['b', 'c', 'd'])].map((it) => {
      // No required field may lead back, and a choice has no defaults.
      const type = input(true);
      const isLeaf = !inputs.some((other) => type.includes(other));
      const required = isLeaf && !isOneOf && chance(0.3) ? '!' : '';
      const given = isOneOf || !isLeaf ? '' : fallback(type + required);
      const old = required && !given ? '' : deprecated();
      return `${description()}${it}: ${type}${required}${given}${old}${use('INPUT_FIELD_DEFINITION')}`;
    });
    out.push(`${description()}input ${name}${isOneOf ? ' @oneOf' : ''}${use('INPUT_OBJECT')} { ${all.join(' ')} }`);
  }
  for (const name of interfaces) out.push(`${description()}interface ${name}${use('INTERFACE')} ${body([name], true)}`);
  for (const name of objects) {
    const supers = some(interfaces, 0.5);
    const clause = supers.length ? ` implements ${supers.join(' & ')}` : '';
    out.push(`${description()}type ${name}${clause}${use('OBJECT')} ${body(supers)}`);
  }
  if (objects.length && chance(0.8)) out.push(`${description()}union U${use('UNION')} = ${[objects[0], ...some(objects.slice(1))].join(' | ')}`);
  return out.join('\n');
}
