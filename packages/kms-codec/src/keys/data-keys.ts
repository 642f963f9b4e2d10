import type { Observer } from '../observer.ts';
import { DecryptionKeys } from './decryption-keys.ts';
import { EncryptionKeys } from './encryption-keys.ts';
import type { KeyService } from './key-service.ts';
import { KeyedSemaphore } from './keyed-semaphore.ts';
import type { DataKeyLimits } from './limits.ts';
import { SingleFlight } from './single-flight.ts';
import type { WaitBudget } from './wait-budget.ts';

/** The keys of a process: those for encryption, the cache for decryption, and calls without a data key. */
export class DataKeys {
  readonly encryption: EncryptionKeys;
  readonly decryption: DecryptionKeys;
  readonly direct: DirectCalls;

  constructor(keyService: KeyService, limits: DataKeyLimits, observer: Observer, now: () => number) {
    const semaphore = new KeyedSemaphore(limits.callsInFlight);
    this.direct = new DirectCalls(keyService, semaphore, observer);
    this.decryption = new DecryptionKeys(keyService, semaphore, limits, observer, now);
    this.encryption = new EncryptionKeys(keyService, semaphore, this.decryption, limits, observer, now);
  }

  /** Refreshes and revalidates the keys that are due, and removes those that are too old. */
  maintain(): void {
    this.decryption.maintain();
    this.encryption.maintain();
  }

  clear(): void {
    this.decryption.clear();
    this.encryption.clear();
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
