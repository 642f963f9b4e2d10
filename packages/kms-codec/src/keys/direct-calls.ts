import type { Observer } from '../observer.ts';
import type { KeyService } from './key-service.ts';
import { SingleFlight } from './single-flight.ts';

const none = new Uint8Array();

/**
 * Whole payloads through Cloud KMS, for the guide's direct format: each call is its own, and tries again within its
 * caller's budget as the calls for data keys do.
 */
export class DirectCalls {
  readonly #keyService: KeyService;
  readonly #flights: SingleFlight<Uint8Array>;
  #next = 0;

  constructor(keyService: KeyService, observer: Observer) {
    this.#keyService = keyService;
    this.#flights = new SingleFlight(observer);
  }

  wrap(key: string, plaintext: Uint8Array, budgetMs: number): Promise<Uint8Array> {
    return this.#alone(key, budgetMs, async () => {
      const { ciphertext } = await this.#keyService.wrap({ key, plaintext, aad: none });
      return ciphertext;
    });
  }

  unwrap(key: string, ciphertext: Uint8Array, budgetMs: number): Promise<Uint8Array> {
    return this.#alone(key, budgetMs, () => this.#keyService.unwrap({ key, ciphertext, aad: none }));
  }

  #alone(key: string, budgetMs: number, attempt: () => Promise<Uint8Array>): Promise<Uint8Array> {
    this.#next += 1;
    return this.#flights.join(String(this.#next), key, budgetMs, attempt);
  }
}
