import * as api from '@temporal-kms/codec-api';
import { z } from 'zod';
import {
  defineRoute,
  parameterSchemas,
  parametersOf,
  type Route,
  type RouteDescription,
} from '../http/define-route.ts';
import { reply } from '../http/responses.ts';

/**
 * Returns the route of the OpenAPI document, which is created from the routes' declarations on the first
 * request.
 * @param pathPrefix as configured: empty or `/…`
 * @param routes returns every route of the server, this one included
 */
export function openApiRoute(pathPrefix: string, routes: () => readonly Route[]): Route {
  let document: string | undefined;
  return defineRoute({
    method: 'get',
    path: '/api/openapi.json',
    operationId: 'getOpenApi',
    summary: 'Returns this document',
    requires: 'metadata',
    response: { description: 'OpenAPI 3.1', type: 'application/json' },
    handler: (c) => {
      document ??= JSON.stringify(openApiDocument(pathPrefix, routes()));
      return reply(c, document, 'application/json');
    },
  });
}

type Json = Record<string, unknown>;

/**
 * Returns the OpenAPI 3.1 document of the routes. The document's schemas are the same schemas that validate
 * requests.
 * @param pathPrefix as configured: empty or `/…`
 */
function openApiDocument(pathPrefix: string, routes: readonly RouteDescription[]): Json {
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
        'ignore fields and values that you do not know. With AUTH=none, requests need no token.',
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
  Object.entries(query?._zod.def.shape ?? {}).map(([name, schema]) => ({
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
  const json: unknown = schema instanceof z.core.$ZodType ? z.toJSONSchema(schema, { io: 'input' }) : schema;
  if (typeof json !== 'object' || json === null) return {};
  return Object.fromEntries(Object.entries(json).filter(([name]) => name !== '$schema'));
}

/** Status codes and their meaning on this server. Proxies may send other status codes. */
const meanings: Readonly<Record<number, string>> = {
  400: 'The request is invalid: the message states what is wrong',
  401: 'The token is missing or not valid: sign in',
  403: 'The caller lacks a permission or a justification, which the message names',
  404: 'Not found, or deleted after its retention period',
  413: 'The body is too large',
  415: 'The body is not application/json',
  429: 'The caller exceeded a rate limit for requests or Cloud KMS requests: try again after Retry-After',
  500: 'The server failed',
  503: 'Temporal, Cloud KMS or the audit is unavailable, or the server is busy or shutting down: try again',
  504: 'The request took too long: send smaller requests. For a query, no worker responded',
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

const map = z.record(z.string(), z.string());

/**
 * An int64 in proto3 JSON: written as text, read as text or a number. null means that the field is absent.
 */
const int64 = z.union([z.string().regex(/^-?\d{1,19}$/), z.number().int()]);

/** `temporal.api.common.v1.Payloads` in proto3 JSON, as Temporal's codec protocol sends it. */
const protocolPayloads = z.object({
  payloads: z
    .array(
      z.object({
        metadata: map.nullish(),
        data: z.string().nullish(),
        externalPayloads: z.array(z.object({ sizeBytes: int64.nullish() })).nullish(),
      }),
    )
    .nullish(),
});

/** A history in Temporal's JSON, or a readable export. */
const exported = z.union([
  api.readableExport,
  z.object({ events: z.array(z.record(z.string(), z.unknown())) }),
]);

/** The body of `/healthz` and `/readyz`. */
const probe = z.object({ status: z.string() }).loose();
const serverVersion = z.object({ version: z.string() });

/** Request bodies. */
const requests = {
  AuditSearchRequest: api.auditSearchRequest,
  CausesRequest: api.causesRequest,
  DecodeCausesRequest: api.decodeCausesRequest,
  DecodeFieldsRequest: api.decodeFieldsRequest,
  DecodeRequest: api.decodeRequest,
  SearchRequest: api.searchRequest,
  WorkflowSearchRequest: api.workflowSearchRequest,
  ExportRequest: api.exportRequest,
  FileDecodeRequest: api.fileDecodeRequest,
  FileEventsRequest: api.fileEventsRequest,
  FileSearchRequest: api.fileSearchRequest,
  KeyTestRequest: api.keyTestRequest,
  ProgressRequest: api.progressRequest,
  RunFieldsRequest: api.runFieldsRequest,
  QueryRequest: api.queryRequest,
} as const;

/** Response bodies. `Payloads` is also a request body. */
export const responses = {
  ApiError: api.apiError,
  AuditEntry: api.auditEntry,
  AuditPage: api.auditPage,
  AuditVerification: api.auditVerification,
  CauseFingerprint: api.causeFingerprint,
  CauseFrame: api.causeFrame,
  CauseMessage: api.causeMessage,
  ConfiguredKey: api.configuredKey,
  CryptoHealth: api.cryptoHealth,
  DecodeFrame: api.decodeFrame,
  DecodeResult: api.decodeResult,
  Execution: api.execution,
  Export: exported,
  FileEvents: api.fileEvents,
  HistoryEvent: api.historyEvent,
  HistoryFrame: api.historyFrame,
  JsonPayload: api.jsonPayload,
  KeyTest: api.keyTest,
  KeyUse: api.keyUse,
  Me: api.me,
  NamespaceKeys: api.namespaceKeys,
  NamespaceList: api.namespaceList,
  OtherNamespace: api.otherNamespace,
  PayloadFormat: api.payloadFormat,
  PayloadRef: api.payloadRef,
  PayloadStub: api.payloadStub,
  Payloads: protocolPayloads,
  Probe: probe,
  QueryAnswer: api.queryAnswer,
  QueryFrame: api.queryFrame,
  ReadableExport: api.readableExport,
  ReasonCode: api.reasonCode,
  RunFieldsFrame: api.runFieldsFrame,
  RunProgress: api.runProgress,
  RunsProgress: api.runsProgress,
  RunTaskQueue: api.runTaskQueue,
  RunTaskQueues: api.runTaskQueues,
  ScheduleDescription: api.scheduleDescription,
  ScheduleList: api.scheduleList,
  SearchFrame: api.searchFrame,
  SearchHit: api.searchHit,
  SignIn: api.signIn,
  StreamEnd: api.streamEnd,
  Unreadable: api.unreadable,
  Version: serverVersion,
  WorkflowCount: api.workflowCount,
  WorkflowDescription: api.workflowDescription,
  WorkflowList: api.workflowList,
  WorkflowRelations: api.workflowRelations,
  WorkflowSearchFrame: api.workflowSearchFrame,
  WorkflowStatus: api.workflowStatus,
  WorkflowSummary: api.workflowSummary,
  WorkflowTypes: api.workflowTypes,
} as const;

const REF = '#/components/schemas/';

type Schemas = Record<string, Record<string, unknown>>;

/** Returns all schemas by name, as JSON Schema 2020-12, the dialect of OpenAPI 3.1. */
function componentSchemas(): Schemas {
  return { ...schemasOf(responses, 'output'), ...schemasOf(requests, 'input') };
}

/** Returns a reference to a schema of this file. @throws TypeError for any other schema */
function refTo(schema: z.core.$ZodType): { $ref: string } {
  const known = Object.entries({ ...responses, ...requests }).find(([, component]) => component === schema);
  if (known === undefined) throw new TypeError('the schema is not listed in routes/openapi.ts');
  return { $ref: `${REF}${known[0]}` };
}

function schemasOf(named: Readonly<Record<string, z.core.$ZodType>>, io: 'input' | 'output'): Schemas {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `${REF}${id}`, io, override: allowNewFields });
  for (const schema of Object.values(schemas)) {
    delete schema.$id;
    delete schema.$schema;
  }
  return schemas;
}

/**
 * Permits unknown fields except in schemas that are strict on purpose, because responses may gain fields.
 */
function allowNewFields({
  zodSchema,
  jsonSchema,
}: {
  zodSchema: unknown;
  jsonSchema: z.core.JSONSchema.BaseSchema;
}): void {
  if (zodSchema instanceof z.core.$ZodObject && zodSchema._zod.def.catchall === undefined) {
    delete jsonSchema.additionalProperties;
  }
}
