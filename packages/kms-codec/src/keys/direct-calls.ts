import type { Observer } from '../observer.ts';
import type { CallLanes } from './call-lanes.ts';
import type { KeyService } from './key-service.ts';
import type { WaitBudget } from './wait-budget.ts';
import { SingleFlight } from './single-flight.ts';

const none = new Uint8Array();

/**
 * Whole payloads through Cloud KMS, for the guide's direct format: each call is its own, and tries again within its
 * caller's budget as the calls for data keys do.
 */
export class DirectCalls {
  readonly #keyService: KeyService;
  readonly #lanes: CallLanes;
  readonly #flights: SingleFlight<Uint8Array>;
  #next = 0;

  constructor(keyService: KeyService, lanes: CallLanes, observer: Observer) {
    this.#keyService = keyService;
    this.#lanes = lanes;
    this.#flights = new SingleFlight(observer);
  }

  wrap(namespace: string, key: string, plaintext: Uint8Array, waitBudget: WaitBudget): Promise<Uint8Array> {
    return this.#alone(namespace, key, waitBudget, async () => {
      const { ciphertext } = await this.#keyService.wrap({ key, plaintext, aad: none });
      return ciphertext;
    });
  }

  unwrap(
    namespace: string,
    key: string,
    ciphertext: Uint8Array,
    waitBudget: WaitBudget,
  ): Promise<Uint8Array> {
    return this.#alone(namespace, key, waitBudget, () =>
      this.#keyService.unwrap({ key, ciphertext, aad: none }),
    );
  }

  #alone(
    namespace: string,
    key: string,
    waitBudget: WaitBudget,
    attempt: () => Promise<Uint8Array>,
  ): Promise<Uint8Array> {
    this.#next += 1;
    return this.#flights.join(String(this.#next), key, waitBudget, (unwanted) =>
      this.#lanes.run(namespace, unwanted, attempt),
    );
  }
}
