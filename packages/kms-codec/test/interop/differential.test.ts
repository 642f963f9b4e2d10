import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { buildCorpus, READER, rules } from '../fuzz/corpus.ts';
import { Random } from '../fuzz/random.ts';
import { context, nextMessage } from '../fuzz/run.ts';
import { fromPayload, outcomeOf } from '../support/vectors.ts';
import type { Vector, VectorFile } from '../vectors/make/vector.ts';
import { findPython, runModule } from './support/python.ts';

/* What the vectors don't think of: thousands of mutated messages, to which both languages must give one answer. */

const slow = process.env['SLOW'] !== undefined;
const messages = slow ? 20_000 : 1_000;
const seed = Number(process.env['FUZZ_SEED'] ?? (slow ? Date.now() % 2 ** 32 : 20_261_125));
let python: string;

beforeAll(async () => {
  python = await findPython();
}, 600_000);

it(
  'Python gives every mutated message the answer that TypeScript gives',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kms-differential-'));
    try {
      const about = `Mutated messages, seed ${seed}, and what the TypeScript codec answered.`;
      const file: VectorFile = { about, vectors: await mutated() };
      await writeFile(join(folder, 'mutated.json'), JSON.stringify(file));
      const report = await runModule(
        python,
        ['pytest', '-q', '-p', 'no:cacheprovider', '--color=no', 'tests/test_vectors.py'],
        { KMS_VECTORS: folder },
      );
      // One more: pytest also counts the vectors.
      expect(report).toContain(`${messages + 1} passed`);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
  slow ? 600_000 : 120_000,
);

async function mutated(): Promise<Vector[]> {
  const random = new Random(seed);
  const corpus = buildCorpus();
  const vectors: Vector[] = [];
  while (vectors.length < messages) {
    const { stored, byInsider } = nextMessage(corpus, random, vectors.length);
    // What an insider seals may be anything: protobuf's libraries differ in how lenient they are with it.
    if (byInsider) continue;
    const strictness = random.oneIn(2) ? 'strict' : 'lenient';
    const vector: Vector = {
      name: `${vectors.length}, ${strictness}`,
      why: 'mutated',
      format: 'plain',
      keys: { namespaces: { [READER]: rules[strictness] } },
      context: { namespace: READER, workflowId: context.workflowId },
      kms: [...corpus.kms],
      stored: fromPayload(stored),
      expect: { code: 'malformed' },
      asked: [],
    };
    vectors.push({ ...vector, ...(await outcomeOf(vector)) });
  }
  return vectors;
}
