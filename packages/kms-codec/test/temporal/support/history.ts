import { encodingOf, historyBytes, payloadsIn, textOf } from '@temporal-kms/testing/history';
import type { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { expect } from 'vitest';
import type { KmsCodec } from '../../../src/index.ts';

type History = temporal.api.history.v1.IHistory;

/**
 * Every input, result, memo, summary and failure in these tests contains this text. Temporal must never
 * receive this text.
 */
export const CARD = 'card 4111';

/** Returns a workflow's history as Temporal stores it, and checks that it contains only ciphertext. */
export async function encryptedHistory(client: Client, workflowId: string): Promise<History> {
  const history = await client.workflow.getHandle(workflowId).fetchHistory();
  expect(historyBytes(history).includes(CARD)).toBe(false);
  expect(encryptedPayloadsIn(history).length).toBeGreaterThan(0);
  return history;
}

/** Returns all encrypted payloads at any depth inside a message. */
export const encryptedPayloadsIn = (value: unknown): Payload[] =>
  payloadsIn(value).filter((payload) => encodingOf(payload) === 'binary/envelope-kms-v2');

/** Returns the types of workflow task failures, which are stored in plaintext. */
export const failedTaskTypes = ({ events }: History): string[] =>
  (events ?? []).flatMap(
    ({ workflowTaskFailedEventAttributes: attributes }) =>
      attributes?.failure?.applicationFailureInfo?.type ?? [],
  );

/** Decodes as the codec server does: one payload at a time, with the namespace as the only context. */
export async function textsByNamespace(
  codec: KmsCodec,
  history: History,
  namespace: string,
): Promise<string[]> {
  const texts: string[] = [];
  for (const payload of encryptedPayloadsIn(history)) {
    const [decoded] = await codec.decode([payload], { namespace });
    texts.push(textOf(decoded ?? {}));
  }
  return texts;
}
