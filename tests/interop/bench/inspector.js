// @ts-check
// What graphql-inspector says of two files, as JSON.

import { readFileSync } from 'node:fs';

import { inspect } from '../lib/inspector.js';

const [before, after] = process.argv.slice(2).map((file) => readFileSync(file, 'utf8'));
process.stdout.write(JSON.stringify(await inspect(before, after)));
