import { runId, workflowId } from '@temporal-kms/codec-api';
import { z } from 'zod';
import { answers, componentSchemas, refTo } from './components.ts';
import type { Operation } from './operation.ts';
import { operations } from './operations.ts';

type Json = Record<string, unknown>;

/**
 * The OpenAPI 3.1 document of the whole server, made of the schemas that check its requests.
 * @param pathPrefix as configured: empty or `/…`
 */
export function openApiDocument(pathPrefix: string): Json {
  const paths: Record<string, Json> = {};
  for (const operation of operations) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: operationObject(operation) };
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Temporal codec server and history API',
      version: '1',
      description:
        'Reads encrypted Temporal histories. Fields may be added to answers, and values to lists of words: ignore ' +
        'what you do not know. With AUTH=none nobody signs in.',
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

function operationObject(operation: Operation): Json {
  const { operationId, summary, description, permission, body, answer } = operation;
  return {
    operationId,
    summary,
    ...(description === undefined ? {} : { description }),
    ...(permission === undefined ? { security: [] } : { 'x-permission': permission }),
    ...listed('parameters', [
      ...pathParameters(operation.path),
      ...queryParameters(operation),
      ...headers(operation),
    ]),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: refTo(body) } } } }),
    responses: {
      200: {
        description: answer.description,
        content: {
          [answer.type]: {
            schema: answer.schema === undefined ? { type: 'object' } : refTo(answer.schema),
            ...(answer.type === 'application/x-ndjson'
              ? { 'x-lines': 'The schema is that of each line.' }
              : {}),
          },
        },
      },
      ...errors(operation),
    },
  };
}

const listed = (name: string, items: readonly Json[]): Json => (items.length === 0 ? {} : { [name]: items });

const parameterSchemas: Readonly<Record<string, z.ZodType>> = {
  namespace: z.string().min(1),
  workflowId,
  runId,
};

const pathParameters = (path: string): Json[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: schemaOf(parameterSchemas[name] ?? z.string()),
  }));

const queryParameters = ({ query }: Operation): Json[] =>
  Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: 'query',
    schema: schemaOf(z.toJSONSchema(z.object({ [name]: schema }), { io: 'input' }).properties?.[name]),
  }));

const headers = ({ headers: named = {} }: Operation): Json[] =>
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

/** Status codes and what they mean here; others may come from what stands in front of the server. */
const meanings: Readonly<Record<number, string>> = {
  400: 'The request is not as it must be',
  401: 'Sign in',
  403: 'Not allowed: the message says what and why',
  404: 'There is no such thing, or its retention has passed',
  413: 'The body is too large',
  415: 'The body is not application/json',
  429: 'The caller has sent too many requests, or caused too many to Cloud KMS: try again after Retry-After',
  500: 'The server failed',
  503: 'Temporal, Cloud KMS or the audit is out of reach, or the server is busy or ending: try again',
  504: 'It took too long: ask for less at once',
};

function errors(operation: Operation): Json {
  const content =
    operation.errors === 'text'
      ? { 'text/plain': { schema: { type: 'string' } } }
      : { 'application/json': { schema: refTo(answers.ApiError) } };
  if (operation.permission === undefined) return { default: { description: 'Not now' } };
  const known = Object.entries(meanings).filter(
    ([status]) => operation.method === 'post' || (status !== '413' && status !== '415'),
  );
  return {
    ...Object.fromEntries(known.map(([status, description]) => [status, { description, content }])),
    default: { description: 'Another refusal, in the same form', content },
  };
}
