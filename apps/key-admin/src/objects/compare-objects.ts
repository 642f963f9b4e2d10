import type { ObjectStorage, StorageConfiguration, StoredObject } from '@temporal-kms/payload-storage';
import { nameId, objectId } from '../scan/stored-objects.ts';
import { locate, type ReferredObject, type ReferredObjects } from './referred-objects.ts';

/**
 * How many milliseconds may pass between storing an object and writing its reference into a history. A
 * message may take an hour to reach Temporal's store.
 */
const MAX_DELAY_MS = 3_600_000;

/**
 * Why an object without a reference may still be in use.
 * - `recent`: the object is so young that its reference may not have been written when the scan started
 * - `open_workflow`: the object's name contains the id of an open workflow, or contains no workflow id while any
 *   workflow is open. A new reference to the object need not change the object's time: clients store signals and
 *   updates under the workflow's id without a run, and Temporal's drivers do not store an existing object again
 * - `other_namespace`: the object's name contains another namespace or none, or the storage file lets a namespace that
 *   was not scanned read the object
 * - `other_bucket`: a history refers to an object of this name in another bucket, which may be an access point of the
 *   same bucket
 */
export const doubts = ['recent', 'open_workflow', 'other_namespace', 'other_bucket'] as const;
type Doubt = (typeof doubts)[number];

/** The number of objects, their total size, and when the oldest and the newest were stored. */
export interface ObjectTotal {
  objects: number;
  bytes: number;
  oldest: string | null;
  newest: string | null;
}

/** An object to which no history refers. */
export interface UnusedObject {
  readonly object: StoredObject;
  readonly bytes: number;
  readonly modified: Date;
}

export interface Compared {
  readonly referred: ObjectTotal;
  readonly unused: ObjectTotal;
  readonly unclear: Readonly<Record<Doubt, ObjectTotal>>;
  /** Objects that no longer exist, although histories refer to them. */
  readonly gone: readonly ReferredObject[];
  /** Objects to which histories refer, although the storage file lets no scanned namespace read them. */
  readonly notPermitted: readonly ReferredObject[];
}

export interface Comparison {
  readonly storage: Pick<ObjectStorage, 'list' | 'locate'>;
  /** The namespaces in the storage file, which may read objects. */
  readonly configured: StorageConfiguration['namespaces'];
  /** The namespaces whose histories were scanned. */
  readonly scanned: readonly string[];
  readonly found: ReferredObjects;
  /** When the scan started. */
  readonly started: Date;
  /** Called for each unused object, in the order of the lists. */
  readonly onUnused: (unused: UnusedObject) => void;
}

/**
 * Lists the objects of the scanned namespaces, and compares them with the references that a complete scan has
 * found. The objects are listed after the scan, because an object is stored before its reference is written.
 * @throws KmsCodecError `storage_unavailable`
 */
export async function compareObjects(comparison: Comparison): Promise<Compared> {
  const { storage, scanned, found, onUnused } = comparison;
  const { signal } = new AbortController();
  const isInDoubt = doubtsOf(comparison);
  const referred = nothing();
  const unused = nothing();
  const unclear = {
    recent: nothing(),
    open_workflow: nothing(),
    other_namespace: nothing(),
    other_bucket: nothing(),
  };
  const listed = new Set<string>();
  for (const namespace of scanned) {
    for await (const { object, sizeBytes, modified } of storage.list(namespace, { signal })) {
      const id = objectId(object);
      // The object may already be listed, because two namespaces may read the same object.
      if (listed.has(id)) continue;
      listed.add(id);
      const one = { object, bytes: sizeBytes, modified };
      const isReferred = found.objects.has(id);
      const doubt = isReferred ? undefined : isInDoubt(one);
      add(isReferred ? referred : doubt === undefined ? unused : unclear[doubt], one);
      if (!isReferred && doubt === undefined) onUnused(one);
    }
  }
  const unlisted = [...found.objects].flatMap(([id, object]) => (listed.has(id) ? [] : [object]));
  return {
    referred,
    unused,
    unclear,
    gone: unlisted.filter(({ isPermitted }) => isPermitted),
    notPermitted: unlisted.filter(({ isPermitted }) => !isPermitted),
  };
}

const nothing = (): ObjectTotal => ({ objects: 0, bytes: 0, oldest: null, newest: null });

function add(total: ObjectTotal, { bytes, modified }: UnusedObject): void {
  const time = modified.toISOString();
  total.objects += 1;
  total.bytes += bytes;
  if (total.oldest === null || time < total.oldest) total.oldest = time;
  if (total.newest === null || time > total.newest) total.newest = time;
}

/**
 * Returns a function that determines why an object without a reference may still be in use. The function returns
 * undefined if the object is unused.
 */
function doubtsOf({ storage, configured, scanned, found, started }: Comparison) {
  const names = new Set(scanned);
  const others = [...configured.keys()].filter((namespace) => !names.has(namespace));
  const since = started.getTime() - MAX_DELAY_MS;
  const mayAnyRead = ({ type, bucket, object, sha256 }: StoredObject): boolean =>
    others.some((namespace) =>
      (configured.get(namespace) ?? []).some(
        ({ driverName }) =>
          locate(storage, namespace, { driverName, type, bucket, object, sha256 }) !== undefined,
      ),
    );
  return ({ object, modified }: UnusedObject): Doubt | undefined => {
    if (modified.getTime() >= since) return 'recent';
    const segments = object.object.split('/');
    const [namespace, kind] = segments.includes('ns') ? segments.slice(segments.indexOf('ns') + 1) : [];
    const isOfOpen = segments.some(
      (segment, n) =>
        found.openRuns.has(segment) ||
        (segments[n - 1] === 'wi' && found.openWorkflows.has(decoded(segment))),
    );
    if (isOfOpen || (kind === 'd' && found.openWorkflows.size > 0)) return 'open_workflow';
    const isOurs = namespace !== undefined && names.has(decoded(namespace));
    if (!isOurs || mayAnyRead(object)) return 'other_namespace';
    return found.names.has(nameId(object)) ? 'other_bucket' : undefined;
  };
}

/** Decodes the name in a path segment. Drivers encode names as in URLs. */
function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
