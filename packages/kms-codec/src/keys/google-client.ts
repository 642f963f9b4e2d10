import { KeyManagementServiceClient } from '@google-cloud/kms';
import { KmsCodecError } from '../errors.ts';
import { withResolvers } from '../maybe-promise.ts';
import { emulatorOptions } from './emulator-options.ts';
import { isTokenRefusal } from './token-refusal.ts';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';

/** Google's client. No other file of this library imports Google's client library. */
export type KmsClient = KeyManagementServiceClient;

type ClientOptions = NonNullable<ConstructorParameters<typeof KeyManagementServiceClient>[0]>;

/**
 * How long the absence of credentials is cached, in ms. Creating Google's client takes about 12 ms of CPU
 * time, and each waiting call retries several times per second.
 */
const MISSING_MS = 1_000;

/**
 * Maximum delay between connection attempts, in ms. With gRPC's default of two minutes, an outage would last
 * longer for this process than for Cloud KMS. The delay applies to name resolution and to the connection
 * separately, and gRPC adds up to 20 %.
 */
const MAX_RECONNECT_MS = 2_000;

/**
 * Minimum time between two replacements of the client, in ms. gRPC leaves a connection's socket open if the
 * client is closed before the handshake has completed. More frequent replacements in a long outage would
 * leave many open sockets.
 */
const REPLACE_EVERY_MS = 10_000;

/** Provides Google's client once it has credentials and an access token. */
export class GoogleClient {
  readonly #isEmulator: boolean;
  readonly #timeoutMs: number;
  readonly #options: ClientOptions;
  #client: KmsClient | undefined;
  /** The credentials and the token of the previous client, which its replacement reuses. */
  #auth: KmsClient['auth'] | undefined;
  /** Credentials are not looked up again before this time (on the clock of `performance.now()`). */
  #missingUntil = 0;
  /** The client is not replaced before this time (on the clock of `performance.now()`). */
  #replaceAfter = 0;

  /** @throws KmsConfigurationError if the emulator is not on loopback or is used in production */
  constructor(emulatorHost: string | undefined, timeoutMs: number) {
    this.#isEmulator = Boolean(emulatorHost);
    this.#timeoutMs = timeoutMs;
    this.#options = {
      ...(emulatorHost && emulatorOptions(emulatorHost)),
      'grpc.max_reconnect_backoff_ms': MAX_RECONNECT_MS,
    };
  }

  /**
   * Returns the client once it has credentials and a valid token. The client's own methods would also obtain
   * both. However, if credentials are missing, these methods cause an unhandled error that ends the process,
   * and cache the failure forever. The client's methods also do not report that Google refused a token.
   * @throws KmsCodecError `kms_unavailable` if there are no credentials, or Google does not respond;
   *   `permission_denied` if Google refuses a token
   */
  async ready(key: string): Promise<KmsClient> {
    if (performance.now() < this.#missingUntil) throw credentialsMissing(key);
    const client = (this.#client ??= this.#create());
    const timer = new WaitTimer();
    try {
      await within(this.#timeoutMs, client.initialize());
    } catch (error) {
      // The initialization continues, and later calls wait for it.
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
   * Opens another connection for later calls, after a call's deadline has passed without a response. gRPC
   * would keep the dead connection, or an unfinished handshake, until the operating system reports an error,
   * which can take 15 minutes.
   */
  replace(): void {
    const client = this.#client;
    if (client === undefined || performance.now() < this.#replaceAfter) return;
    this.#replaceAfter = performance.now() + REPLACE_EVERY_MS;
    this.#auth = client.auth;
    this.#client = undefined;
    // Calls in progress still receive their responses.
    client.close().catch(() => undefined);
  }

  async close(): Promise<void> {
    const client = this.#client;
    if (client === undefined) return;
    // If initialization fails, the client has opened no connection that must be closed.
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
      await within(this.#timeoutMs, client.auth.getRequestHeaders());
    } catch (error) {
      throw isTokenRefusal(error) ? tokenRefused(key) : tokenMissing(key);
    }
  }
}

class TooLate extends Error {}

/** Waits for a promise. @throws TooLate after the time limit (see {@link WaitTimer}) */
async function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = withResolvers<never>();
  const timer = new WaitTimer(limitMs, () => reject(new TooLate()));
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.stop();
  }
}

// These errors omit the messages of Google's libraries, because those messages can name files and network
// addresses.

const credentialsMissing = (key: string) =>
  new KmsCodecError(
    'kms_unavailable',
    "Google's credentials are not available: attach a service account, or set GOOGLE_APPLICATION_CREDENTIALS to a " +
      'readable file',
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
    `Google refused to issue an access token for ${key}: check that the service account exists and is enabled, and check the ` +
      'Workload Identity binding',
    { key },
  );
