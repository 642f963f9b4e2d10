import { z } from 'zod/mini';
import { endReason } from './errors.ts';
import { keyUse, otherNamespace, payloadRef, justification } from './payload.ts';
import { reasonCode, reasonCounts } from './reasons.ts';

/**
 * `encoded`: as Temporal stores it, with nothing decrypted. `decoded`: the same with decrypted payloads. Both are
 * `{"events": […]}`, as Temporal's tools write it and its SDKs replay it; `encoded` replays only with the codec.
 * `readable`: for people, with each payload's JSON in place of the payload.
 */
const exportForm = z.enum(['encoded', 'decoded', 'readable']);
export type ExportForm = z.infer<typeof exportForm>;

const eventId = z.int().check(z.positive());

/** `POST …/runs/{runId}/history:export` */
export const exportRequest = z.strictObject({
  form: exportForm,
  /** Exports these events only, the last one included. Absent: the whole history. */
  events: z.optional(z.strictObject({ first: eventId, last: eventId })),
  justification: z.optional(justification),
});
export type ExportRequest = z.infer<typeof exportRequest>;

/**
 * Replaces a payload that could not be decrypted in a readable export. It is never data: a payload whose JSON is an
 * object with one of `exportMarks` as a top-level key is written as `{"$value": …}`.
 */
export const unreadable = z.strictObject({
  $unreadable: z.object({
    reason: reasonCode,
    ref: payloadRef,
    key: z.optional(keyUse),
    namespace: z.optional(otherNamespace),
  }),
});

/** Top-level keys with a meaning in the payloads of a readable export. */
export const exportMarks = ['$unreadable', '$value', '$text', '$bytes'] as const;

/**
 * `metadata.encoding` of the payload that replaces one that could not be decrypted in a decoded export. No converter
 * knows it, so a replay stops there. Further metadata: `reason`, `ref`, and `key`, `key-version` and `namespace` where
 * they are known.
 */
export const UNREADABLE_ENCODING = 'binary/unreadable';

/** Trailer of a readable export; absent if the export was truncated, which then does not parse as JSON. */
export const exportSummary = z.object({
  events: z.int().check(z.nonnegative()),
  payloads: z.int().check(z.nonnegative()),
  unreadable: reasonCounts,
});
export type ExportSummary = z.infer<typeof exportSummary>;

/** A whole readable export. */
export const readableExport = z.object({
  namespace: z.string(),
  workflowId: z.string(),
  runId: z.string(),
  events: z.array(z.record(z.string(), z.unknown())),
  summary: exportSummary,
});

/** The last line of an export that ended early, where the client was still connected. */
export const exportTruncated = z.object({
  $truncated: z.object({
    reason: endReason,
    /** The last event in the file. */
    after: z.int().check(z.nonnegative()),
    message: z.optional(z.string()),
  }),
});

/** Returns the name of an export's file. Only letters, digits and `._-` of an id reach a header and a disk. */
export function exportFileName(
  { workflowId, runId }: { readonly workflowId: string; readonly runId: string },
  form: ExportForm,
): string {
  const safe = workflowId
    .replaceAll(/[^\w.-]+/g, '_')
    .replace(/^\.+/, '_')
    .slice(0, 100);
  return `${safe}.${runId}.${form}.json`;
}
