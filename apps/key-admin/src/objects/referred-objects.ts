import type { ScanPlace } from '@temporal-kms/codec-api';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import {
  type ObjectStorage,
  objectUri,
  type StorageReference,
  type StoredObject,
} from '@temporal-kms/payload-storage';
import { type HistorySummary, parseTrait } from '../scan/history-summary.ts';
import type { TalliedHistory } from '../scan/scan-part.ts';
import { nameId, objectId, unlocatedId, type References, type Resolved } from '../scan/stored-objects.ts';

/** An object to which histories refer. */
export interface ReferredObject {
  readonly name: string;
  readonly namespace: string;
  readonly place: ScanPlace;
  /** The workflow id of the first history in which the scan found a reference to the object. */
  readonly workflowId: string;
  readonly runId?: string | undefined;
  histories: number;
  /** Whether the storage file lets at least one of the histories' namespaces read the object. */
  isPermitted: boolean;
}

/** The objects to which the histories of all scanned namespaces refer. */
export class ReferredObjects {
  readonly #storage: Locator;
  /** The objects, by their ids. */
  readonly objects = new Map<string, ReferredObject>();
  /** The ids of the objects' names; the id of a name does not depend on the bucket. */
  readonly names = new Set<string>();
  /** The ids of the runs that were open. */
  readonly openRuns = new Set<string>();
  /** The ids of the workflows that had an open run. */
  readonly openWorkflows = new Set<string>();

  constructor(storage: Locator) {
    this.#storage = storage;
  }

  /** Returns a collector of the references in a namespace. The collector requests no object from external storage. */
  in(namespace: string): References {
    return {
      resolve: async ({ payloads, traits }, place, history): Promise<Resolved> => {
        if (place === 'open') {
          this.openWorkflows.add(history.workflowId);
          if (history.runId !== undefined) this.openRuns.add(history.runId);
        }
        const others = new Map<string, number>();
        let objects = 0;
        for (const [text, count] of traits)
          if (!this.#add(text, namespace, place, history)) others.set(text, count);
          else objects += 1;
        const summary: HistorySummary = { payloads, traits: others };
        return { summary, objects, requests: 0 };
      },
    };
  }

  /** Adds a history's reference to the objects. Returns false if the trait is not a reference. */
  #add(text: string, namespace: string, place: ScanPlace, { workflowId, runId }: TalliedHistory): boolean {
    const trait = parseTrait(text);
    if (trait.is !== 'reference') return false;
    this.names.add(nameId(trait));
    const { is: _, size: __, ...reference } = trait;
    const located = locate(this.#storage, namespace, reference);
    const isPermitted = located !== undefined;
    const object = located ?? trait;
    const id = located ? objectId(located) : unlocatedId(trait);
    const known = this.objects.get(id);
    if (known !== undefined) {
      known.histories += 1;
      known.isPermitted ||= isPermitted;
      return true;
    }
    const name = objectUri(object);
    this.objects.set(id, { name, namespace, place, workflowId, runId, histories: 1, isPermitted });
    return true;
  }
}

type Locator = Pick<ObjectStorage, 'locate'>;

/** Returns the object of a reference, or undefined if the storage file does not let the namespace read the object. */
export function locate(
  storage: Locator,
  namespace: string,
  reference: StorageReference,
): StoredObject | undefined {
  try {
    return storage.locate(namespace, reference);
  } catch (error) {
    if (error instanceof KmsCodecError) return undefined;
    throw error;
  }
}
