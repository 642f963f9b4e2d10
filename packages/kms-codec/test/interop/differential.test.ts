import { type WriteStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCorpus, type Corpus, READER, rules, WORKFLOW } from '../fuzz/corpus.ts';
import { insiderMessage } from '../fuzz/insider.ts';
import { Random } from '@temporal-kms/testing/random';
import { nextMessage } from '../fuzz/run.ts';
import { anyScope, changedText } from '../fuzz/scopes.ts';
import { wrappedKeyHash } from '../../src/crypto/wrapped-key.ts';
import { described, readKeysFileText } from '../support/keys-file.ts';
import { keysFileVectors } from '@temporal-kms/vectors/files';
import { fromPayload, outcomeOf } from '../support/vectors.ts';
import type { Vector } from '@temporal-kms/vectors/schema';
import { findPython, runScript } from '@temporal-kms/testing/python';

/* Thousands of generated inputs, for which both languages must produce the same result. */

const slow = process.env['SLOW'] !== undefined;
const seed = Number(process.env['FUZZ_SEED'] ?? (slow ? Date.now() % 2 ** 32 : 20_261_125));
const BATCH = 20_000;
let python: string;
let folder: string;

beforeAll(async () => {
  python = await findPython();
  folder = await mkdtemp(join(tmpdir(), 'kms-differential-'));
}, 600_000);
afterAll(() => rm(folder, { recursive: true }));

/**
 * Writes TypeScript's results for `count` inputs, and returns Python's report, which starts with the
 * differences.
 */
async function differences(count: number, first: object, next: (n: number) => object | Promise<object>) {
  const reports: string[] = [];
  for (let done = 0; done < count; done += BATCH) {
    const path = join(folder, 'batch.jsonl');
    const file = createWriteStream(path);
    await line(file, first);
    const end = Math.min(count, done + BATCH);
    for (let n = done; n < end; n += 1) await line(file, await next(n));
    file.end();
    await once(file, 'finish');
    const report = (await runScript(python, ['tests/differential.py', path])).trim().split('\n');
    expect(report.pop()).toBe(`${end - done} compared`);
    reports.push(...report.slice(0, 10).map((text) => text.slice(-2_000)));
    if (reports.length > 0) break;
  }
  return reports;
}

async function line(file: WriteStream, value: object): Promise<void> {
  if (!file.write(`${JSON.stringify(value)}\n`)) await once(file, 'drain');
}

/** Adds one of the wrapped keys, or no key, to the deny-list. */
function withDenied<T extends Pick<Vector, 'keys'>>(
  scope: T,
  kms: readonly Vector['kms'][number][],
  random: Random,
): T {
  if (!random.oneIn(4)) return scope;
  const wrapped = Buffer.from(random.pick(kms).ciphertext, 'hex');
  return { ...scope, keys: { ...scope.keys, deny: [wrappedKeyHash(wrapped)] } };
}

/** Lowers the reader's limits in some cases. */
function withLimits<T extends Pick<Vector, 'keys' | 'codec'>>(scope: T, random: Random): T {
  if (!random.oneIn(5)) return scope;
  const maxCallBytes = random.pick([100, 500, 2_000, 8_000]);
  return {
    ...scope,
    codec: { ...scope.codec, maxCallBytes, maxDecompressedBytes: random.pick([100, 6_000]) },
  };
}

const messages = slow ? 100_000 : 2_000;
const reached = ['insider: payload', 'insider: malformed', 'attacker: payload', 'attacker: integrity_failed'];
const reader = {
  keys: { namespaces: { [READER]: rules.lenient } },
  context: { namespace: READER, workflowId: WORKFLOW },
};

/**
 * Returns a message from an insider, who has the keys, for a reader of all formats, or a message from an
 * attacker for any reader.
 */
function anyMessage(corpus: Corpus, random: Random, n: number) {
  if (random.oneIn(2)) {
    return { by: 'insider', scope: reader, ...insiderMessage(corpus, random, `insider ${n}`) } as const;
  }
  const { stored, byInsider } = nextMessage(corpus, random, n);
  return { by: byInsider ? 'insider' : 'attacker', scope: anyScope(random), stored, kms: [] } as const;
}

describe(`with the seed ${seed}, Python`, () => {
  it(
    'gives the same result as TypeScript for every mutated message and every keys file',
    async () => {
      const random = new Random(seed);
      const corpus = buildCorpus();
      const outcomes = new Map<string, number>();
      const found = await differences(messages, corpus.kms, async (n) => {
        const given = anyMessage(corpus, random, n);
        const vector = {
          name: String(n),
          ...withLimits(withDenied(given.scope, corpus.kms, random), random),
          kms: [...corpus.kms, ...given.kms],
          stored: fromPayload(given.stored),
        };
        const outcome = await outcomeOf(vector);
        const kind = `${given.by}: ${'code' in outcome.expect ? outcome.expect.code : 'payload'}`;
        outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
        return { ...vector, kms: given.kms, ...outcome };
      });
      const counts = Object.fromEntries([...outcomes].toSorted(([, one], [, other]) => other - one));
      process.stdout.write(`differential: ${JSON.stringify({ seed, messages, outcomes: counts })}\n`);
      expect(found).toEqual([]);
      expect(Object.keys(counts)).toEqual(expect.arrayContaining(reached));
    },
    slow ? 14_400_000 : 600_000,
  );

  it(
    'accepts or rejects every modified keys file as TypeScript does',
    async () => {
      const random = new Random(seed);
      const texts = keysFileVectors.filter(({ files }) => files === undefined);
      const good = texts.filter((text) => text.rules !== undefined);
      let accepted = 0;
      const found = await differences(slow ? 50_000 : 2_000, [], () => {
        const { text: original } = random.pick(random.oneIn(4) ? texts : good);
        const text = changedText(original, random);
        const result = readKeysFileText(folder, text);
        if (typeof result !== 'string') accepted += 1;
        return { keys_file: text, rules: typeof result === 'string' ? null : described(result) };
      });
      expect(found).toEqual([]);
      expect(accepted).toBeGreaterThan(100);
    },
    slow ? 3_600_000 : 300_000,
  );
});
