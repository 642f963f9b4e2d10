import { setImmediate } from 'node:timers/promises';
import { type BranchKeyEntry, parseEntry } from '../../src/branch-keys/entry.ts';
import { ABSENT, type BranchKeyStore, type StoredValue } from '../../src/branch-keys/store.ts';
import { parseHeader } from '../../src/formats/envelope-v2-header.ts';
import type { Payload } from '../../src/formats/payload.ts';
import type { KmsCodec, KmsCodecOptions, Observer } from '../../src/index.ts';
import { codecWith, cryptoKey, inNamespace, json } from './codec.ts';
import { FakeKeyService } from './fake-key-service.ts';

export const minute = 60_000;
export const hour = 60 * minute;
export const rules = { pay: { encrypt: cryptoKey('pay') }, bill: { encrypt: cryptoKey('pay') } };
export const context = inNamespace('pay');

/** A store in memory, which counts its operations and fails on demand. */
export class MemoryStore implements BranchKeyStore {
  readonly values = new Map<string, StoredValue>();
  loads = 0;
  won = 0;
  lost = 0;
  /** While this is set, each `load` throws the error or awaits the promise. */
  loading: Error | Promise<never> | undefined;
  replacing: Error | Promise<never> | undefined;
  #generation = 0;

  async load(id: string): Promise<StoredValue | undefined> {
    this.loads += 1;
    await fail(this.loading);
    return this.values.get(id);
  }

  async replace(id: string, value: Uint8Array, expected: string): Promise<boolean> {
    await fail(this.replacing);
    if ((this.values.get(id)?.generation ?? ABSENT) !== expected) {
      this.lost += 1;
      return false;
    }
    this.won += 1;
    this.put(id, value);
    return true;
  }

  async close(): Promise<void> {
    // Does nothing, because the other codecs of the fleet still use the store.
  }

  put(id: string, value: Uint8Array): void {
    this.#generation += 1;
    this.values.set(id, { value, generation: String(this.#generation) });
  }

  /** The ids of all stored values. */
  get ids(): string[] {
    return [...this.values.keys()];
  }
}

/** A store that passes operations to another store, and can wait until all of them have ended. */
export class AwaitableStore implements BranchKeyStore {
  readonly #store: BranchKeyStore;
  #running = 0;

  constructor(store: BranchKeyStore) {
    this.#store = store;
  }

  load(id: string): Promise<StoredValue | undefined> {
    return this.#run(this.#store.load(id));
  }

  replace(id: string, value: Uint8Array, expected: string): Promise<boolean> {
    return this.#run(this.#store.replace(id, value, expected));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** Waits for the end of background work that needs only this store and no timer. */
  async settle(): Promise<void> {
    do await settle();
    while (this.#running > 0);
  }

  async #run<T>(operation: Promise<T>): Promise<T> {
    this.#running += 1;
    try {
      return await operation;
    } finally {
      this.#running -= 1;
    }
  }
}

async function fail(failure: Error | Promise<never> | undefined): Promise<void> {
  if (failure instanceof Error) throw failure;
  await failure;
}

/** Waits for the end of background work that needs no timer. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await setImmediate();
}

/** Returns the number of distinct values. */
export const distinct = (values: readonly unknown[]): number => new Set(values).size;

/** Returns the only entry of a store. */
export const entryIn = ({ values, ids }: MemoryStore): BranchKeyEntry =>
  parseEntry(values.get(ids[0]!)!.value);

/** Records the failures and recoveries of the store. */
export const storeObserver = (events: string[]): Observer => ({
  branchKeyStoreFailed: ({ operation, code }) => void events.push(`${operation} ${code}`),
  branchKeyStoreRecovered: ({ operation }) => void events.push(`${operation} works`),
});

/** Returns a message's wrapped branch key. */
export const branchOf = ({ data }: Payload): string =>
  Buffer.from(parseHeader(data!).header.wrappedKey).toString('hex');

export interface Fleet {
  readonly codecs: readonly KmsCodec[];
  readonly keyService: FakeKeyService;
  readonly store: MemoryStore;
  readonly clock: { time: number };
  /** The events that the codecs' observers received. */
  readonly events: readonly string[];
  /** Adds a codec, which represents a process that has just started. */
  start(options?: Partial<KmsCodecOptions>): KmsCodec;
  /** Advances the clock in steps of 15 s, and calls each codec's `maintain` in each step. */
  pass(milliseconds: number): Promise<void>;
  /** Encrypts a payload with all codecs at the same time. */
  encrypt(): Promise<Payload[]>;
}

/** Returns codecs that represent a fleet's processes and share a store, a clock and a key service. */
export function fleetOf(
  size: number,
  options: Partial<KmsCodecOptions> & { keyService?: FakeKeyService; clock?: { time: number } } = {},
): Fleet {
  const { keyService = new FakeKeyService(), clock = { time: 1_790_000_000_000 }, ...rest } = options;
  const store = new MemoryStore();
  const events: string[] = [];
  const observer = storeObserver(events);
  const codecs: KmsCodec[] = [];
  const start: Fleet['start'] = (own = {}) => {
    const shared = { keyService, now: () => clock.time, branchKeyStore: store, observer, ...rest };
    const { codec } = codecWith(rules, { ...shared, ...own, keyService });
    codecs.push(codec);
    return codec;
  };
  for (let n = 0; n < size; n += 1) start();
  return {
    codecs,
    keyService,
    store,
    clock,
    events,
    start,
    pass: async (milliseconds) => {
      for (const end = clock.time + milliseconds; clock.time < end;) {
        clock.time += 15_000;
        for (const codec of codecs) codec.maintain();
        await settle();
      }
    },
    encrypt: async () =>
      await Promise.all(codecs.map(async (codec) => (await codec.encode([json('x')], context))[0]!)),
  };
}

/**
 * Advances the clock, stores a next key that all processes but the last unwrap, and begins a Cloud KMS outage.
 * @returns the last process
 */
export async function outageAfterNextKey(fleet: Fleet, milliseconds: number): Promise<KmsCodec> {
  await fleet.encrypt();
  fleet.clock.time += milliseconds;
  for (const codec of fleet.codecs.slice(0, -1)) codec.maintain();
  await settle();
  if (!entryIn(fleet.store).next) throw new Error('The store has no next key');
  fleet.keyService.failing = 'kms_unavailable';
  return fleet.codecs.at(-1)!;
}
