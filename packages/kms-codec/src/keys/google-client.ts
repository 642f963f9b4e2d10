import { KeyManagementServiceClient } from '@google-cloud/kms';
import { KmsCodecError } from '../errors.ts';
import { withResolvers } from '../maybe-promise.ts';
import { emulatorOptions } from './emulator-options.ts';
import { isTokenRefusal } from './token-refusal.ts';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';

/** The client that this file imports, and no other file of the library. */
export type KmsClient = KeyManagementServiceClient;

type ClientOptions = NonNullable<ConstructorParameters<typeof KeyManagementServiceClient>[0]>;

/**
 * How long missing credentials are cached. Creating Google's client costs about 12 ms of CPU, and each waiting call retries
 * several times per second.
 */
const MISSING_MS = 1_000;

/**
 * The longest delay before another attempt to connect. gRPC's default is two minutes: an outage would last longer for this process
 * than for Cloud KMS. Name resolution and connection each have this delay, and gRPC adds up to a fifth.
 */
const MAX_RECONNECT_MS = 2_000;

/**
 * How often a client is replaced, at most. gRPC does not close the socket of a connection that is given up before its handshake
 * has completed, so a longer outage must not leave many.
 */
const REPLACE_EVERY_MS = 10_000;

/** The audience of the tokens that a service account with a key file signs itself. */
const AUDIENCE = 'https://cloudkms.googleapis.com/';

/** Google's client, with its credentials and an access token. */
export class GoogleClient {
  readonly #isEmulator: boolean;
  readonly #timeoutMs: number;
  readonly #options: ClientOptions;
  #client: KmsClient | undefined;
  /** The credentials and the token of a client that was replaced. */
  #auth: KmsClient['auth'] | undefined;
  /** On the clock of `performance.now()`: credentials are not looked up again before this time. */
  #missingUntil = 0;
  /** On the same clock: the client is not replaced before this time. */
  #replaceAfter = 0;

  /** @throws KmsConfigurationError for an emulator that is not on loopback or is used in production */
  constructor(emulatorHost: string | undefined, timeoutMs: number) {
    this.#isEmulator = Boolean(emulatorHost);
    this.#timeoutMs = timeoutMs;
    this.#options = {
      ...(emulatorHost && emulatorOptions(emulatorHost)),
      'grpc.max_reconnect_backoff_ms': MAX_RECONNECT_MS,
    };
  }

  /**
   * Returns the client once it has its credentials and a valid token. Its methods would also get both, but they do not handle
   * missing credentials, which end the process, cache that they are missing, and do not report that a token was refused.
   * @throws KmsCodecError `kms_unavailable` while there are no credentials or no answer, `permission_denied` for a refusal
   */
  async ready(key: string): Promise<KmsClient> {
    if (performance.now() < this.#missingUntil) throw credentialsMissing(key);
    const client = (this.#client ??= this.#create());
    const timer = new WaitTimer();
    try {
      await within(this.#timeoutMs, client.initialize());
    } catch (error) {
      // It continues, and later calls wait for it too.
      if (error instanceof TooLate) throw tokenMissing(key);
      const isRefusal = isTokenRefusal(error);
      if (this.#client === client) {
        this.#client = undefined;
        const wasStalled = timer.stalledMs > timer.waitedMs;
        if (!wasStalled && !isRefusal) this.#missingUntil = performance.now() + MISSING_MS;
      }
      throw isRefusal ? tokenRefused(key) : credentialsMissing(key);
    } finally {
      timer.stop();
    }
    if (!this.#isEmulator) await this.#getToken(client, key);
    return client;
  }

  /**
   * Opens another connection for later calls, because nothing arrived on this one before the deadline of a call. gRPC would keep
   * it, and a handshake too, until the operating system reports an error, which can take a quarter of an hour.
   */
  replace(): void {
    const client = this.#client;
    if (client === undefined || performance.now() < this.#replaceAfter) return;
    this.#replaceAfter = performance.now() + REPLACE_EVERY_MS;
    this.#auth = client.auth;
    this.#client = undefined;
    // Calls in progress still get their responses.
    client.close().catch(() => undefined);
  }

  async close(): Promise<void> {
    const client = this.#client;
    if (client === undefined) return;
    // Without credentials the client has opened no connection.
    const closing = client.initialize().then(
      () => client.close(),
      () => undefined,
    );
    try {
      await within(this.#timeoutMs, closing);
    } catch (error) {
      if (!(error instanceof TooLate)) throw error;
    }
  }

  #create(): KmsClient {
    return new KeyManagementServiceClient({ ...this.#options, ...(this.#auth && { auth: this.#auth }) });
  }

  async #getToken(client: KmsClient, key: string): Promise<void> {
    try {
      await within(this.#timeoutMs, client.auth.getRequestHeaders(AUDIENCE));
    } catch (error) {
      throw isTokenRefusal(error) ? tokenRefused(key) : tokenMissing(key);
    }
  }
}

class TooLate extends Error {}

/** Waits for a promise. @throws TooLate after the time limit, see {@link WaitTimer} */
async function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = withResolvers<never>();
  const timer = new WaitTimer(limitMs, () => reject(new TooLate()));
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.stop();
  }
}

// The messages of Google's libraries are left out, because they may name files and addresses.

const credentialsMissing = (key: string) =>
  new KmsCodecError(
    'kms_unavailable',
    "Google's credentials are not available: attach a service account, or set GOOGLE_APPLICATION_CREDENTIALS to a file " +
      'that can be read',
    { key },
  );

const tokenMissing = (key: string) =>
  new KmsCodecError(
    'kms_unavailable',
    `Google issued no access token for ${key}: check the network to the metadata server or the token endpoint`,
    { key },
  );

const tokenRefused = (key: string) =>
  new KmsCodecError(
    'permission_denied',
    `Google refuses this identity an access token for ${key}: check that its service account exists and is enabled, and its ` +
      'Workload Identity binding',
    { key },
  );
