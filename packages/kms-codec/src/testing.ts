/**
 * A codec for the tests of an application. Never for production: its keys exist in this process's memory only.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { KmsCodec } from './codec.ts';
import type { KmsCodecOptions } from './codec-options.ts';
import { InMemoryKeyService } from './keys/in-memory-key-service.ts';
import { KeyRules } from './keys/key-rules.ts';

/** Options of {@link createTestCodec}: those of `KmsCodec` that change what it writes or reports, and its key. */
export interface TestCodecOptions extends Pick<
  KmsCodecOptions,
  'namespace' | 'format' | 'compression' | 'bindWorkflow' | 'observer'
> {
  /**
   * A text from which the key is derived, so that another process can decrypt the payloads: for histories that are kept
   * with the tests and replayed. It protects nothing. Default: a random key for each process.
   */
  readonly keyText?: string | undefined;
}

/** Its name shows in a payload and in the Web UI that a test wrote the payload. */
const TEST_KEY = 'projects/tests-only/locations/global/keyRings/in-memory/cryptoKeys/not-for-production';

/** One for the whole process, so that all of its test codecs decrypt each other's payloads. */
const processKey = randomBytes(32);
let isWarned = false;

/**
 * Returns a codec that encrypts and decrypts every namespace's payloads under a key in this process's memory. It opens
 * no port, calls no Google API and reads no environment variable except `NODE_ENV`. All test codecs of a process share
 * the key, so that a client and a worker in one test understand each other; the key is lost when the process ends, unless
 * it is derived from `keyText`.
 *
 * It is for tests only: it emits the process warning `TEMPORAL_KMS_TEST_CODEC`, names its key `not-for-production`, and
 * refuses to run where `NODE_ENV` is `production`.
 * @param options the same as for `KmsCodec`; by default the codec writes `envelope-v2` without compression
 * @throws Error where `NODE_ENV` is `production`
 * @example
 * ```ts
 * import { createTestCodec } from '@temporal-kms/kms-codec/testing';
 * import { defaultPayloadConverter } from '@temporalio/common';
 *
 * const codec = createTestCodec();
 * const [encrypted] = await codec.encode([defaultPayloadConverter.toPayload('card 4111')]);
 * const [decrypted] = await codec.decode([encrypted]);
 * console.log(defaultPayloadConverter.fromPayload(decrypted)); // card 4111
 * await codec.close();
 * ```
 */
export function createTestCodec({ keyText, ...options }: TestCodecOptions = {}): KmsCodec {
  if (process.env['NODE_ENV'] === 'production') {
    throw new Error(
      'createTestCodec is for tests only, but NODE_ENV is production: its key is lost when this process ends, and ' +
        'with it every payload. Use loadKmsCodec() instead.',
    );
  }
  warnOfTestCodec();
  const wrappingKey =
    keyText === undefined ? processKey : createHash('sha256').update(`test codec\0${keyText}`).digest();
  return new KmsCodec({
    ...options,
    rules: new KeyRules({}, { encrypt: TEST_KEY, reads: ['envelope-v2', options.format ?? 'envelope'] }),
    keyService: new InMemoryKeyService(wrappingKey),
  });
}

function warnOfTestCodec(): void {
  if (isWarned) return;
  isWarned = true;
  process.emitWarning(
    'createTestCodec encrypts under a key that is lost when this process ends. Use it in tests only.',
    { type: 'SecurityWarning', code: 'TEMPORAL_KMS_TEST_CODEC' },
  );
}
