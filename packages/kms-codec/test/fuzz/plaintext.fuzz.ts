import assert from 'node:assert/strict';
import { Random } from '@temporal-kms/testing/random';
import type { Payload } from '../../src/formats/payload.ts';
import { fromPayload } from '../support/vectors.ts';
import { fixed, payload, serialized } from '@temporal-kms/vectors/bytes';
import { box } from '@temporal-kms/vectors/message';
import { buildCorpus, READER, STATIC_ID } from './corpus.ts';
import { anyPlaintext } from './plaintext.ts';
import { check, decodeOne, newReader } from './run.ts';

/*
 * The input is the plaintext of an authentic message: a serialized payload, which may itself be encrypted. If
 * the payload is accepted, the form in which writers serialize it is also accepted, and results in the same
 * payload.
 */

export const reaches = [
  'decrypted',
  'malformed',
  'layer_unreadable',
  'integrity_failed',
  'key_not_allowed',
  'namespace_mismatch',
];

const corpus = buildCorpus();
const reader = newReader(corpus, 'lenient');
const secret = fixed(`static ${READER}`, 32);

/** Encrypts a plaintext with the reader's static key. */
export const encrypted = (plaintext: Uint8Array): Payload =>
  payload(
    { encoding: 'binary/encrypted', 'encryption-key-id': STATIC_ID[READER] },
    box(secret, new Uint8Array(), plaintext, 'fuzz'),
  );

export async function fuzz(data: Uint8Array): Promise<string> {
  const stored = encrypted(data);
  const outcome = await check(reader, { stored, original: undefined, byInsider: true });
  const content = await decodeOne(reader.codec, stored);
  assert.equal(typeof content === 'string' ? content : 'decrypted', outcome);
  if (typeof content !== 'string') {
    const again = await decodeOne(reader.codec, encrypted(serialized(content)));
    if (typeof again === 'string') assert.fail(again);
    assert.deepEqual(fromPayload(again), fromPayload(content));
  }
  return outcome;
}

export function seeds(): Uint8Array[] {
  const random = new Random(1);
  const layers = corpus.messages.flatMap(({ stored, inner }) => [
    serialized(inner),
    serialized(stored),
    serialized(encrypted(serialized(stored))),
  ]);
  return [...layers, ...Array.from({ length: 100 }, () => anyPlaintext(random))];
}
