import { GuardedStore } from '../branch-keys/guarded-store.ts';
import type { BranchKeyStore } from '../branch-keys/store.ts';
import type { Observer } from '../observer.ts';
import { BranchKeyReader } from '../branch-keys/branch-key-reader.ts';
import { type Clocks, elapsedClock } from './clock.ts';
import { DecryptionKeys } from './decryption-keys.ts';
import { EncryptionKeys } from './encryption-keys.ts';
import type { KeyService } from './key-service.ts';
import { KeyedSemaphore } from './keyed-semaphore.ts';
import type { DataKeyLimits } from './limits.ts';
import { type DataKeyScope, hasBranchKeys } from './scope-key.ts';
import { SharedBranchKeys } from '../branch-keys/shared-branch-keys.ts';
import { SingleFlight } from './single-flight.ts';
import type { CallCount, WaitBudget } from './wait-budget.ts';
import { WatchedKeyService } from './watched-key-service.ts';

/** The keys of a process: those for encryption, the cache for decryption, and calls without a data key. */
export class DataKeys {
  readonly keyService: WatchedKeyService;
  readonly encryption: EncryptionKeys;
  readonly decryption: DecryptionKeys;
  readonly direct: DirectCalls;
  /** The calls of `encode` and `decode` that wait for Cloud KMS. */
  readonly calls: CallCount = { waiting: 0 };
  readonly #shared: SharedBranchKeys | undefined;
  readonly #reader: BranchKeyReader | undefined;

  /**
   * @param denies whether the configuration denies a wrapped key
   * @param store absent: this process shares its branch keys with no other
   */
  constructor(
    keyService: KeyService,
    limits: DataKeyLimits,
    observer: Observer,
    clocks: Clocks,
    denies: (wrapped: Uint8Array) => boolean,
    store?: BranchKeyStore,
  ) {
    const semaphore = new KeyedSemaphore(limits.callsInFlight);
    const now = elapsedClock(clocks);
    const watched = new WatchedKeyService(keyService, now);
    this.keyService = watched;
    this.direct = new DirectCalls(watched, semaphore, observer);
    this.decryption = new DecryptionKeys(watched, semaphore, limits, observer, now);
    const guarded = store && new GuardedStore(store, observer, now);
    const shared =
      guarded && new SharedBranchKeys(guarded, this.decryption, limits, observer, now, clocks.wall, denies);
    this.#shared = shared;
    this.#reader = shared && new BranchKeyReader(shared, limits.maxEncryptionKeys, now);
    this.encryption = new EncryptionKeys(
      watched,
      semaphore,
      this.decryption,
      limits,
      observer,
      now,
      clocks.wall,
      shared,
    );
  }

  /** Refreshes and revalidates the keys that are due, and removes those that are too old. */
  maintain(): void {
    this.decryption.maintain();
    this.encryption.maintain();
    this.#reader?.maintain((scope) => this.encryption.has(scope));
  }

  /** Prepares to read the messages of a scope that the fleet will write. @param scope absent where nothing is encrypted */
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

/** Cloud KMS calls that encrypt or decrypt a whole payload, for the format `direct`. Retried as calls for data keys are. */
export class DirectCalls {
  readonly #keyService: KeyService;
  readonly #semaphore: KeyedSemaphore;
  readonly #flights: SingleFlight<Uint8Array>;
  #calls = 0;

  constructor(keyService: KeyService, semaphore: KeyedSemaphore, observer: Observer) {
    this.#keyService = keyService;
    this.#semaphore = semaphore;
    this.#flights = new SingleFlight(observer);
  }

  encrypt(
    namespace: string,
    key: string,
    plaintext: Uint8Array,
    waitBudget: WaitBudget,
  ): Promise<Uint8Array> {
    return this.#call(namespace, key, waitBudget, async () => {
      const { ciphertext } = await this.#keyService.wrap({ key, plaintext, aad: noAad });
      return ciphertext;
    });
  }

  decrypt(
    namespace: string,
    key: string,
    ciphertext: Uint8Array,
    waitBudget: WaitBudget,
  ): Promise<Uint8Array> {
    return this.#call(namespace, key, waitBudget, () =>
      this.#keyService.unwrap({ key, ciphertext, aad: noAad }),
    );
  }

  #call(
    namespace: string,
    key: string,
    waitBudget: WaitBudget,
    attempt: () => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    // Its own id: no two calls share an answer.
    this.#calls += 1;
    return this.#flights.join(String(this.#calls), key, waitBudget, (signal) =>
      this.#semaphore.run(namespace, signal, attempt),
    );
  }
}
