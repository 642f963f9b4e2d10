import { KeyManagementServiceClient, type protos } from '@google-cloud/kms';
import CRC32C from 'crc-32/crc32c.js';
import { grpc } from 'google-gax';
import { refuseDiagnostics } from '../diagnostics.ts';
import { KmsCodecError } from '../errors.ts';
import type { KmsCall, Observer } from '../observer.ts';
import type {
  KeyDescription,
  KeyService,
  KeyVersionState,
  UnwrapRequest,
  Wrapped,
  WrapRequest,
} from './key-service.ts';
import { isFailedPrecondition, isInvalidArgument, mapKmsError } from './kms-errors.ts';
import { WaitTimer } from './wait-timer.ts';

export interface CloudKmsOptions {
  /** `host:port` of an emulator, loopback only; nothing is protected by Google then. */
  readonly emulatorHost?: string | undefined;
  /** Deadline of one attempt; the client's own default is 60 s. Default 3,000. */
  readonly attemptTimeoutMs?: number;
  readonly observer?: Observer;
}

/** Options of one request to Cloud KMS. Call it once for each request: it counts them. */
type CallOptionsOf = () => { readonly timeout: number; readonly retry: null };

type ClientOptions = NonNullable<ConstructorParameters<typeof KeyManagementServiceClient>[0]>;

const KIB = 1024;
const SOFTWARE_LIMIT = 64 * KIB;
/** Plaintext and additional authenticated data together, for keys in an HSM. */
const HSM_LIMIT = 8 * KIB;

/** A client of Google's costs some 12 ms of CPU, and every call that is waited for tries again several times a second. */
const MISSING_MS = 1_000;

/** How often a call is repeated because this process stood still, before its failure is reported after all. */
const MAX_REPEATS = 3;

/**
 * Cloud KMS through Google's client: the only file that imports it. Each method makes one attempt (a second one where
 * Google's data integrity guide asks for it, or where this process stood still during the first); waiting and trying again belong to who knows how long that may take.
 * @see https://cloud.google.com/kms/docs/data-integrity-guidelines
 */
export class CloudKms implements KeyService {
  readonly #clientOptions: ClientOptions;
  #client: KeyManagementServiceClient | undefined;
  /** On the clock of `performance.now()`: until then the credentials aren't looked for again. */
  #missingUntil = 0;
  readonly #timeout: number;
  readonly #observer: Observer;
  readonly #protectionLevels = new Map<string, string>();

  /** @throws Error when the process is started so that Node or Google's client would expose data keys */
  constructor(options: CloudKmsOptions = {}) {
    refuseDiagnostics({ emulatorHost: options.emulatorHost });
    this.#timeout = options.attemptTimeoutMs ?? 3_000;
    this.#observer = options.observer ?? {};
    this.#clientOptions = options.emulatorHost ? emulator(options.emulatorHost) : {};
  }

  async wrap({ key, plaintext, aad }: WrapRequest): Promise<Wrapped> {
    await this.#checkSize(key, plaintext.length + aad.length);
    return await this.#call('wrap', key, undefined, async (client, callOptions) => {
      const [response] = await client.encrypt(
        { name: key, plaintext, plaintextCrc32c: crc(plaintext), ...aadFields(aad) },
        callOptions(),
      );
      const ciphertext = bytesOf(response.ciphertext);
      const version = /\/cryptoKeyVersions\/(\d+)$/.exec(response.name ?? '');
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
    const attempt = async (client: KeyManagementServiceClient, callOptions: CallOptionsOf) => {
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
        // It also means that a checksum was damaged on the way: one more try with fresh ones before it counts.
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
        primary: primary ? versionNumber(primary) : undefined,
        protectionLevel: cryptoKey.versionTemplate?.protectionLevel?.toString(),
        rotationPeriodSeconds: cryptoKey.rotationPeriod
          ? Number(cryptoKey.rotationPeriod.seconds)
          : undefined,
        nextRotation: date(cryptoKey.nextRotationTime),
        versions: versions.map((version) => ({
          version: versionNumber(version.name ?? ''),
          state: String(version.state),
          created: date(version.createTime),
          destroyTime: date(version.destroyTime),
        })),
      };
    });
  }

  async close(): Promise<void> {
    const client = this.#client;
    try {
      await client?.initialize();
    } catch {
      // Without credentials it has opened nothing.
      return;
    }
    await client?.close();
  }

  // gax's own retries are off: when they run out they report DEADLINE_EXCEEDED and hide the cause.
  #callOptions() {
    return { timeout: this.#timeout, retry: null };
  }

  /**
   * Google's client, with its credentials. It is started here and not by its methods: those leave the failure unheard,
   * which ends the process, and keep it for good, so that credentials that come later would never be read.
   * @throws KmsCodecError `kms_unavailable` while there are no credentials
   */
  async #started(key: string): Promise<KeyManagementServiceClient> {
    if (performance.now() < this.#missingUntil) throw credentialsMissing(key);
    const client = (this.#client ??= new KeyManagementServiceClient(this.#clientOptions));
    const timer = new WaitTimer();
    try {
      await client.initialize();
      return client;
    } catch {
      if (this.#client === client) {
        this.#client = undefined;
        const wasStalled = timer.stalledMs > timer.waitedMs;
        if (!wasStalled) this.#missingUntil = performance.now() + MISSING_MS;
      }
      throw credentialsMissing(key);
    } finally {
      timer.stop();
    }
  }

  async #call<T>(
    operation: KmsCall['operation'],
    key: string,
    keyVersion: number | undefined,
    run: (client: KeyManagementServiceClient, callOptions: CallOptionsOf) => Promise<T>,
  ): Promise<T> {
    const start = performance.now();
    let requests = 0;
    const callOptions: CallOptionsOf = () => {
      requests += 1;
      return this.#callOptions();
    };
    const report = (error?: KmsCodecError) =>
      this.#observer.kmsCall?.({
        operation,
        key,
        milliseconds: performance.now() - start,
        requests,
        ...(error && { code: error.code, message: error.message }),
      });
    for (let repeats = 0; ; repeats += 1) {
      const timer = new WaitTimer();
      try {
        const result = await run(await this.#started(key), callOptions);
        report();
        return result;
      } catch (error) {
        const state = isFailedPrecondition(error)
          ? await this.#stateOf(key, keyVersion, callOptions)
          : undefined;
        const mapped = mapKmsError(error, operation, key, keyVersion, state);
        // A deadline that passed while this process could not read the answer says nothing about Cloud KMS.
        const wasStalled = timer.stalledMs > timer.waitedMs;
        if (mapped.code === 'kms_unavailable' && wasStalled && repeats < MAX_REPEATS) continue;
        report(mapped);
        throw mapped;
      } finally {
        timer.stop();
      }
    }
  }

  /** A refusal doesn't always say what became of the version; whoever may look at it gets the exact code. */
  async #stateOf(
    key: string,
    keyVersion: number | undefined,
    callOptions: CallOptionsOf,
  ): Promise<KeyVersionState | undefined> {
    try {
      const client = await this.#started(key);
      if (keyVersion === undefined) {
        const [cryptoKey] = await client.getCryptoKey({ name: key }, callOptions());
        return cryptoKey.primary?.state?.toString();
      }
      const name = `${key}/cryptoKeyVersions/${keyVersion}`;
      const [version] = await client.getCryptoKeyVersion({ name }, callOptions());
      return version.state?.toString();
    } catch {
      return undefined;
    }
  }

  async #checkSize(key: string, bytes: number): Promise<void> {
    if (bytes <= HSM_LIMIT) return;
    let limit = SOFTWARE_LIMIT;
    if (bytes <= SOFTWARE_LIMIT && (await this.#protectionLevel(key)).startsWith('HSM')) limit = HSM_LIMIT;
    if (bytes <= limit) return;
    throw new KmsCodecError(
      'too_large',
      `${bytes} bytes are more than Cloud KMS encrypts in one call with ${key} (${limit / KIB} KiB): use an envelope format`,
      { key },
    );
  }

  async #protectionLevel(key: string): Promise<string> {
    const known = this.#protectionLevels.get(key);
    if (known) return known;
    try {
      const client = await this.#started(key);
      const [cryptoKey] = await client.getCryptoKey({ name: key }, this.#callOptions());
      const level = String(cryptoKey.versionTemplate?.protectionLevel);
      this.#protectionLevels.set(key, level);
      return level;
    } catch {
      // Whoever may only encrypt learns the level from the first answer.
      return 'PROTECTION_LEVEL_UNSPECIFIED';
    }
  }
}

function emulator(address: string) {
  const url = new URL(`http://${address}`);
  return {
    apiEndpoint: url.hostname,
    port: Number(url.port),
    sslCreds: grpc.credentials.createInsecure(),
    // Without it the client asks the metadata server of a machine in Google's cloud, even with an insecure channel.
    clientOptions: { universeDomain: 'googleapis.com' },
  };
}

const checksum = (bytes: Uint8Array): number => CRC32C.buf(bytes) >>> 0;
const crc = (bytes: Uint8Array) => ({ value: checksum(bytes) });

const aadFields = (aad: Uint8Array) =>
  aad.length === 0 ? {} : { additionalAuthenticatedData: aad, additionalAuthenticatedDataCrc32c: crc(aad) };

/** Without what Google's client says: it may name files and addresses. */
const credentialsMissing = (key: string) =>
  new KmsCodecError(
    'kms_unavailable',
    "Google's credentials can't be had: attach a service account, or let GOOGLE_APPLICATION_CREDENTIALS name a file " +
      'that can be read',
    { key },
  );

const checksumMismatch = (key: string) =>
  new KmsCodecError('checksum_mismatch', `An answer of Cloud KMS for ${key} was damaged on the way`, { key });

/** gax gives bytes as Buffers; its types allow base64 strings, which only REST would give. */
function bytesOf(value: string | Uint8Array | null | undefined): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value, 'base64') : (value ?? new Uint8Array());
}

const versionNumber = (name: string): number => Number(name.slice(name.lastIndexOf('/') + 1));

const date = (time: protos.google.protobuf.ITimestamp | null | undefined): Date | undefined =>
  time ? new Date(Number(time.seconds) * 1000 + (time.nanos ?? 0) / 1e6) : undefined;
