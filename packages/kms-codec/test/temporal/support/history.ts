import { type Client, WorkflowFailedError } from '@temporalio/client';
import proto from '@temporalio/proto';
import { expect } from 'vitest';
import type { KmsCodec } from '../../../src/index.ts';
import type { Payload } from '../../../src/wire/inner-payload.ts';

const { History } = proto.temporal.api.history.v1;
export type History = proto.temporal.api.history.v1.IHistory;

/** Stands in every input, result, memo, summary and failure of these tests: nothing of it may reach Temporal. */
export const CARD = 'card 4111';

/** The bytes that Temporal keeps of a workflow. */
export const bytesOf = (history: History): Buffer => Buffer.from(History.encode(history).finish());

/** A workflow's history as Temporal has it, which holds ciphertext only. */
export async function sealedHistory(client: Client, workflowId: string): Promise<History> {
  const history = await client.workflow.getHandle(workflowId).fetchHistory();
  expect(bytesOf(history).includes(CARD)).toBe(false);
  expect(payloadsOf(history).length).toBeGreaterThan(0);
  return history;
}

/** Every sealed payload in it, wherever it stands. */
export function payloadsOf(value: unknown): Payload[] {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return [];
  if (isSealed(value)) return [value];
  return Object.values(value).flatMap((one) => payloadsOf(one));
}

const isSealed = (value: object): value is Payload =>
  'metadata' in value &&
  typeof value.metadata === 'object' &&
  value.metadata !== null &&
  'encoding' in value.metadata &&
  String(value.metadata.encoding) === 'binary/envelope-kms-v2';

/** What the workflow tasks failed with that are in it; a failure's type is kept in clear. */
export const failedTaskTypes = ({ events }: History): string[] =>
  (events ?? []).flatMap(
    ({ workflowTaskFailedEventAttributes: attributes }) =>
      attributes?.failure?.applicationFailureInfo?.type ?? [],
  );

/** How a workflow failed. @throws when it didn't */
export async function failureOf(run: Promise<unknown>): Promise<WorkflowFailedError> {
  try {
    await run;
  } catch (error) {
    if (error instanceof WorkflowFailedError) return error;
    throw error;
  }
  throw new Error('The workflow completed');
}

/** The codec server's way: one payload at a time, by the namespace alone. */
export async function textsByNamespace(
  codec: KmsCodec,
  history: History,
  namespace: string,
): Promise<string[]> {
  const texts: string[] = [];
  for (const payload of payloadsOf(history)) {
    const [opened] = await codec.decode([payload], { namespace });
    texts.push(Buffer.from(opened?.data ?? []).toString());
  }
  return texts;
}
