import * as api from '@temporal-kms/codec-api';
import { z } from 'zod';

const map = z.record(z.string(), z.string());

/** int64 in proto3 JSON: written as text, read as text or number. null means that the field is absent. */
const int64 = z.union([z.string().regex(/^\d{1,19}$/), z.number().int().nonnegative()]);

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

/** Bodies of requests. */
const requests = {
  DecodeRequest: api.decodeRequest,
  SearchRequest: api.searchRequest,
  ExportRequest: api.exportRequest,
} as const;

/** Bodies of responses; `Payloads` is a request's body too. */
export const responses = {
  ApiError: api.apiError,
  AuditEntry: api.auditEntry,
  AuditPage: api.auditPage,
  ConfiguredKey: api.configuredKey,
  CryptoHealth: api.cryptoHealth,
  DecodeFrame: api.decodeFrame,
  DecodeResult: api.decodeResult,
  Execution: api.execution,
  Export: exported,
  HistoryEvent: api.historyEvent,
  HistoryFrame: api.historyFrame,
  JsonPayload: api.jsonPayload,
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
  ReadableExport: api.readableExport,
  ReasonCode: api.reasonCode,
  SearchFrame: api.searchFrame,
  SearchHit: api.searchHit,
  SignIn: api.signIn,
  StreamEnd: api.streamEnd,
  Unreadable: api.unreadable,
  WorkflowCount: api.workflowCount,
  WorkflowDescription: api.workflowDescription,
  WorkflowList: api.workflowList,
  WorkflowRelations: api.workflowRelations,
  WorkflowStatus: api.workflowStatus,
  WorkflowSummary: api.workflowSummary,
} as const;

const REF = '#/components/schemas/';

type Schemas = Record<string, Record<string, unknown>>;

/** Returns every schema by its name as JSON Schema 2020-12, the dialect of OpenAPI 3.1. */
export function componentSchemas(): Schemas {
  return { ...schemasOf(responses, 'output'), ...schemasOf(requests, 'input') };
}

/** Returns a reference to a schema of this file. @throws TypeError for any other schema */
export function refTo(schema: z.ZodType): { $ref: string } {
  const known = Object.entries({ ...responses, ...requests }).find(([, component]) => component === schema);
  if (known === undefined) throw new TypeError('the schema is not listed in http/schemas.ts');
  return { $ref: `${REF}${known[0]}` };
}

function schemasOf(named: Readonly<Record<string, z.ZodType>>, io: 'input' | 'output'): Schemas {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `${REF}${id}`, io, override: allowNewFields });
  for (const schema of Object.values(schemas)) {
    delete schema.$id;
    delete schema.$schema;
  }
  return schemas;
}

/** Responses may gain fields: only schemas that are strict on purpose reject unknown fields. */
function allowNewFields({
  zodSchema,
  jsonSchema,
}: {
  zodSchema: unknown;
  jsonSchema: z.core.JSONSchema.BaseSchema;
}): void {
  if (zodSchema instanceof z.ZodObject && zodSchema.def.catchall === undefined) {
    delete jsonSchema.additionalProperties;
  }
}
