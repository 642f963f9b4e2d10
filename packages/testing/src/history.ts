import { type Connection, WorkflowFailedError } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import proto, { type temporal } from '@temporalio/proto';

type Event = temporal.api.history.v1.IHistoryEvent;
const { History } = proto.temporal.api.history.v1;

/** Reads all events of a workflow run, with payloads as Temporal stores them. */
export async function readHistory(
  { workflowService }: Connection,
  namespace: string,
  execution: temporal.api.common.v1.IWorkflowExecution,
): Promise<Event[]> {
  const events: Event[] = [];
  let nextPageToken: Uint8Array = Buffer.alloc(0);
  do {
    const page = await workflowService.getWorkflowExecutionHistory({ namespace, execution, nextPageToken });
    events.push(...(page.history?.events ?? []));
    nextPageToken = page.nextPageToken;
  } while (nextPageToken.length > 0);
  return events;
}

/** Returns a history as protobuf bytes, which is what Temporal stores. */
export const historyBytes = (history: temporal.api.history.v1.IHistory): Buffer =>
  Buffer.from(History.encode(history).finish());

/**
 * Returns a workflow's failure.
 *
 * @throws Error if the workflow completed
 */
export async function failureOf(run: Promise<unknown>): Promise<WorkflowFailedError> {
  try {
    await run;
  } catch (error) {
    if (error instanceof WorkflowFailedError) return error;
    throw error;
  }
  throw new Error('The workflow completed; a failure was expected.');
}

/** Returns all payloads at any depth inside a message, in the order of the message's fields. */
export function payloadsIn(value: unknown): Payload[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  if (isPayload(value)) return [value];
  return Object.values(value).flatMap(payloadsIn);
}

const isPayload = (value: object): value is Payload => 'metadata' in value && 'data' in value;

/** Returns a payload's `encoding`, which names its format. */
export const encodingOf = ({ metadata }: Payload): string =>
  Buffer.from(metadata?.['encoding'] ?? []).toString();

/** Returns a payload's data as text. */
export const textOf = ({ data }: Payload): string => Buffer.from(data ?? []).toString();

/** Returns all strings and bytes in a message as text, so that a test can search what Temporal stores. */
export function rawText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (typeof value !== 'object' || value === null) return '';
  return Object.values(value).map(rawText).join('\n');
}
