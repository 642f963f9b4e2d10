import { z } from 'zod';
import { keyUse, otherNamespace, payloadRef, justification } from './payload.ts';
import { reasonCode, reasonCounts } from './reasons.ts';

/**
 * `encoded`: as Temporal stores it, with nothing decrypted; `decoded`: the same with opened payloads; both are
 * `{"events": […]}` as Temporal's own tools write it and its SDKs replay it. `readable`: for people, each payload's
 * JSON where the payload stood.
 */
const exportForm = z.enum(['encoded', 'decoded', 'readable']);
export type ExportForm = z.infer<typeof exportForm>;

/** `POST …/runs/{runId}/history:export` */
export const exportRequest = z.strictObject({ form: exportForm, justification: justification.optional() });
export type ExportRequest = z.infer<typeof exportRequest>;

/**
 * Stands in a readable export where a payload could not be opened. A payload whose own JSON is an object with a key
 * of `exportMarks` at its top is written as `{"$value": …}`, so this is never data.
 */
export const unreadable = z.strictObject({
  $unreadable: z.object({
    reason: reasonCode,
    ref: payloadRef,
    key: keyUse.optional(),
    namespace: otherNamespace.optional(),
  }),
});

/** Keys that mean something at the top of a payload in a readable export. */
export const exportMarks = ['$unreadable', '$value', '$text', '$bytes'] as const;

/**
 * `metadata.encoding` of what stands in a decoded export where a payload could not be opened: no converter knows it,
 * so a replay stops there. Its other metadata: `reason`, `ref`, and `key`, `key-version` and `namespace` where they are known.
 */
export const UNREADABLE_ENCODING = 'binary/unreadable';

/** Behind the events of a readable export. One that was cut off doesn't have it, and is no JSON. */
const exportSummary = z.object({
  events: z.number().int().nonnegative(),
  payloads: z.number().int().nonnegative(),
  unreadable: reasonCounts,
});
export type ExportSummary = z.infer<typeof exportSummary>;

/** The whole of a readable export. */
export const readableExport = z.object({
  namespace: z.string(),
  workflowId: z.string(),
  runId: z.string(),
  events: z.array(z.record(z.string(), z.unknown())),
  summary: exportSummary,
});
