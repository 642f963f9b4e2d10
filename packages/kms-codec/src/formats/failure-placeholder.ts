import { FAILURE_MARK } from '../failure-converter.ts';
import type { Payload } from './payload.ts';

/*
 * The payload that the codec stores in place of a failure's message or details if they cannot be encrypted.
 * The payload is constant, so it reveals nothing, and a namespace that refuses plaintext can accept it. The
 * JSON has the same keys as `encodedAttributes`.
 */

const ENCODING = Buffer.from('json/plain');
const DATA = Buffer.from(
  JSON.stringify({
    message: 'The failure could not be encrypted, so its message and details were not stored.',
    stack_trace: '',
  }),
);

export const failurePlaceholder = (): Payload => ({
  metadata: { encoding: Uint8Array.from(ENCODING) },
  data: Uint8Array.from(DATA),
});

export function isFailurePlaceholder({ metadata, data, externalPayloads }: Payload): boolean {
  if (data?.length !== DATA.length || metadata?.['encoding']?.length !== ENCODING.length) return false;
  if (externalPayloads?.length) return false;
  return DATA.equals(data) && ENCODING.equals(metadata['encoding']) && Object.keys(metadata).length === 1;
}

/** Returns whether all payloads belong to a failure (see `FAILURE_MARK`). */
export const areOfFailure = (payloads: readonly Payload[]): boolean =>
  payloads.every(({ metadata }) => metadata !== null && metadata !== undefined && FAILURE_MARK in metadata);

export function withoutMark(payload: Payload): Payload {
  const { [FAILURE_MARK]: _, ...metadata } = payload.metadata ?? {};
  return { ...payload, metadata };
}
