// @ts-check
// express-graphql behind the guard. It reads `?query=` before the body, and
// bodies of several media types: what the guard decided on has to be what runs.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { RECENT_CASES } from '../client/operations.js';
import { analystHeaders, startGateway } from '../lib/gateway.js';
import { sha256, urqlManifest, urqlText, writeCatalogue } from '../lib/manifest.js';
import { skip } from '../lib/tools.js';
import { startExpressGraphql } from '../lib/upstreams.js';

const SMUGGLED = '{searchAllTenants(term:""){id}}';
const QUERY = encodeURIComponent(SMUGGLED);
const ID = sha256(urqlText(RECENT_CASES));
const EXTENSIONS = { persistedQuery: { version: 1, sha256Hash: ID } };
const BY_ID = JSON.stringify({ extensions: EXTENSIONS });
const BY_ID_URL = `extensions=${encodeURIComponent(JSON.stringify(EXTENSIONS))}`;
const json = 'application/json';

/**
 * What is sent, and the status and code of the answer; without a code the
 * catalogued operation runs, and nothing else.
 *
 * @type {{ name: string, search?: string, type?: string, encoding?: string, body?: BodyInit, status: number, code?: string, cases?: number }[]}
 */
const CASES = [
  { name: 'POST by id', type: json, body: BY_ID, status: 200 },
  { name: 'GET by id', search: BY_ID_URL, status: 200 },
  {
    name: 'POST by id, ?query=',
    search: `query=${QUERY}`,
    type: json,
    body: BY_ID,
    status: 400,
    code: 'CANNOT_SEND_PQ_ID_AND_BODY',
  },
  {
    name: 'POST by id, ?query= escaped',
    search: `%71uery=${QUERY}`,
    type: json,
    body: BY_ID,
    status: 400,
    code: 'CANNOT_SEND_PQ_ID_AND_BODY',
  },
  { name: 'POST by id, empty ?query=', search: 'query=', type: json, body: BY_ID, status: 200 },
  {
    name: 'POST by id, ?query= twice',
    search: `query=&query=${QUERY}`,
    type: json,
    body: BY_ID,
    status: 400,
    code: 'BAD_REQUEST',
  },
  { name: 'POST by id, ?Query=', search: `Query=${QUERY}`, type: json, body: BY_ID, status: 200 },
  { name: 'POST by id, ?query[]=', search: `query[]=${QUERY}`, type: json, body: BY_ID, status: 200 },
  { name: 'POST by id, ;query=', search: `a=1;query=${QUERY}`, type: json, body: BY_ID, status: 200 },
  { name: 'POST by id, second ?', search: `a=1?query=${QUERY}`, type: json, body: BY_ID, status: 200 },
  {
    name: 'POST by id, ?variables=',
    search: 'variables={"first":1}',
    type: json,
    body: BY_ID,
    status: 200,
    cases: 1,
  },
  {
    name: 'POST by id, ?variables= and in the body',
    search: 'variables={"first":1}',
    type: json,
    body: BY_ID.replace('{', '{"variables":{"first":2},'),
    status: 400,
    code: 'BAD_REQUEST',
  },
  {
    name: 'POST by id, ?operationName=',
    search: 'operationName=Other',
    type: json,
    body: BY_ID,
    status: 400,
    code: 'BAD_REQUEST',
  },
  { name: 'POST by id, ?raw', search: 'raw', type: json, body: BY_ID, status: 200 },
  {
    name: 'POST by id in the URL, text in the body',
    search: BY_ID_URL,
    type: json,
    body: JSON.stringify({ query: SMUGGLED }),
    status: 400,
    code: 'CANNOT_SEND_PQ_ID_AND_BODY',
  },
  {
    name: 'POST of the text',
    type: json,
    body: JSON.stringify({ query: SMUGGLED }),
    status: 400,
    code: 'PERSISTED_QUERY_ID_REQUIRED',
  },
  {
    name: 'POST by id, escaped key',
    type: json,
    body: BY_ID.replace('{', `{"qu\\u0065ry":${JSON.stringify(SMUGGLED)},`),
    status: 400,
    code: 'CANNOT_SEND_PQ_ID_AND_BODY',
  },
  {
    name: 'POST by id, key twice',
    type: json,
    body: BY_ID.replace('{', `{"query":null,"query":${JSON.stringify(SMUGGLED)},`),
    status: 400,
    code: 'BAD_REQUEST',
  },
  {
    name: 'POST of a second value',
    type: json,
    body: `${BY_ID}${JSON.stringify({ query: SMUGGLED })}`,
    status: 400,
    code: 'BAD_REQUEST',
  },
  { name: 'POST of a list', type: json, body: `[${BY_ID}]`, status: 400, code: 'BATCHING_NOT_ENABLED' },
  {
    name: 'POST of application/graphql',
    type: 'application/graphql',
    body: SMUGGLED,
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    name: 'POST of a form',
    type: 'application/x-www-form-urlencoded',
    body: `query=${QUERY}`,
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    name: 'POST of a form by id',
    type: 'application/x-www-form-urlencoded',
    body: BY_ID_URL,
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    name: 'POST in gzip',
    type: json,
    encoding: 'gzip',
    body: new Uint8Array(gzipSync(JSON.stringify({ query: SMUGGLED }))),
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    name: 'POST in UTF-16',
    type: `${json}; charset=utf-16`,
    body: new Uint8Array(Buffer.from(JSON.stringify({ query: SMUGGLED }), 'utf16le')),
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
  },
  {
    name: 'GET by id, and text',
    search: `${BY_ID_URL}&query=${QUERY}`,
    status: 400,
    code: 'CANNOT_SEND_PQ_ID_AND_BODY',
  },
  { name: 'GET of the text', search: `query=${QUERY}`, status: 400, code: 'PERSISTED_QUERY_ID_REQUIRED' },
];

describe('express-graphql', { skip }, () => {
  /** @type {Awaited<ReturnType<typeof startExpressGraphql>>} */
  let upstream;
  /** @type {import('../lib/gateway.js').Gateway} */
  let gateway;
  /** @type {Record<string, string>} */
  let headers;

  before(async () => {
    headers = await analystHeaders();
    upstream = await startExpressGraphql();
    gateway = await startGateway(upstream, { catalogues: [writeCatalogue(urqlManifest(), 'express')] });
  });
  after(async () => {
    for (const one of [gateway, upstream]) await one?.close();
  });
  beforeEach(() => {
    upstream.executed.length = 0;
  });

  test('without the guard ?query= wins over the body', async () => {
    const answer = await fetch(`${upstream.url}?query=${QUERY}`, {
      method: 'POST',
      headers: { 'content-type': json, 'x-ig-tenant': 'alpha' },
      body: JSON.stringify({ query: urqlText(RECENT_CASES) }),
    });
    assert.equal(answer.status, 200);
    assert.deepEqual(upstream.executed, ['searchAllTenants']);
  });

  for (const { name, search = '', type, encoding, body, status, code, cases = 2 } of CASES) {
    test(`${name}: ${code ?? 'the catalogued operation'}`, async () => {
      const answer = await fetch(`${gateway.url}?${search}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          ...headers,
          ...(type && { 'content-type': type }),
          ...(encoding && { 'content-encoding': encoding }),
        },
        body,
      });
      const { data, errors } = await answer.json();
      assert.deepEqual([answer.status, errors?.[0].extensions?.code], [status, code]);
      assert.deepEqual(upstream.executed, code ? [] : ['cases']);
      if (!code) assert.equal(data.cases.length, cases);
    });
  }
});
