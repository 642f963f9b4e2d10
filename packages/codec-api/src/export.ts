import { z } from 'zod/mini';
import { endReason } from './errors.ts';
import { keyUse, otherNamespace, payloadRef, justification } from './payload.ts';
import { reasonCode, reasonCounts } from './reasons.ts';

/**
 * `encoded` is the history as Temporal stores it, without decryption. `decoded` is the same history with
 * decrypted payloads. `encoded` and `decoded` exports are `{"events": […]}`, the form that Temporal's tools write
 * and its SDKs replay; replaying `encoded` requires the codec. `readable` is for people, and contains each
 * payload's JSON in place of the payload.
 */
const exportForm = z.enum(['encoded', 'decoded', 'readable']);
export type ExportForm = z.infer<typeof exportForm>;

const eventId = z.int().check(z.positive());

/** `POST …/runs/{runId}/history:export` */
export const exportRequest = z.strictObject({
  form: exportForm,
  /** The events to export, including the first and the last. By default, the whole history is exported. */
  events: z.optional(z.strictObject({ first: eventId, last: eventId })),
  justification: z.optional(justification),
});
export type ExportRequest = z.infer<typeof exportRequest>;

/**
 * In a readable export, the replacement for a payload that could not be decrypted. Other payloads can't look like this,
 * because a payload whose JSON has one of `exportMarks` as a top-level key is written as `{"$value": …}`.
 */
export const unreadable = z.strictObject({
  $unreadable: z.object({
    reason: reasonCode,
    ref: payloadRef,
    key: z.optional(keyUse),
    namespace: z.optional(otherNamespace),
  }),
});

/** Top-level keys that are reserved in the payloads of a readable export. */
export const exportMarks = ['$unreadable', '$value', '$text', '$bytes'] as const;

/**
 * The `metadata.encoding` of a payload that replaces an unreadable payload in a decoded export. No converter
 * knows this encoding, so a replay stops at the payload. The metadata also contains `reason`, `ref` and, if
 * known, `key`, `key-version` and `namespace`.
 */
export const UNREADABLE_ENCODING = 'binary/unreadable';

/** Trailer of a readable export. A truncated export has no trailer, and does not parse as JSON. */
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

/** The last line of an export that ended early, unless the export ended because the client disconnected. */
export const exportTruncated = z.object({
  $truncated: z.object({
    reason: endReason,
    /** The last event in the file. */
    after: z.int().check(z.nonnegative()),
    message: z.optional(z.string()),
  }),
});

/**
 * Returns the file name of an export. The name contains only letters, digits and `._-` of the workflow id, because
 * the name goes into a header and onto a disk.
 */
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
