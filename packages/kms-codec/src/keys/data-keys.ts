import { KeyedSemaphore } from '@temporal-kms/node-utils/keyed-semaphore';
import { GuardedStore } from '../branch-keys/guarded-store.ts';
import type { BranchKeyStore } from '../branch-keys/store.ts';
import type { Ciphertext } from '../crypto/aead.ts';
import type { Unencrypted } from '../crypto/plaintext.ts';
import { BranchKeyReader } from './branch-key-reader.ts';
import { type Clocks, elapsedClock } from './clock.ts';
import { DecryptionKeys } from './decryption-keys.ts';
import { EncryptionKeys } from './encryption-keys.ts';
import type { KeyContext } from './key-context.ts';
import type { KeyService } from './key-service.ts';
import { type DataKeyScope, hasBranchKeys } from './scope-key.ts';
import { SharedBranchKeys } from './shared-branch-keys.ts';
import { SingleFlight } from './single-flight.ts';
import type { CallCount, WaitBudget } from './wait-budget.ts';
import { WatchedKeyService } from './watched-key-service.ts';

/**
 * A process's encryption keys and decryption keys, and its direct calls to Cloud KMS, which use no data key.
 */
export class DataKeys {
  readonly keyService: WatchedKeyService;
  readonly encryption: EncryptionKeys;
  readonly decryption: DecryptionKeys;
  readonly direct: DirectCalls;
  /** Counts the `encode` and `decode` calls that are waiting for Cloud KMS. */
  readonly calls: CallCount = { waiting: 0 };
  readonly #shared: SharedBranchKeys | undefined;
  readonly #reader: BranchKeyReader | undefined;

  /** @param store if absent, this process does not share its branch keys */
  constructor(
    given: Pick<KeyContext, 'limits' | 'observer' | 'denies'> & {
      readonly keyService: Pick<KeyService, 'wrap' | 'unwrap'>;
    },
    clocks: Clocks,
    store?: BranchKeyStore,
  ) {
    const { limits, observer } = given;
    const now = elapsedClock(clocks);
    this.keyService = new WatchedKeyService(given.keyService, now);
    const semaphore = new KeyedSemaphore(limits.callsInFlight);
    const context = { ...given, keyService: this.keyService, semaphore, now, wall: clocks.wall };
    this.direct = new DirectCalls(context);
    this.decryption = new DecryptionKeys(context);
    if (store) {
      this.#shared = new SharedBranchKeys(context, this.decryption, new GuardedStore(store, observer, now));
      this.#reader = new BranchKeyReader(this.#shared, limits.maxEncryptionKeys, now);
    }
    this.encryption = new EncryptionKeys(context, this.decryption, this.#shared);
  }

  /** Refreshes and revalidates keys that are due, and removes keys that are too old. */
  maintain(): void {
    this.decryption.maintain();
    this.encryption.maintain();
    this.#reader?.maintain((scope) => this.encryption.has(scope));
  }

  /**
   * Prepares to read the messages that the fleet will write in a scope.
   * @param scope undefined if the rule only decrypts
   */
  willRead(scope: DataKeyScope | undefined): void {
    if (scope && hasBranchKeys(scope)) this.#reader?.follow(scope);
  }

  /** Removes all keys from memory and closes the store. */
  async close(): Promise<void> {
    this.decryption.clear();
    this.encryption.clear();
    await this.#shared?.close();
  }
}

const noAad = new Uint8Array();

/**
 * The Cloud KMS calls that encrypt or decrypt whole payloads, for the format `direct`. These calls are
 * retried like the calls for data keys.
 */
export class DirectCalls {
  readonly #context: KeyContext;
  readonly #flights: SingleFlight<Uint8Array>;
  #calls = 0;

  constructor(context: KeyContext) {
    this.#context = context;
    this.#flights = new SingleFlight(context.observer);
  }

  encrypt(
    namespace: string,
    key: string,
    plaintext: Unencrypted,
    waitBudget: WaitBudget,
  ): Promise<Ciphertext> {
    return this.#call(namespace, key, waitBudget, async () => {
      const { ciphertext } = await this.#context.keyService.wrap({ key, plaintext, aad: noAad });
      return ciphertext;
    });
  }

  decrypt(
    namespace: string,
    key: string,
    ciphertext: Ciphertext,
    waitBudget: WaitBudget,
  ): Promise<Uint8Array> {
    return this.#call(namespace, key, waitBudget, () =>
      this.#context.keyService.unwrap({ key, ciphertext, aad: noAad }),
    );
  }

  #call(
    namespace: string,
    key: string,
    waitBudget: WaitBudget,
    attempt: () => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    // Gives each call a unique id, because direct calls must not share responses.
    this.#calls += 1;
    return this.#flights.join(String(this.#calls), key, waitBudget, (signal) =>
      this.#context.semaphore.run(namespace, signal, attempt),
    );
  }
}
