import type { Random } from '@temporal-kms/testing/random';
import type { Payload } from '../../src/formats/payload.ts';
import { fixed, payload, serialized } from '@temporal-kms/vectors/bytes';
import { box, key, unwraps } from '@temporal-kms/vectors/message';
import type { VectorKmsAnswer } from '@temporal-kms/vectors/schema';
import { frame, raw } from '@temporal-kms/vectors/zstd';
import { type Corpus, READER, STATIC_ID } from './corpus.ts';
import { mutate, mutateBytes } from './mutate.ts';
import { anyPlaintext } from './plaintext.ts';

export interface InsiderMessage {
  readonly stored: Payload;
  /** Cloud KMS responses that the corpus does not contain. */
  readonly kms: readonly VectorKmsAnswer[];
}

const none = new Uint8Array();

function plaintextOf(corpus: Corpus, random: Random): Uint8Array {
  const { inner, stored } = random.pick(corpus.messages);
  switch (random.below(5)) {
    case 0:
      return mutateBytes(serialized(inner), random);
    case 1:
      return mutateBytes(anyPlaintext(random), random);
    case 2:
      return serialized(
        random.oneIn(2) ? stored : mutate(stored, random.pick(corpus.messages).stored, random),
      );
    default:
      return anyPlaintext(random);
  }
}

/**
 * Returns a message that an insider encrypted with a real key. The message is authentic, and is in one of the
 * formats that the lenient reader reads.
 */
export function insiderMessage(corpus: Corpus, random: Random, label: string): InsiderMessage {
  const plaintext = plaintextOf(corpus, random);
  switch (random.below(5)) {
    case 0: {
      // Often uses a plaintext of 32 bytes, because the direct format has special rules for this length.
      const short = random.oneIn(4) ? plaintext.subarray(0, random.pick([32, 34])) : plaintext;
      const direct = { wrapped: fixed(label, 60), plaintext: Buffer.from(short) };
      const metadata = { encoding: 'binary/gcp-kms', 'kms-key': key(READER) };
      return { stored: payload(metadata, direct.wrapped), kms: [unwraps(key(READER), none, direct)] };
    }
    case 1: {
      const metadata = { encoding: 'binary/encrypted', 'encryption-key-id': STATIC_ID[READER] };
      const secret = fixed(`static ${READER}`, 32);
      return { stored: payload(metadata, box(secret, none, plaintext, label)), kms: [] };
    }
    case 2: {
      const whole = frame({ declared: plaintext.length, blocks: raw(plaintext) });
      const content = random.oneIn(3) ? mutateBytes(whole, random) : whole;
      return { stored: corpus.encrypt(content, true, label), kms: [] };
    }
    default:
      return { stored: corpus.encrypt(plaintext, false, label), kms: [] };
  }
}
