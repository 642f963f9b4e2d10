import { escapeInText } from '@temporal-kms/codec-api';
import { z } from 'zod/mini';
import { parseJson, payloadValue } from '../../payloads/value/payload-value.ts';
import { stringifyJson } from '../../payloads/value/stringify-json.ts';
import type { WorkerAnswer } from './worker-query.ts';

const definition = z.object({ name: z.string(), description: z.catch(z.optional(z.string()), undefined) });
export type QueryDefinition = z.infer<typeof definition>;

/** `temporal.api.sdk.v1.WorkflowMetadata` in proto3 JSON: the answer to `__temporal_workflow_metadata`. */
const metadata = z.object({
  definition: z.catch(
    z.optional(z.object({ queryDefinitions: z.catch(z.array(definition), []) })),
    undefined,
  ),
  currentDetails: z.catch(z.optional(z.string()), undefined),
});

/** Maximum number of listed queries. A workflow usually defines only a few. */
const MAX_QUERIES = 200;

/** Returns the queries that a workflow defines, except those of the SDK, and its current details in Markdown. */
export function metadataOf(answer: WorkerAnswer): {
  readonly queries: readonly QueryDefinition[];
  readonly details: string;
} {
  const found = metadata.safeParse(firstValue(answer)).data;
  const queries = (found?.definition?.queryDefinitions ?? [])
    .filter(({ name }) => name !== '' && !name.startsWith('__'))
    .toSorted((a, b) => a.name.localeCompare(b.name, 'en'))
    .slice(0, MAX_QUERIES);
  return { queries, details: escapeInText(found?.currentDetails ?? '') };
}

/** Returns the text that a query returned; undefined if it returned something else. */
export function textOf(answer: WorkerAnswer): string | undefined {
  const value = firstValue(answer);
  return typeof value === 'string' ? escapeInText(value) : undefined;
}

/** Returns the JSON value of an answer's first payload. */
function firstValue({ answer, result }: WorkerAnswer): unknown {
  const [stub] = answer.payloads;
  const decoded = stub && result(stub.ref);
  const value = answer.outcome === 'answered' && decoded?.ok ? payloadValue(decoded.payload) : undefined;
  return value?.kind === 'json' ? value.value : undefined;
}

/**
 * Returns each item of a JSON array as JSON text that keeps every digit; undefined if the text is not a JSON
 * array.
 */
export function argumentTexts(text: string): string[] | undefined {
  if (text.trim() === '') return [];
  try {
    const value = parseJson(text);
    return Array.isArray(value) ? value.map((each) => stringifyJson(each)) : undefined;
  } catch {
    return undefined;
  }
}
