// @ts-check
// A real identity provider, and a browser's way through its pages.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

import { folder } from './process.js';

const CLIENT = 'app';
const REDIRECT = 'https://app.example/callback';
const RESOURCE = 'https://gateway.example';
/** What the gateway asks of `aud`. */
export const AUDIENCE = 'ig';

let serial = 0;

/**
 * An OpenID provider whose access tokens are JWTs with these claims beside
 * their own. Whoever logs in is who they say.
 *
 * @param {Record<string, unknown>} claims
 * @param {(issuer: string) => Promise<import('oidc-provider').ClientMetadata[]>} [clients]
 *   Others than its own.
 */
export async function startIdp(claims, clients = async () => []) {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const issuer = `http://127.0.0.1:${port}`;
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const key = { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: `k${++serial}` };
  const provider = new Provider(issuer, {
    jwks: { keys: [key] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    clients: [
      {
        client_id: CLIENT,
        token_endpoint_auth_method: 'none',
        redirect_uris: [REDIRECT],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        id_token_signed_response_alg: 'ES256',
      },
      ...(await clients(issuer)),
    ],
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    extraTokenClaims: () => claims,
    features: {
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: '',
          audience: AUDIENCE,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 3600,
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  });
  server.on('request', provider.callback());
  const keys = join(folder, `idp-${serial}.json`);
  writeFileSync(keys, await (await fetch(`${issuer}/jwks`)).text());
  return {
    issuer,
    /** The public keys, in a file. */
    keys,
    /**
     * Logs somebody in, as a browser does, and gives the access token.
     *
     * @param {string} login
     */
    login: (login) => logIn(issuer, login),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/**
 * @param {string} issuer
 * @param {string} login
 * @returns {Promise<string>}
 */
async function logIn(issuer, login) {
  /** @type {Map<string, string>} */
  const cookies = new Map();
  /** @param {string} url @param {Record<string, string>} [form] */
  const visit = async (url, form) => {
    const answer = await fetch(url, {
      method: form ? 'POST' : 'GET',
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      body: form && new URLSearchParams(form),
    });
    for (const cookie of answer.headers.getSetCookie()) {
      const [, name, value] = cookie.match(/^([^=]+)=([^;]*)/) ?? [];
      if (name) cookies.set(name, value ?? '');
    }
    const body = await answer.text();
    const next = answer.headers.get('location');
    if (!next && !answer.ok) throw new Error(`${url}: ${answer.status} ${body}`);
    return next ? new URL(next, url).href : null;
  };
  const verifier = randomBytes(32).toString('base64url');
  const query = new URLSearchParams({
    client_id: CLIENT,
    response_type: 'code',
    scope: 'openid',
    redirect_uri: REDIRECT,
    resource: RESOURCE,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  let url = await visit(`${issuer}/auth?${query}`);
  const answers = [{ prompt: 'login', login, password: 'any' }, { prompt: 'consent' }];
  for (let hops = 0; url && !url.startsWith(REDIRECT); hops++) {
    if (hops > 12) throw new Error(`no end of redirects: ${url}`);
    const form = url.includes('/interaction/') ? answers.shift() : undefined;
    url = await visit(url, /** @type {any} */ (form));
  }
  const code = new URL(url ?? REDIRECT).searchParams.get('code');
  if (!code) throw new Error(`no code: ${url}`);
  const token = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      client_id: CLIENT,
      code,
      redirect_uri: REDIRECT,
      code_verifier: verifier,
      resource: RESOURCE,
    }),
  });
  const body = /** @type {any} */ (await token.json());
  if (!body.access_token) throw new Error(`no access token: ${JSON.stringify(body)}`);
  return body.access_token;
}

/** @typedef {Awaited<ReturnType<typeof startIdp>>} Idp */
