import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { branchKeyAad } from '../../src/crypto/tags.ts';
import { parseHeader } from '../../src/formats/envelope-v2-header.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { fromPayload } from '../support/vectors.ts';
import { messageFiles } from '@temporal-kms/vectors/files';
import { hex } from '@temporal-kms/vectors/bytes';
import type { Vector, VectorRule } from '@temporal-kms/vectors/schema';
import { findPython, runScript } from '@temporal-kms/testing/python';

const samplesOf = ['pay', 'ship'] as const;
const keysBy = { pay: [cryptoKey('pay')], ship: [cryptoKey('ship'), cryptoKey('pay')] };
const rulesBy = { pay: { encrypt: cryptoKey('pay') }, ship: { encrypt: cryptoKey('ship') } };

interface Sample {
  readonly inner: Payload;
  readonly message: Payload;
  readonly namespace: (typeof samplesOf)[number];
  readonly workflowId: string | undefined;
}

/**
 * Returns messages under many branch keys and salts. Some messages are compressed, and some are bound to a
 * workflow.
 */
async function encryptSamples(count: number, keyService: FakeKeyService): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let n = 0; samples.length < count; n += 1) {
    const compression = n % 2 ? ('zstd' as const) : undefined;
    const options = { keyService, compression, bindWorkflow: n % 4 > 1, limits: { softMessages: 3 } };
    const { codec } = codecWith(rulesBy, options);
    const namespace = samplesOf[n % 3 === 0 ? 1 : 0];
    const workflowId = n % 5 === 0 ? undefined : `order-${n}`;
    const inners = Array.from({ length: 10 }, (_, size) =>
      json({ n, text: 'Überweisung '.repeat(size ** 3) }),
    );
    const messages = await codec.encode(inners, inNamespace(namespace, workflowId));
    for (const [at, message] of messages.entries()) {
      samples.push({ inner: inners[at]!, message, namespace, workflowId });
    }
    await codec.close();
  }
  return samples;
}

/** Returns Cloud KMS's response for a message's wrapped key. */
async function answerFor({ message, namespace }: Sample, keyService: FakeKeyService) {
  const { wrappedKey: ciphertext } = parseHeader(message.data!).header;
  const request = { key: cryptoKey(namespace), aad: branchKeyAad(namespace), ciphertext };
  const plaintext = hex(await keyService.unwrap(request));
  return { key: request.key, aad: hex(request.aad), ciphertext: hex(ciphertext), plaintext };
}

/**
 * Returns a copy of a message in which one byte of the header, nonce, ciphertext or tag is changed. `n`
 * selects the byte.
 */
function changed(data: Uint8Array, n: number): Uint8Array {
  const copy = Uint8Array.from(data);
  copy[n % copy.length]! ^= 1 << (n % 8);
  return copy;
}

/** A message that the decoder must read, and the decoder's settings. */
interface Question {
  readonly data: string;
  /** The crypto keys of each accepted namespace. */
  readonly keys: Readonly<Record<string, readonly string[]>>;
  readonly workflowId: string | undefined;
  readonly kms: Vector['kms'];
}

async function decode(questions: readonly Question[]): Promise<unknown[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kms-decoder-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, 'messages.jsonl');
  await writeFile(path, questions.map((question) => `${JSON.stringify(question)}\n`).join(''));
  const output = await runScript(await findPython(), ['../decoder.py', path]);
  return output
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
}

describe('a decoder written only from the specification', () => {
  it('reads 500 messages, and refuses each of them after one byte was changed', async () => {
    const keyService = new FakeKeyService();
    const samples = await encryptSamples(500, keyService);
    const kinds = new Set(samples.map(({ message }) => message.data![1]));
    expect(kinds).toEqual(new Set([0, 1, 2, 3]));
    const questions = await Promise.all(
      samples.map(async (sample) => {
        const { message, namespace, workflowId } = sample;
        const kms = [await answerFor(sample, keyService)];
        return { data: hex(message.data!), keys: { [namespace]: keysBy[namespace] }, workflowId, kms };
      }),
    );
    const answers = await decode([
      ...questions,
      ...questions.map((question, n) => ({ ...question, data: hex(changed(samples[n]!.message.data!, n)) })),
    ]);
    expect(answers.slice(0, 500)).toEqual(samples.map(({ inner }) => ({ payload: fromPayload(inner) })));
    expect(answers.slice(500)).toEqual(samples.map(() => ({ code: expect.any(String) })));
  }, 720_000);

  it('produces the expected outcome for each envelope-v2 vector whose settings it supports', async () => {
    const vectors = messageFiles
      .filter(({ file }) => /^(envelope-v2.*|payload-profile|reference-python)\.json$/.test(file))
      .flatMap((file) => file.vectors)
      .filter(({ format }) => format === 'envelope-v2');
    const asked = vectors.flatMap((vector) => {
      const accepted = keysOf(vector);
      return accepted === undefined ? [] : [{ vector, accepted }];
    });
    expect(asked.length).toBeGreaterThan(150);
    const answers = await decode(
      asked.map(({ vector, accepted }) => ({
        data: vector.stored.data,
        keys: accepted,
        workflowId: vector.context?.workflowId,
        kms: vector.kms,
      })),
    );
    for (const [n, { vector }] of asked.entries()) expect(answers[n], vector.name).toEqual(vector.expect);
  }, 720_000);
});

/**
 * Returns the crypto keys of each namespace that a vector's reader accepts, or undefined if the vector needs
 * settings that the decoder lacks.
 */
function keysOf({ keys: { namespaces = {}, default: byDefault, deny }, codec, context }: Vector) {
  if (codec !== undefined || context === undefined || deny !== undefined) return undefined;
  const rule = namespaces[context.namespace] ?? byDefault;
  if (rule === undefined || rule.reads !== undefined || rule.workflowTag !== undefined) return undefined;
  const own = listed(rule);
  const others = (rule.accepts ?? []).map(
    (name) => [name, [...own, ...listed(namespaces[name] ?? {})]] as const,
  );
  return { [context.namespace]: own, ...Object.fromEntries(others) };
}

const listed = ({ encrypt, decrypt = [] }: VectorRule) => [...(encrypt ? [encrypt] : []), ...decrypt];
