import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { ScanPlace } from '@temporal-kms/codec-api';
import { KmsCodecError, type ReasonCode } from '@temporal-kms/kms-codec';
import { type ObjectStorage, objectUri, type StoredObject } from '@temporal-kms/payload-storage';
import {
  type HistorySummary,
  parseTrait,
  type ReferenceTrait,
  summaryOfPayload,
  type Trait,
} from './history-summary.ts';
import type { TalliedHistory } from './scan-part.ts';
import type { CallLimiter } from '../temporal/temporal-source.ts';
import { readPayloadStart, sizeError } from '../storage/payload-start.ts';

/** Number of a history's objects that are requested at the same time. */
const CONCURRENCY = 8;
/**
 * Maximum number of objects in memory, where each object takes about 200 bytes. Objects beyond this number are
 * requested each time a history refers to them.
 */
const MAX_OBJECTS = 1_000_000;

/** The content of an object: its size, and the traits of the payload in it. */
export interface ObjectContent {
  readonly size: number;
  readonly traits: readonly string[];
}

/** Why an object could not be read. */
interface Unread {
  readonly code: ReasonCode;
  readonly message: string;
}

/** The objects that a scan has requested, by their ids. */
export type KnownObjects = Map<string, Promise<ObjectContent | Unread>>;

/**
 * Keeps the content of objects until the scan has ended, so that a scan that continues after an interruption requests
 * no object again.
 */
export interface KeptObjects {
  object(id: string): ObjectContent | undefined;
  setObject(id: string, content: ObjectContent): void;
}

export interface Resolved {
  readonly summary: HistorySummary;
  /** Number of objects to which no earlier history refers. */
  readonly objects: number;
  /** Number of requests to the object store. */
  readonly requests: number;
}

/** How a scan processes a history's references to external storage. */
export interface References {
  resolve(summary: HistorySummary, place: ScanPlace, history: TalliedHistory): Promise<Resolved>;
}

export interface StoredObjectsOptions {
  readonly storage: Pick<ObjectStorage, 'locate' | 'readStart'>;
  readonly namespace: string;
  /** Limits the rate of requests. */
  readonly limiter: CallLimiter;
  /** The known objects, which all parts of one scan share. */
  readonly known: KnownObjects;
  readonly kept?: KeptObjects | undefined;
  readonly signal?: AbortSignal;
}

/** Reads the headers of the objects to which histories refer. Reads each object once. */
export class StoredObjects implements References {
  readonly #options: StoredObjectsOptions;

  constructor(options: StoredObjectsOptions) {
    this.#options = options;
  }

  /** Returns the summary, with the objects' contents in place of the references. */
  async resolve({ payloads, traits }: HistorySummary): Promise<Resolved> {
    const counts = { objects: 0, requests: 0 };
    const resolved = new Map<string, number>();
    const add = (text: string, count: number) => resolved.set(text, (resolved.get(text) ?? 0) + count);
    const references: (readonly [ReferenceTrait, number])[] = [];
    for (const [text, count] of traits) {
      const trait = parseTrait(text);
      if (trait.is === 'reference') references.push([trait, count]);
      else add(text, count);
    }
    if (references.length === 0) return { summary: { payloads, traits }, ...counts };
    const reads = Readable.from(references).map(
      async ([reference, count]: readonly [ReferenceTrait, number]) => {
        for (const text of await this.#traitsOf(reference, counts)) add(text, count);
        return true;
      },
      { concurrency: CONCURRENCY },
    );
    for await (const _ of reads);
    return { summary: { payloads, traits: resolved }, ...counts };
  }

  async #traitsOf(reference: ReferenceTrait, counts: Counts): Promise<readonly string[]> {
    const { storage, namespace } = this.#options;
    const { size: stated, is: _, ...named } = reference;
    let object: StoredObject;
    try {
      object = storage.locate(namespace, named);
    } catch (error) {
      return [unreadTrait(objectUri(reference), unread(error))];
    }
    const content = await this.#contentOf(object, counts);
    if ('code' in content) return [unreadTrait(object.name, content)];
    const { size, traits } = content;
    const wrongSize = sizeError(object.name, stated, size);
    return wrongSize ? [unreadTrait(object.name, wrongSize)] : traits;
  }

  async #contentOf(object: StoredObject, counts: Counts): Promise<ObjectContent | Unread> {
    const { storage, known, kept, signal = noSignal } = this.#options;
    const id = objectId(object);
    const earlier = known.get(id);
    if (earlier !== undefined) return await earlier;
    counts.objects += 1;
    const read = async (): Promise<ObjectContent | Unread> => {
      const content = kept?.object(id);
      if (content !== undefined) return content;
      await this.#options.limiter.removeTokens(1);
      signal.throwIfAborted();
      counts.requests += 1;
      try {
        const { payload, size } = await readPayloadStart(storage, object, signal);
        const found = { size, traits: [...summaryOfPayload(payload).traits.keys()] };
        kept?.setObject(id, found);
        return found;
      } catch (error) {
        return unread(error);
      }
    };
    const reading = read();
    if (known.size < MAX_OBJECTS) {
      known.set(id, reading);
      // Forgets a cancelled read, because it says nothing about the object.
      reading.catch(() => known.delete(id));
    }
    return await reading;
  }
}

const noSignal = new AbortController().signal;

interface Counts {
  objects: number;
  requests: number;
}

/** Returns an object's id. An attacker who chooses names must not be able to find two names with the same id. */
export const objectId = ({ storeId, object }: Pick<StoredObject, 'storeId' | 'object'>): string =>
  idOf(storeId, object);

/** Returns an id for a reference's object if the namespace may not read that object. */
export const unlocatedId = ({ type, bucket, object }: ReferenceTrait): string => idOf(type, bucket, object);

/** Returns an id that depends only on the object's name, not on its bucket. */
export const nameId = ({ object }: Pick<ReferenceTrait, 'object'>): string => idOf(object);

const idOf = (...names: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(names)).digest('hex').slice(0, 32);

/** @throws any error that is not a KmsCodecError */
function unread(error: unknown): Unread {
  if (error instanceof KmsCodecError) return { code: error.code, message: error.message };
  throw error;
}

const unreadTrait = (object: string, { code, message }: Unread): string => {
  const trait: Trait = { is: 'unread_object', object, reason: code, message };
  return JSON.stringify(trait);
};
