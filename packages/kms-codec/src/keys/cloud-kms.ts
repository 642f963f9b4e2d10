import CRC32C from 'crc-32/crc32c.js';
import { refuseDiagnostics } from '../diagnostics.ts';
import { KmsCodecError } from '../errors.ts';
import type { KmsCall, Observer } from '../observer.ts';
import { GoogleClient, type KmsClient } from './google-client.ts';
import type {
  KeyDescription,
  KeyService,
  KeyVersionState,
  UnwrapRequest,
  Wrapped,
  WrapRequest,
} from './key-service.ts';
import {
  isDeadlineExceeded,
  isFailedPrecondition,
  isInvalidArgument,
  mapKmsError,
  refusedVersion,
} from './kms-errors.ts';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';

export interface CloudKmsOptions {
  /** `host:port` of an emulator, on loopback only. An emulator protects nothing. */
  readonly emulatorHost?: string | undefined;
  /** Deadline for one attempt, in ms. Default 3,000; the Google client's own default is 60,000. */
  readonly attemptTimeoutMs?: number;
  readonly observer?: Observer;
}

/** Counts one request to Cloud KMS, and returns the options for this request. */
type CallOptionsOf = () => { readonly timeout: number; readonly retry: null };

const KIB = 1024;
const SOFTWARE_LIMIT = 64 * KIB;
/** Maximum length of plaintext plus additional authenticated data, for HSM keys. */
const HSM_LIMIT = 8 * KIB;

/** Maximum number of times that a call is repeated because this process was stalled. */
const MAX_REPEATS = 3;

/**
 * Calls Cloud KMS through Google's client. Each method makes one attempt, and repeats it only if Google's
 * data integrity guide recommends that or if this process was stalled during the attempt. The callers make
 * all other retries.
 * @see https://cloud.google.com/kms/docs/data-integrity-guidelines
 */
export class CloudKms implements KeyService {
  readonly #google: GoogleClient;
  readonly #timeout: number;
  readonly #observer: Observer;
  readonly #protectionLevels = new Map<string, string>();

  /**
   * @throws KmsConfigurationError if a process setting makes Node or Google's client expose data keys, or if
   *   an emulator is not on loopback or is used in production
   */
  constructor(options: CloudKmsOptions = {}) {
    refuseDiagnostics({ emulatorHost: options.emulatorHost });
    this.#timeout = options.attemptTimeoutMs ?? 3_000;
    this.#observer = options.observer ?? {};
    this.#google = new GoogleClient(options.emulatorHost, this.#timeout);
  }

  async wrap({ key, plaintext, aad }: WrapRequest): Promise<Wrapped> {
    const bytes = plaintext.length + aad.length;
    await this.#checkSize(key, bytes);
    return await this.#call('wrap', key, undefined, async (client, callOptions) => {
      const [response] = await client
        .encrypt({ name: key, plaintext, plaintextCrc32c: crc(plaintext), ...aadFields(aad) }, callOptions())
        .catch((error: unknown) => {
          // The key is probably an HSM key: an identity that may only encrypt cannot look up the protection
          // level.
          const isUnknown = !this.#protectionLevels.has(key);
          if (isUnknown && bytes > HSM_LIMIT && isInvalidArgument(error))
            throw tooLarge(key, bytes, HSM_LIMIT);
          throw error;
        });
      const ciphertext = bytesOf(response.ciphertext);
      const version = /\/cryptoKeyVersions\/(\d+)/.exec(String(response.name));
      const intact =
        response.verifiedPlaintextCrc32c === true &&
        (aad.length === 0 || response.verifiedAdditionalAuthenticatedDataCrc32c === true) &&
        Number(response.ciphertextCrc32c?.value) === checksum(ciphertext) &&
        version !== null &&
        response.name === `${key}/cryptoKeyVersions/${version[1]}`;
      if (!intact) throw checksumMismatch(key);
      const protectionLevel = String(response.protectionLevel);
      this.#protectionLevels.set(key, protectionLevel);
      return { ciphertext, keyVersion: Number(version[1]), protectionLevel };
    });
  }

  async unwrap({ key, ciphertext, aad, keyVersion }: UnwrapRequest): Promise<Uint8Array> {
    const attempt = async (client: KmsClient, callOptions: CallOptionsOf) => {
      const [response] = await client.decrypt(
        { name: key, ciphertext, ciphertextCrc32c: crc(ciphertext), ...aadFields(aad) },
        callOptions(),
      );
      const plaintext = bytesOf(response.plaintext);
      if (Number(response.plaintextCrc32c?.value) !== checksum(plaintext)) {
        plaintext.fill(0);
        throw checksumMismatch(key);
      }
      return plaintext;
    };
    return await this.#call('unwrap', key, keyVersion, async (client, callOptions) => {
      try {
        return await attempt(client, callOptions);
      } catch (error) {
        // A checksum may have been damaged in transit, so the call is retried once with new checksums.
        if (!isInvalidArgument(error)) throw error;
        return await attempt(client, callOptions);
      }
    });
  }

  async describe(key: string): Promise<KeyDescription> {
    return await this.#call('describe', key, undefined, async (client, callOptions) => {
      const [cryptoKey] = await client.getCryptoKey({ name: key }, callOptions());
      const [versions] = await client.listCryptoKeyVersions({ parent: key }, callOptions());
      const primary = cryptoKey.primary?.name;
      return {
        key,
        name: cryptoKey.name ?? undefined,
        primary: primary ? versionNumber(primary) : undefined,
        protectionLevel: cryptoKey.versionTemplate?.protectionLevel?.toString(),
        rotationPeriodSeconds: cryptoKey.rotationPeriod
          ? Number(cryptoKey.rotationPeriod.seconds)
          : undefined,
        nextRotation: date(cryptoKey.nextRotationTime),
        versions: versions.map((version) => ({
          version: versionNumber(String(version.name)),
          state: String(version.state),
          created: date(version.createTime),
          generated: date(version.importTime ?? version.generateTime),
          // Cloud KMS sets the first field until the destruction, and the second field after it.
          destroyTime: date(version.destroyTime ?? version.destroyEventTime),
          algorithm: version.algorithm?.toString(),
          protectionLevel: version.protectionLevel?.toString(),
        })),
      };
    });
  }

  close(): Promise<void> {
    return this.#google.close();
  }

  // Disables the retries of gax, because after its last retry, gax reports DEADLINE_EXCEEDED and hides the
  // cause.
  #callOptions() {
    return { timeout: this.#timeout, retry: null };
  }

  async #call<T>(
    operation: KmsCall['operation'],
    key: string,
    keyVersion: number | undefined,
    run: (client: KmsClient, callOptions: CallOptionsOf) => Promise<T>,
  ): Promise<T> {
    const start = performance.now();
    let requests = 0;
    const callOptions: CallOptionsOf = () => {
      requests += 1;
      return this.#callOptions();
    };
    const report = (error?: KmsCodecError, refused?: number) =>
      this.#observer.kmsCall?.({
        operation,
        key,
        ...(keyVersion !== undefined && { keyVersion: refused ?? keyVersion }),
        milliseconds: performance.now() - start,
        requests,
        ...(error && { code: error.code, message: error.message }),
      });
    for (let repeats = 0; ; repeats += 1) {
      const timer = new WaitTimer();
      try {
        const result = await run(await this.#google.ready(key), callOptions);
        report();
        return result;
      } catch (error) {
        const refused = refusedVersion(error);
        const version = refused ?? keyVersion;
        const state = isFailedPrecondition(error)
          ? await this.#stateOf(key, version, callOptions).catch(() => undefined)
          : undefined;
        const mapped = mapKmsError(error, operation, key, version, state);
        // The deadline passed while this process was stalled and could not read the response, so this is not
        // an outage of Cloud KMS.
        const wasStalled = timer.stalledMs > timer.waitedMs;
        if (mapped.code === 'kms_unavailable' && wasStalled && repeats < MAX_REPEATS) continue;
        if (isDeadlineExceeded(error)) this.#google.replace();
        report(mapped, refused);
        throw mapped;
      } finally {
        timer.stop();
      }
    }
  }

  /**
   * Looks up a key version's state, which an error does not always contain. Throws if this identity lacks the
   * permission, which is optional.
   */
  async #stateOf(
    key: string,
    keyVersion: number | undefined,
    callOptions: CallOptionsOf,
  ): Promise<KeyVersionState | undefined> {
    const client = await this.#google.ready(key);
    if (keyVersion === undefined) {
      const [cryptoKey] = await client.getCryptoKey({ name: key }, callOptions());
      // Stryker disable next-line OptionalChaining: the caller ignores the error.
      return cryptoKey.primary?.state?.toString();
    }
    const name = `${key}/cryptoKeyVersions/${keyVersion}`;
    const [version] = await client.getCryptoKeyVersion({ name }, callOptions());
    // Stryker disable next-line OptionalChaining: the caller ignores the error.
    return version.state?.toString();
  }

  async #checkSize(key: string, bytes: number): Promise<void> {
    if (bytes <= HSM_LIMIT) return;
    let limit = SOFTWARE_LIMIT;
    if (bytes <= SOFTWARE_LIMIT && (await this.#protectionLevel(key)).startsWith('HSM')) limit = HSM_LIMIT;
    if (bytes <= limit) return;
    throw tooLarge(key, bytes, limit);
  }

  async #protectionLevel(key: string): Promise<string> {
    const known = this.#protectionLevels.get(key);
    if (known) return known;
    try {
      const client = await this.#google.ready(key);
      const [cryptoKey] = await client.getCryptoKey({ name: key }, this.#callOptions());
      const level = String(cryptoKey.versionTemplate?.protectionLevel);
      this.#protectionLevels.set(key, level);
      return level;
    } catch {
      // An identity that may only encrypt learns the protection level from its first response to `wrap`.
      // Stryker disable next-line StringLiteral: only levels that start with HSM have an effect.
      return 'PROTECTION_LEVEL_UNSPECIFIED';
    }
  }
}

const tooLarge = (key: string, bytes: number, limit: number) =>
  new KmsCodecError(
    'too_large',
    `Cloud KMS encrypts at most ${limit / KIB} KiB per call with ${key}, but the payload has ${bytes} bytes: use an envelope format`,
    { key },
  );

const checksum = (bytes: Uint8Array): number => CRC32C.buf(bytes) >>> 0;
const crc = (bytes: Uint8Array) => ({ value: checksum(bytes) });

const aadFields = (aad: Uint8Array) =>
  aad.length === 0 ? {} : { additionalAuthenticatedData: aad, additionalAuthenticatedDataCrc32c: crc(aad) };

const checksumMismatch = (key: string) =>
  new KmsCodecError('checksum_mismatch', `A Cloud KMS response for ${key} was damaged in transit`, { key });

/**
 * Returns bytes from a response. gax returns Buffers. gax's types also allow base64 strings, which only REST
 * returns.
 */
function bytesOf(value: string | Uint8Array | null | undefined): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value, 'base64') : (value ?? new Uint8Array());
}

const versionNumber = (name: string): number => Number(name.slice(name.lastIndexOf('/') + 1));

interface Timestamp {
  readonly seconds?: unknown;
  readonly nanos?: number | null;
}

const date = (time: Timestamp | null | undefined): Date | undefined =>
  time ? new Date(Number(time.seconds) * 1000 + (time.nanos ?? 0) / 1e6) : undefined;
