import { z } from 'zod';
import { parameterSchemas, parametersOf, type RouteDescription } from './define-route.ts';
import { componentSchemas, refTo, responses } from './schemas.ts';

type Json = Record<string, unknown>;

/**
 * Returns the OpenAPI 3.1 document of the routes. Its schemas are those that validate requests.
 * @param pathPrefix as configured: empty or `/…`
 */
export function openApiDocument(pathPrefix: string, routes: readonly RouteDescription[]): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    paths[route.path] = { ...paths[route.path], [route.method]: operationObject(route) };
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Temporal codec server and history API',
      version: '1',
      description:
        'Reads encrypted Temporal histories. Later versions may add fields to responses and values to enumerations: ' +
        'ignore those that you do not know. With AUTH=none, requests need no token.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: pathPrefix === '' ? '/' : pathPrefix }],
    security: [{ bearer: [] }, { iap: [] }],
    paths,
    components: { schemas: componentSchemas(), securitySchemes },
  };
}

const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'Token of a trusted issuer' },
  iap: {
    type: 'apiKey',
    in: 'header',
    name: 'X-Goog-IAP-JWT-Assertion',
    description: "Google Identity-Aware Proxy's signed header, set by the proxy",
  },
};

function operationObject(route: RouteDescription): Json {
  const { operationId, summary, description, requires, body, response } = route;
  return {
    operationId,
    summary,
    ...(description === undefined ? {} : { description }),
    ...(requires === 'public' ? { security: [] } : { 'x-permission': requires }),
    ...listed('parameters', [...pathParameters(route.path), ...queryParameters(route), ...headers(route)]),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: refTo(body) } } } }),
    responses: {
      200: {
        description: response.description,
        content: {
          [response.type]: {
            schema: response.schema === undefined ? { type: 'object' } : refTo(response.schema),
            ...(response.type === 'application/x-ndjson'
              ? { 'x-lines': 'The schema describes each line.' }
              : {}),
          },
        },
      },
      ...errors(route),
    },
  };
}

const listed = (name: string, items: readonly Json[]): Json => (items.length === 0 ? {} : { [name]: items });

const pathParameters = (path: string): Json[] =>
  parametersOf(path).map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: schemaOf(parameterSchemas[name] ?? z.string()),
  }));

const queryParameters = ({ query }: RouteDescription): Json[] =>
  Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    schema: schemaOf(z.toJSONSchema(z.object({ [name]: schema }), { io: 'input' }).properties?.[name]),
  }));

const headers = ({ headers: named = {} }: RouteDescription): Json[] =>
  Object.entries(named).map(([name, { required, description }]) => ({
    name,
    in: 'header',
    required,
    description,
    schema: { type: 'string' },
  }));

function schemaOf(schema: unknown): Json {
  const json: unknown = schema instanceof z.ZodType ? z.toJSONSchema(schema, { io: 'input' }) : schema;
  if (typeof json !== 'object' || json === null) return {};
  return Object.fromEntries(Object.entries(json).filter(([name]) => name !== '$schema'));
}

/** Status codes and what they mean here; proxies may send others. */
const meanings: Readonly<Record<number, string>> = {
  400: 'The request is invalid: the message names what is wrong',
  401: 'The token is missing or not valid: sign in',
  403: 'The caller lacks a permission or a justification: the message names it',
  404: 'Not found, or deleted after its retention period',
  413: 'The body is too large',
  415: 'The body is not application/json',
  429: 'The caller exceeded a rate limit for requests or Cloud KMS requests: try again after Retry-After',
  500: 'The server failed',
  503: 'Temporal, Cloud KMS or the audit is unavailable, or the server is busy or shutting down: try again',
  504: 'The request took too long: request less at once',
};

function errors(route: RouteDescription): Json {
  const content =
    route.errors === 'text'
      ? { 'text/plain': { schema: { type: 'string' } } }
      : { 'application/json': { schema: refTo(responses.ApiError) } };
  if (route.requires === 'public') return { default: { description: 'Not available now' } };
  const known = Object.entries(meanings).filter(
    ([status]) => route.method === 'post' || (status !== '413' && status !== '415'),
  );
  return {
    ...Object.fromEntries(known.map(([status, description]) => [status, { description, content }])),
    default: { description: 'Another error, in the same form', content },
  };
}
