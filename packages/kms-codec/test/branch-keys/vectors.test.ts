import { branchKeyEntryVectors } from '@temporal-kms/vectors/files';
import type { VectorKmsAnswer } from '@temporal-kms/vectors/schema';
import { expect, it, onTestFinished } from 'vitest';
import { parseEntry } from '../../src/branch-keys/entry.ts';
import { KeyRules, KmsCodec } from '../../src/index.ts';
import type { UnwrapRequest, Wrapped, WrapRequest } from '../../src/keys/key-service.ts';
import { inNamespace, json } from '../support/codec.ts';
import { FakeKeyService } from '../support/fake-key-service.ts';
import { branchOf, MemoryStore, settle } from '../support/fleet.ts';
import { VectorKeyService } from '../support/vector-key-service.ts';

/**
 * A key service that wraps and unwraps new keys, and responds to other requests as a vector's `kms`
 * specifies.
 */
class WrappingKeyService extends FakeKeyService {
  readonly #vector: VectorKeyService;
  readonly #own = new Set<string>();

  constructor(answers: readonly VectorKmsAnswer[]) {
    super();
    this.#vector = new VectorKeyService(answers);
  }

  override async wrap(request: WrapRequest): Promise<Wrapped> {
    const wrapped = await super.wrap(request);
    this.#own.add(hex(wrapped.ciphertext));
    return wrapped;
  }

  override async unwrap(request: UnwrapRequest): Promise<Uint8Array> {
    const isOwn = this.#own.has(hex(request.ciphertext));
    return isOwn ? await super.unwrap(request) : await this.#vector.unwrap(request);
  }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

it.each(branchKeyEntryVectors)('a process that starts $name', async (vector) => {
  const { cryptoKey, namespace, id, entry, deny, kms, now, expect: expected } = vector;
  const branchKeyStore = new MemoryStore();
  branchKeyStore.put(id, Buffer.from(entry));
  const before = branchKeyStore.values.get(id);
  const codec = new KmsCodec({
    rules: new KeyRules({ [namespace]: { encrypt: cryptoKey } }, undefined, deny),
    keyService: new WrappingKeyService(kms),
    now: () => now,
    branchKeyStore,
  });
  onTestFinished(() => codec.close());
  const [message] = await codec.encode([json('x')], inNamespace(namespace));
  await settle();
  const branchKey = branchOf(message!);
  const stored = expected.encrypts === 'new' ? undefined : parseEntry(before!.value)[expected.encrypts];
  if (stored) expect(branchKey).toBe(hex(stored.wrapped));
  else expect(kms.map(({ ciphertext }) => ciphertext)).not.toContain(branchKey);
  expect(branchKeyStore.values.get(id) === before ? 'kept' : 'replaced').toBe(expected.entry);
});
