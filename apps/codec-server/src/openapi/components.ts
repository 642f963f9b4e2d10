import * as api from '@temporal-kms/codec-api';
import { z } from 'zod';

const map = z.record(z.string(), z.string());

/** proto3 JSON writes one as text, and reads both; null stands for a field that isn't there. */
const int64 = z.union([z.string().regex(/^\d{1,19}$/), z.number().int().nonnegative()]);

/** `temporal.api.common.v1.Payload` in proto3 JSON, as Temporal's codec protocol has it. */
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

/** A history as Temporal's own tools write it, or as people read it. */
const exported = z.union([
  api.readableExport,
  z.object({ events: z.array(z.record(z.string(), z.unknown())) }),
]);

/** What `/healthz` and `/readyz` say. */
const probe = z.object({ status: z.string() }).loose();

/** What callers send. */
const requests = {
  DecodeRequest: api.decodeRequest,
  SearchRequest: api.searchRequest,
  ExportRequest: api.exportRequest,
} as const;

/** What comes back, `Payloads` both ways. */
export const answers = {
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

/** Every schema by its name, as JSON Schema 2020-12, the dialect of OpenAPI 3.1. */
export function componentSchemas(): Schemas {
  return { ...schemasOf(answers, 'output'), ...schemasOf(requests, 'input') };
}

export function refTo(schema: z.ZodType): { $ref: string } {
  const known = Object.entries({ ...answers, ...requests }).find(([, one]) => one === schema);
  if (known === undefined) throw new TypeError('a schema that is no component');
  return { $ref: `${REF}${known[0]}` };
}

function schemasOf(named: Readonly<Record<string, z.ZodType>>, io: 'input' | 'output'): Schemas {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `${REF}${id}`, io, override: open });
  for (const schema of Object.values(schemas)) {
    delete schema.$id;
    delete schema.$schema;
  }
  return schemas;
}

/** An answer may gain fields: only what is strict on purpose refuses those that it doesn't name. */
function open({
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
