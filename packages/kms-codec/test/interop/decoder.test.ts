import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { branchKeyAad } from '../../src/crypto/tags.ts';
import { parseHeader } from '../../src/formats/envelope-v2-header.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { codecWith, cryptoKey, inNamespace, json } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { fromPayload } from '../support/vectors.ts';
import { hex } from '../vectors/make/bytes.ts';
import { findPython, runScript } from './support/python.ts';

const namespaces = ['pay', 'ship'] as const;
const keys = { pay: [cryptoKey('pay')], ship: [cryptoKey('ship'), cryptoKey('pay')] };
const rules = { pay: { encrypt: cryptoKey('pay') }, ship: { encrypt: cryptoKey('ship') } };

interface Sample {
  readonly inner: Payload;
  readonly message: Payload;
  readonly namespace: (typeof namespaces)[number];
  readonly workflowId: string | undefined;
}

/** Returns messages under many branch keys and salts, of which half are compressed and half bound to a workflow. */
async function encrypt(count: number, keyService: FakeKeyService): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let n = 0; samples.length < count; n += 1) {
    const compression = n % 2 ? ('zstd' as const) : undefined;
    const options = { keyService, compression, bindWorkflow: n % 4 > 1, limits: { softMessages: 3 } };
    const { codec } = codecWith(rules, options);
    const namespace = namespaces[n % 3 === 0 ? 1 : 0];
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

/** Returns what Cloud KMS answers for the wrapped keys of messages. */
async function answersFor(samples: readonly Sample[], keyService: FakeKeyService) {
  const answers = new Map<string, object>();
  for (const { message, namespace } of samples) {
    const { wrappedKey: ciphertext } = parseHeader(message.data!).header;
    if (answers.has(hex(ciphertext))) continue;
    const request = { key: cryptoKey(namespace), aad: branchKeyAad(namespace), ciphertext };
    const plaintext = hex(await keyService.unwrap(request));
    const { key, aad } = request;
    answers.set(hex(ciphertext), { key, aad: hex(aad), ciphertext: hex(ciphertext), plaintext });
  }
  return [...answers.values()];
}

/** Changes the byte of the header, nonce, ciphertext or tag of which `n` is the number. */
function changed(data: Uint8Array, n: number): Uint8Array {
  const copy = Uint8Array.from(data);
  copy[n % copy.length]! ^= 1 << (n % 8);
  return copy;
}

/** Returns the line that lets the decoder read a message, or a changed message, in its place. */
const ask = ({ namespace, workflowId }: Sample, data: Uint8Array) =>
  JSON.stringify({ data: hex(data), namespaces: [namespace], workflowId });

it('a decoder that was written from the specification alone reads 500 messages, and refuses each if a byte was changed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kms-decoder-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const keyService = new FakeKeyService();
  const samples = await encrypt(500, keyService);
  const kinds = new Set(samples.map(({ message }) => message.data![1]));
  expect(kinds).toEqual(new Set([0, 1, 2, 3]));
  const lines = [
    JSON.stringify(keys),
    JSON.stringify(await answersFor(samples, keyService)),
    ...samples.map((sample) => ask(sample, sample.message.data!)),
    ...samples.map((sample, n) => ask(sample, changed(sample.message.data!, n))),
  ];
  const path = join(folder, 'messages.jsonl');
  await writeFile(path, lines.map((line) => `${line}\n`).join(''));
  const output = await runScript(await findPython(), ['../decoder.py', path]);
  const answers = output
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  expect(answers.slice(0, 500)).toEqual(samples.map(({ inner }) => ({ payload: fromPayload(inner) })));
  expect(answers.slice(500)).toEqual(samples.map(() => ({ code: expect.any(String) })));
}, 720_000);
