import { unlessAborted } from '../unless-aborted.ts';

interface Shared<T> {
  readonly promise: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * Lets callers that want the same thing at the same time share one call. One that goes away leaves the call to the
 * others; when the last has gone the call is aborted.
 */
export class SharedCalls<T> {
  readonly #calls = new Map<string, Shared<T>>();

  async join(key: string, signal: AbortSignal, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const call = this.#calls.get(key) ?? this.#start(key, start);
    call.waiting += 1;
    try {
      return await unlessAborted(call.promise, signal);
    } finally {
      call.waiting -= 1;
      if (call.waiting === 0 && this.#calls.get(key) === call) {
        this.#calls.delete(key);
        call.controller.abort();
      }
    }
  }

  #start(key: string, start: (signal: AbortSignal) => Promise<T>): Shared<T> {
    const controller = new AbortController();
    const call: Shared<T> = { promise: start(controller.signal), controller, waiting: 0 };
    const forget = (): void => this.#forget(key, call);
    call.promise.then(forget, forget);
    this.#calls.set(key, call);
    return call;
  }

  #forget(key: string, call: Shared<T>): void {
    if (this.#calls.get(key) === call) this.#calls.delete(key);
  }
}
