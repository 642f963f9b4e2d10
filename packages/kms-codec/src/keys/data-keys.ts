import { GuardedStore } from '../branch-keys/guarded-store.ts';
import type { BranchKeyStore } from '../branch-keys/store.ts';
import type { Observer } from '../observer.ts';
import { BranchKeyReader } from './branch-key-reader.ts';
import { DecryptionKeys } from './decryption-keys.ts';
import { EncryptionKeys } from './encryption-keys.ts';
import type { KeyService } from './key-service.ts';
import { KeyedSemaphore } from './keyed-semaphore.ts';
import type { DataKeyLimits } from './limits.ts';
import { type DataKeyScope, hasBranchKeys } from './scope-key.ts';
import { SharedBranchKeys } from './shared-branch-keys.ts';
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
    now: () => number,
    denies: (wrapped: Uint8Array) => boolean,
    store?: BranchKeyStore,
  ) {
    const semaphore = new KeyedSemaphore(limits.callsInFlight);
    const elapsed = withoutStepsBack(now);
    const watched = new WatchedKeyService(keyService, elapsed);
    this.keyService = watched;
    this.direct = new DirectCalls(watched, semaphore, observer);
    this.decryption = new DecryptionKeys(watched, semaphore, limits, observer, elapsed);
    const guarded = store && new GuardedStore(store, observer, now);
    const shared = guarded && new SharedBranchKeys(guarded, this.decryption, limits, observer, now, denies);
    this.#shared = shared;
    this.#reader = shared && new BranchKeyReader(shared, limits.maxEncryptionKeys, now);
    this.encryption = new EncryptionKeys(
      watched,
      semaphore,
      this.decryption,
      limits,
      observer,
      // Processes that share branch keys compare their dates, for which each needs the time of day.
      shared ? now : elapsed,
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

/**
 * Returns a clock that continues from its last reading when the given clock is set back: otherwise keys would be used for longer.
 * The monotonic clock is no alternative, because it stops while the machine is suspended. `maintain` reads the clock every
 * 15 s, so the result is slow by at most 15 s for each step back.
 */
function withoutStepsBack(now: () => number): () => number {
  let last = now();
  let lost = 0;
  return () => {
    const time = now();
    lost += Math.max(0, last - time);
    last = time;
    return time + lost;
  };
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
