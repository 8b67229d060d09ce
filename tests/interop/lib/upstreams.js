// @ts-check
// GraphQL services for the guard to protect.

import { once } from 'node:events';
import { createServer } from 'node:http';

import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { graphqlHTTP } from 'express-graphql';
import { buildSchema } from 'graphql';

import { createDomain, createResolvers, typeDefs } from './domain.js';
import { start, until } from './process.js';
import { tools } from './tools.js';

/**
 * @typedef {object} Upstream
 * @property {string} host
 * @property {number} port
 * @property {string} url
 * @property {() => Promise<void>} close
 */

/**
 * @param {number} port
 * @param {() => Promise<void>} close
 * @returns {Upstream}
 */
const at = (port, close) => ({
  host: '127.0.0.1',
  port,
  url: `http://127.0.0.1:${port}/graphql`,
  close,
});

/** The repository's demo upstream. */
export async function startDemo() {
  const demo = start(tools.upstream, ['--listen', '127.0.0.1:0']);
  const ready = () => {
    if (!demo.isRunning()) throw new Error(`the demo upstream did not start:\n${demo.output()}`);
    return demo.output().match(/ready http:\/\/127\.0\.0\.1:(\d+)\//);
  };
  const [, port] = await until(ready, 'the demo upstream is ready');
  return at(Number(port), () => demo.stop());
}

/** @param {import('node:http').IncomingMessage} request */
const contextOf = ({ headers }) => ({ tenant: headers['x-ig-tenant']?.toString() });

/** Apollo Server; CSRF prevention and APQ are as by default: on. */
export async function startApolloServer() {
  const server = new ApolloServer({ typeDefs, resolvers: createResolvers() });
  const { url } = await startStandaloneServer(server, {
    listen: { host: '127.0.0.1', port: 0 },
    context: async ({ req }) => contextOf(req),
  });
  return at(Number(new URL(url).port), () => server.stop());
}

/**
 * express-graphql, whose `?query=` wins over the body's. `executed` lists the
 * root fields that ran.
 */
export async function startExpressGraphql() {
  const domain = createDomain();
  /** @type {string[]} */
  const executed = [];
  const ran = (/** @type {string} */ field) => void executed.push(field);
  const rootValue = {
    cases(/** @type {any} */ { first }, /** @type {any} */ context) {
      ran('cases');
      return domain.cases(first, context);
    },
    tenant(/** @type {any} */ _, /** @type {any} */ context) {
      ran('tenant');
      return { id: context.tenant, region: 'eu-west-1' };
    },
    searchAllTenants() {
      ran('searchAllTenants');
      return domain.assets;
    },
    createAsset(/** @type {any} */ { input }, /** @type {any} */ context) {
      ran('createAsset');
      return domain.create(input, context);
    },
  };
  const schema = buildSchema(typeDefs);
  const handle = graphqlHTTP((request) => ({ schema, rootValue, context: contextOf(request) }));
  const server = createServer((request, response) => handle(/** @type {any} */ (request), response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { ...at(port, close), executed };
}
