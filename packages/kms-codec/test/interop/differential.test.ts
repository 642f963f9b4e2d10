import { isUtf8 } from 'node:buffer';
import { type WriteStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCorpus } from '@temporal-kms/testing/fuzz';
import type { Payload } from '../../src/formats/payload.ts';
import { buildCorpus, type Corpus, READER, rules, WORKFLOW } from '../fuzz/corpus.ts';
import { insiderMessage, type InsiderMessage } from '../fuzz/insider.ts';
import { toMessage } from '../fuzz/message.fuzz.ts';
import { encrypted } from '../fuzz/plaintext.fuzz.ts';
import { Random } from '@temporal-kms/testing/random';
import { nextMessage } from '../fuzz/run.ts';
import { anyScope, changedText, type Scope } from '../fuzz/scopes.ts';
import { wrappedKeyHash } from '../../src/crypto/wrapped-key.ts';
import { described, readKeysFileText } from '../support/keys-file.ts';
import { keysFileVectors } from '@temporal-kms/vectors/files';
import { fromPayload, outcomeOf } from '../support/vectors.ts';
import { storedV2 } from '@temporal-kms/vectors/message';
import type { Vector } from '@temporal-kms/vectors/schema';
import { findPython, runScript } from '@temporal-kms/testing/python';
import { findGo, type Go } from '@temporal-kms/scripts/go';
import { projectRoot } from '@temporal-kms/scripts/project';

/*
 * Tests thousands of generated inputs, for which TypeScript, Python and, in the long proof, Go must produce
 * the same result.
 */

const slow = process.env['SLOW'] !== undefined;
const seed = Number(process.env['SEED'] ?? 20_261_125);
const BATCH = 20_000;
const goReader = join(projectRoot, 'interop/go/reader');
let python: string;
let go: Go | undefined;
let folder: string;

beforeAll(async () => {
  python = await findPython();
  if (slow) go = await findGo('Go is not compared');
  folder = await mkdtemp(join(tmpdir(), 'kms-differential-'));
}, 600_000);
afterAll(() => rm(folder, { recursive: true }));

/**
 * Writes TypeScript's results for `count` inputs, and returns Python's report, which begins with the
 * differences.
 *
 * @throws Error with Go's differences
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
    const goTest = ['test', '-count=1', '-run=^TestDifferential$', '-args', path];
    if (go) expect(await go.run(goReader, goTest)).toContain(`${end - done} compared`);
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

/** Lowers the reader's limits at random, in one of five cases. */
function withLimits<T extends Pick<Vector, 'keys' | 'codec'>>(scope: T, random: Random): T {
  if (!random.oneIn(5)) return scope;
  const maxCallBytes = random.pick([100, 500, 2_000, 8_000]);
  return {
    ...scope,
    codec: { ...scope.codec, maxCallBytes, maxDecompressedBytes: random.pick([100, 6_000]) },
  };
}

const messages = slow ? 100_000 : 1_000;
const reached = ['insider: payload', 'insider: malformed', 'attacker: payload', 'attacker: integrity_failed'];
const reader = {
  keys: { namespaces: { [READER]: rules.lenient } },
  context: { namespace: READER, workflowId: WORKFLOW },
};

/**
 * Returns a message and a reader's rules and context. Half of the messages come from an insider, who has the
 * keys, and are for a reader of all formats. The other messages come from `nextMessage` and are for any
 * reader.
 */
function anyMessage(corpus: Corpus, random: Random, n: number) {
  if (random.oneIn(2)) {
    return { by: 'insider', scope: reader, ...insiderMessage(corpus, random, `insider ${n}`) } as const;
  }
  const { stored, byInsider } = nextMessage(corpus, random, n);
  return { by: byInsider ? 'insider' : 'attacker', scope: anyScope(random), stored, kms: [] } as const;
}

type Stored = { readonly scope: Scope } & InsiderMessage;

/**
 * Returns a stored payload with TypeScript's result. Omits the corpus's Cloud KMS responses, which the other
 * languages already have.
 */
async function decoded(corpus: Corpus, { scope, stored, kms }: Stored) {
  const given = { name: 'generated', ...scope, kms: [...corpus.kms, ...kms], stored: fromPayload(stored) };
  return { ...given, ...(await outcomeOf(given)), kms };
}

/** Returns the inputs of a target in `test/fuzz`. */
const inputsOf = (name: string): Promise<readonly Buffer[]> =>
  readCorpus({ name, file: fileURLToPath(new URL(`../fuzz/${name}.fuzz.ts`, import.meta.url)) });

const toLenient = (stored: Payload): Stored => ({ scope: reader, stored, kms: [] });

/** Returns the stored payloads that the fuzz targets create from their inputs. */
async function fuzzInputs(corpus: Corpus): Promise<Stored[]> {
  const codec = { maxDecompressedBytes: 2 ** 16 };
  const inFrame = (input: Buffer) => corpus.encrypt(input, true, 'fuzz');
  return [
    ...(await inputsOf('header')).map((input) => toLenient(storedV2(input))),
    ...(await inputsOf('plaintext')).map((input) => toLenient(encrypted(input))),
    ...(await inputsOf('zstd')).map((input) => ({
      ...toLenient(inFrame(input)),
      scope: { ...reader, codec },
    })),
    ...(await inputsOf('message')).map((input) => {
      const { strictness, stored } = toMessage(input);
      return {
        ...toLenient(stored),
        scope: { ...reader, keys: { namespaces: { [READER]: rules[strictness] } } },
      };
    }),
  ];
}

it('each language gives the same result for every input in the corpora of the fuzz targets', async () => {
  const corpus = buildCorpus();
  const texts = (await inputsOf('keys-file')).filter((input) => isUtf8(input)).map(String);
  const lines = [
    ...(await fuzzInputs(corpus)).map((given) => () => decoded(corpus, given)),
    ...texts.map((text) => () => keysFileLine(text)),
  ];
  expect(lines.length).toBeGreaterThan(100);
  expect(await differences(lines.length, corpus.kms, (n) => lines[n]!())).toEqual([]);
});

/** Returns the text of a keys file with TypeScript's rules, or null if TypeScript refuses the file. */
function keysFileLine(text: string) {
  const result = readKeysFileText(folder, text);
  return { keys_file: text, rules: typeof result === 'string' ? null : described(result) };
}

describe(`with the seed ${seed}, each language`, () => {
  it(
    'gives the same result for every mutated message and every keys file',
    async () => {
      const random = new Random(seed);
      const corpus = buildCorpus();
      const outcomes = new Map<string, number>();
      const found = await differences(messages, corpus.kms, async (n) => {
        const given = anyMessage(corpus, random, n);
        const scope = withLimits(withDenied(given.scope, corpus.kms, random), random);
        const vector = await decoded(corpus, { ...given, scope });
        const kind = `${given.by}: ${'code' in vector.expect ? vector.expect.code : 'payload'}`;
        outcomes.set(kind, (outcomes.get(kind) ?? 0) + 1);
        return vector;
      });
      const counts = Object.fromEntries([...outcomes].toSorted(([, one], [, other]) => other - one));
      process.stdout.write(`differential: ${JSON.stringify({ seed, messages, outcomes: counts })}\n`);
      expect(found).toEqual([]);
      expect(Object.keys(counts)).toEqual(expect.arrayContaining(reached));
    },
    slow ? 14_400_000 : 600_000,
  );

  it(
    'accepts or rejects the same modified keys files',
    async () => {
      const random = new Random(seed);
      const texts = keysFileVectors.filter(({ files }) => files === undefined);
      const good = texts.filter((text) => text.rules !== undefined);
      let accepted = 0;
      const found = await differences(slow ? 50_000 : 500, [], () => {
        const { text: original } = random.pick(random.oneIn(4) ? texts : good);
        const compared = keysFileLine(changedText(original, random));
        if (compared.rules) accepted += 1;
        return compared;
      });
      expect(found).toEqual([]);
      expect(accepted).toBeGreaterThan(25);
    },
    slow ? 3_600_000 : 300_000,
  );
});
