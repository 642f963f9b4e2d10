import { zstdCompressSync } from 'node:zlib';
import { type DataKeyLimits, KeyRules, KmsCodec, KmsCodecError, reasonCodes } from '../../src/index.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { fromPayload, toRule } from '../support/vectors.ts';
import { serialized } from '@temporal-kms/vectors/bytes';
import { frame, raw, zeros } from '@temporal-kms/vectors/zstd';
import {
  buildCorpus,
  type Corpus,
  listedKeys,
  type Message,
  READER,
  rules,
  type Strictness,
  WORKFLOW,
} from './corpus.ts';
import { VectorKeyService } from '../support/vector-key-service.ts';
import { mutate, mutateBytes } from './mutate.ts';
import { Random } from '@temporal-kms/testing/random';

export interface FuzzReport {
  readonly seed: number;
  readonly messages: number;
  readonly milliseconds: number;
  /**
   * The number of times that each outcome occurred. An outcome is a reason code, `decrypted` (to an original
   * payload) or `passed` (unchanged).
   */
  readonly outcomes: Readonly<Record<string, number>>;
}

/** The number of messages that each codec decodes, so that the codec's caches have hits and misses. */
const MESSAGES_PER_CODEC = 1_000;
/** One of this many messages is also decoded by a codec with empty caches, which must give the same outcome. */
const FRESH_ONE_IN = 20;
const context = { type: 'workflow', namespace: READER, workflowId: WORKFLOW } as const;
const same = (payload: Payload): string => JSON.stringify(fromPayload(payload));
const codes: ReadonlySet<string> = new Set(reasonCodes);

/**
 * Decodes mutated messages in the namespace `payments` and the workflow order-1.
 * @throws Error with the seed, number and bytes of the first message that violates a rule of {@link check}
 */
export async function fuzz(seed: number, messages: number): Promise<FuzzReport> {
  const random = new Random(seed);
  const corpus = buildCorpus();
  const outcomes = new Map<string, number>();
  const started = performance.now();
  for (let number = 0; number < messages;) {
    const strictness = (number / MESSAGES_PER_CODEC) % 2 === 0 ? 'strict' : 'lenient';
    const reader = newReader(corpus, strictness);
    const end = Math.min(messages, number + MESSAGES_PER_CODEC);
    for (; number < end; number += 1) {
      const given = nextMessage(corpus, random, number);
      try {
        const outcome = await check(reader, given);
        if (random.oneIn(FRESH_ONE_IN)) await checkFresh(outcome, given, corpus, strictness);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      } catch (cause) {
        const where = `seed ${seed}, message ${number}, ${strictness}`;
        throw new Error(`${where}: ${String(cause)}\n${same(given.stored)}`, { cause });
      }
    }
    await reader.codec.close();
  }
  const sorted = [...outcomes].toSorted(([, one], [, other]) => other - one);
  return { seed, messages, milliseconds: performance.now() - started, outcomes: Object.fromEntries(sorted) };
}

export interface Given {
  readonly stored: Payload;
  /**
   * The corpus message that `stored` copies exactly, or `undefined` if `stored` is a changed or new message.
   */
  readonly original: Message | undefined;
  /**
   * Whether an insider encrypted the message. An insider holds a data key and can encrypt any plaintext, so
   * the check accepts every plaintext.
   */
  readonly byInsider: boolean;
}

const frames = [
  zstdCompressSync(serialized({ data: Buffer.alloc(2_000) })),
  frame({ declared: 300, blocks: raw(Buffer.alloc(300)) }),
  frame({ declared: 2 ** 30, blocks: zeros(2 ** 20) }),
];

/** Returns the next message, which an insider or an attacker with access to Temporal's store could write. */
export function nextMessage(corpus: Corpus, random: Random, number: number): Given {
  const original = random.pick(corpus.messages);
  if (random.oneIn(12)) {
    const compressed = random.oneIn(2);
    const plaintext = compressed ? random.pick(frames) : serialized(original.inner);
    const stored = corpus.encrypt(mutateBytes(plaintext, random), compressed, `insider ${number}`);
    return { stored, original: undefined, byInsider: true };
  }
  if (random.oneIn(25)) return { stored: original.stored, original, byInsider: false };
  const stored = mutate(original.stored, random.pick(corpus.messages).stored, random);
  return { stored, original: undefined, byInsider: false };
}

interface Reader {
  readonly strictness: Strictness;
  readonly codec: KmsCodec;
  readonly kms: VectorKeyService;
  /** The original payloads that this reader may decrypt, as JSON. */
  readonly originals: ReadonlySet<string>;
}

export function newReader(corpus: Corpus, strictness: Strictness, limits?: Partial<DataKeyLimits>): Reader {
  const kms = new VectorKeyService(corpus.kms);
  const entitled = corpus.messages.filter((message) => message.entitled.includes(strictness));
  const codec = new KmsCodec({
    rules: new KeyRules({ [READER]: toRule(rules[strictness]) }),
    keyService: kms,
    ...(limits && { limits }),
  });
  return { strictness, codec, kms, originals: new Set(entitled.map(({ inner }) => same(inner))) };
}

/**
 * Checks these rules:
 * - The result of a decode is an original payload that this reader may decrypt, the unchanged message if
 *   plaintext may pass, or a listed reason code.
 * - An unmodified message that this reader may decrypt is decrypted.
 * - Cloud KMS is never called for an unlisted key.
 *
 * @returns a reason code, `decrypted` or `passed`
 */
export async function check({ codec, kms, originals, strictness }: Reader, given: Given): Promise<string> {
  const { stored, original, byInsider } = given;
  const { format } = codec.inspect(stored, context);
  const result = await decodeOne(codec, stored);
  const unlisted = [...kms.asked].filter((key) => !listedKeys.has(key));
  if (unlisted.length > 0) throw new Error(`called Cloud KMS for ${unlisted.join(', ')}`);
  if (
    original?.entitled.includes(strictness) &&
    (typeof result === 'string' || same(result) !== same(original.inner))
  ) {
    throw new Error(`did not decrypt a message that this reader may decrypt: ${describe(result)}`);
  }
  if (typeof result === 'string') return result;
  if (result === stored) {
    if (strictness === 'strict' && format !== 'external' && stored.data?.length)
      throw new Error('passed plaintext');
    return 'passed';
  }
  if (byInsider || originals.has(same(result))) return 'decrypted';
  throw new Error(`returned a plaintext that is not an original: ${describe(result)}`);
}

export async function checkFresh(
  outcome: string,
  given: Given,
  corpus: Corpus,
  strictness: Strictness,
): Promise<void> {
  const fresh = newReader(corpus, strictness, { maxDecryptionKeys: 8, maxEncryptionKeys: 1 });
  const answer = await check(fresh, given);
  await fresh.codec.close();
  if (answer !== outcome) throw new Error(`${outcome}, but ${answer} from a codec with empty caches`);
}

const describe = (result: Payload | string) => (typeof result === 'string' ? result : same(result));

/** @returns the payload, or a listed reason code */
export async function decodeOne(codec: KmsCodec, stored: Payload): Promise<Payload | string> {
  try {
    const [decrypted] = await codec.decode([stored], context);
    if (decrypted) return decrypted;
  } catch (error) {
    if (error instanceof KmsCodecError && codes.has(error.code)) return error.code;
    throw error;
  }
  throw new Error('gave nothing');
}
