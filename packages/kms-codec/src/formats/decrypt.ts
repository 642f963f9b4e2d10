import type { KeyObject } from 'node:crypto';
import { open } from '../keys/data-key.ts';
import { andThen, type MaybePromise } from '../maybe-promise.ts';
import type { Box } from '../wire/aead-box.ts';
import { countFields } from '../wire/count-fields.ts';
import { deserialize, type Payload } from '../wire/inner-payload.ts';
import { decompress } from './compression.ts';
import type { Scope } from './scope.ts';

export interface SealedMessage {
  readonly box: Box;
  /** Additional authenticated data; absent where the format binds nothing. */
  readonly aad?: Uint8Array;
  readonly compressed?: boolean;
}

/**
 * Decrypts a message and parses the payload in it. Nothing is allocated before the call's budget has room for it.
 * @throws `too_large`, `integrity_failed`, `malformed`
 */
export function decryptMessage(key: KeyObject, message: SealedMessage, scope: Scope): MaybePromise<Payload> {
  const { box, aad, compressed = false } = message;
  return andThen(scope.budget.reserve(box.ciphertext.length), () => {
    const plaintext = open(key, aad, box);
    if (!compressed) return parse(plaintext, scope);
    const bytes = decompress(plaintext, scope.maxDecompressedBytes, scope.budget);
    return andThen(bytes, (decompressed) => parse(decompressed, scope));
  });
}

/** A payload has some three fields; what so few take isn't worth a question. */
const USUAL_FIELDS = 16;
/** Bytes of memory for an entry of metadata besides its content, which may be as little as two bytes in the message. */
const ENTRY_BYTES = 256;

function parse(plaintext: Uint8Array, { budget }: Scope): MaybePromise<Payload> {
  const fields = countFields(plaintext);
  if (fields <= USUAL_FIELDS) return deserialize(plaintext);
  return andThen(budget.reserve(fields * ENTRY_BYTES), () => deserialize(plaintext));
}
