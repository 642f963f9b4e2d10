import { zstdCompressSync } from 'node:zlib';
import { KeyRules, KmsCodec, KmsCodecError, reasonCodes } from '../../src/index.ts';
import type { Payload } from '../../src/wire/inner-payload.ts';
import { fromPayload } from '../support/vectors.ts';
import { serialized } from '../vectors/make/bytes.ts';
import { frame, raw, zeros } from '../vectors/make/zstd.ts';
import { buildCorpus, listedKeys, READER, rules, type Strictness, TableKms, WORKFLOW } from './corpus.ts';
import { mutate, mutateBytes } from './mutate.ts';
import { Random } from './random.ts';

export interface FuzzReport {
  readonly seed: number;
  readonly messages: number;
  readonly milliseconds: number;
  /** How often each outcome came: a reason code, `opened` (an original, whole) or `passed` (as it was stored). */
  readonly outcomes: Readonly<Record<string, number>>;
}

/** A codec keeps its caches this long, so that both hits and misses of them are met. */
const MESSAGES_PER_CODEC = 1_000;
const context = { type: 'workflow', namespace: READER, workflowId: WORKFLOW } as const;
const same = (payload: Payload): string => JSON.stringify(fromPayload(payload));
const codes: ReadonlySet<string> = new Set(reasonCodes);

/**
 * Decodes mutated messages in `payments`, in workflow order-1.
 * @throws Error with the seed, the number and the bytes of the first message that gave anything but an original that
 * this reader may see, itself, or a listed code; or after which Cloud KMS had been asked about an unlisted key
 */
export async function fuzz(seed: number, messages: number): Promise<FuzzReport> {
  const random = new Random(seed);
  const corpus = buildCorpus();
  const originals: Readonly<Record<Strictness, ReadonlySet<string>>> = {
    strict: originalsOf('strict'),
    lenient: originalsOf('lenient'),
  };
  function originalsOf(strictness: Strictness): Set<string> {
    const entitled = corpus.messages.filter((message) => message.entitled.includes(strictness));
    return new Set(entitled.map(({ inner }) => same(inner)));
  }
  const frames = [
    zstdCompressSync(serialized({ data: Buffer.alloc(2_000) })),
    frame({ declared: 300, blocks: raw(Buffer.alloc(300)) }),
    frame({ declared: 2 ** 30, blocks: zeros(2 ** 20) }),
  ];
  const sealedGarbage = (number: number): Payload => {
    const compressed = random.oneIn(2);
    const plaintext = compressed ? random.pick(frames) : serialized(random.pick(corpus.messages).inner);
    return corpus.seal(mutateBytes(plaintext, random), compressed, `garbage ${number}`);
  };

  const outcomes = new Map<string, number>();
  const started = performance.now();
  for (let number = 0; number < messages;) {
    const strictness = (number / MESSAGES_PER_CODEC) % 2 === 0 ? 'strict' : 'lenient';
    const kms = new TableKms(corpus.table);
    const codec = new KmsCodec({ rules: new KeyRules({ [READER]: rules[strictness] }), keyService: kms });
    const judge = (stored: Payload, opened: Payload, mayBeAnything: boolean): string => {
      if (opened === stored) return 'passed';
      if (mayBeAnything || originals[strictness].has(same(opened))) return 'opened';
      throw new Error(`gave a plaintext that isn't an original: ${same(opened)}`);
    };
    const end = Math.min(messages, number + MESSAGES_PER_CODEC);
    for (; number < end; number += 1) {
      // Who holds a data key may seal anything: then only the error is judged.
      const byInsider = random.oneIn(12);
      const stored = byInsider
        ? sealedGarbage(number)
        : mutate(random.pick(corpus.messages).stored, random.pick(corpus.messages).stored, random);
      try {
        codec.inspect(stored, context);
        const outcome = await decodeOne(codec, stored, (opened) => judge(stored, opened, byInsider));
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        const unlisted = [...kms.asked].filter((key) => !listedKeys[strictness].has(key));
        if (unlisted.length > 0) throw new Error(`asked Cloud KMS about ${unlisted.join(', ')}`);
      } catch (cause) {
        const bytes = same(stored);
        throw new Error(`seed ${seed}, message ${number}, ${strictness}: ${String(cause)}\n${bytes}`, {
          cause,
        });
      }
    }
    await codec.close();
  }
  const sorted = [...outcomes].toSorted(([, one], [, other]) => other - one);
  return { seed, messages, milliseconds: performance.now() - started, outcomes: Object.fromEntries(sorted) };
}

async function decodeOne(
  codec: KmsCodec,
  stored: Payload,
  judge: (opened: Payload) => string,
): Promise<string> {
  let opened: Payload | undefined;
  try {
    [opened] = await codec.decode([stored], context);
  } catch (error) {
    if (error instanceof KmsCodecError && codes.has(error.code)) return error.code;
    throw error;
  }
  if (!opened) throw new Error('gave nothing');
  return judge(opened);
}
