/**
 * A codec for an application's tests. Never use this codec in production: the codec's keys exist only in this
 * process's memory.
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { KmsCodec } from './codec.ts';
import type { KmsCodecOptions } from './codec-options.ts';
import { InMemoryKeyService } from './keys/in-memory-key-service.ts';
import { KeyRules } from './keys/key-rules.ts';

/**
 * Options of {@link createTestCodec}: the key, and the `KmsCodec` options that change what the codec writes
 * or reports.
 */
export interface TestCodecOptions extends Pick<
  KmsCodecOptions,
  'namespace' | 'format' | 'compression' | 'bindWorkflow' | 'observer'
> {
  /**
   * Text from which the codec derives its key, so that another process can decrypt the payloads, for example
   * to replay stored test histories. A key from `keyText` protects nothing. By default, each process has a
   * random key.
   */
  readonly keyText?: string | undefined;
}

/** In payloads and in the Web UI, this name shows that a test wrote the payload. */
const TEST_KEY = 'projects/tests-only/locations/global/keyRings/in-memory/cryptoKeys/not-for-production';

/** One key for the whole process, so that its test codecs decrypt each other's payloads. */
const processKey = randomBytes(32);
let isWarned = false;

/**
 * Returns a codec that encrypts and decrypts every namespace's payloads under a key in this process's memory.
 * The codec opens no port, calls no Google API and reads no environment variable except `NODE_ENV`. All test
 * codecs of a process share one key, so a client and a worker in the same test read each other's payloads.
 * The key is lost when the process ends, unless it is derived from `keyText`.
 *
 * For tests only: emits the process warning `TEMPORAL_KMS_TEST_CODEC`, names the key `not-for-production`,
 * and throws if `NODE_ENV` is `production`.
 * @param options as for `KmsCodec`; by default the codec writes `envelope-v2` without compression
 * @throws Error if `NODE_ENV` is `production`
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
      'createTestCodec is for tests only, but NODE_ENV is production: the key, and with it every payload, would be lost ' +
        'when this process ends. Use loadKmsCodec() instead.',
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
