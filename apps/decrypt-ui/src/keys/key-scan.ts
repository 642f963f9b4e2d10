import { type NamespaceKeys, sawEverything, STOPS_WITHIN_MS } from '@temporal-kms/codec-api';
import { millisOf } from '@temporal-kms/histories/events';
import type { KeyVersion } from './key-health.ts';

type Scan = NamespaceKeys['scan'];
/** What a scan found in the namespace. */
export type Scanned = Extract<Scan, { status: 'scanned' }>['scanned'];
type ByPlace = Scanned['keys'][number]['places'];
export type ScanPlace = keyof Scanned['looked'];

export const scanPlaces = [
  'open',
  'closed',
  'schedules',
  'archived',
  'exports',
] as const satisfies ScanPlace[];

export const placeTexts: Readonly<Record<ScanPlace, string>> = {
  open: 'open runs',
  closed: 'closed runs',
  schedules: 'schedules',
  archived: 'archived runs',
  exports: 'exported runs',
};

export const findingTexts: Readonly<Record<Scanned['findings'][number]['kind'], string>> = {
  plaintext: 'in plaintext, where a codec would encrypt',
  failure_in_plaintext: 'of failures with a message or stack trace in plaintext',
  older_format: 'in an older format',
  unknown_key: 'under a key that is not configured here',
  malformed: 'with a damaged header',
};

/** Stored payloads, and the histories that contain them. */
export interface Stored {
  readonly payloads: number;
  readonly histories: number;
  /** Number of histories of open runs and of schedules, which a later scan must read again. */
  readonly active: number;
}

export function storedIn(places: readonly ByPlace[]): Stored {
  let payloads = 0;
  let histories = 0;
  let active = 0;
  for (const found of places) {
    for (const place of scanPlaces) {
      const there = found[place];
      if (!there) continue;
      payloads += there.payloads;
      histories += there.histories;
      if (place === 'open' || place === 'schedules') active += there.histories;
    }
  }
  return { payloads, histories, active };
}

/**
 * Returns what is stored under a key version. If `version` is undefined, counts the payloads whose formats
 * record no version.
 */
export const storedUnder = ({ keys }: Scanned, key: string, version: number | undefined): Stored =>
  storedIn(keys.filter((each) => each.key === key && each.version === version).map(({ places }) => places));

/** Returns what is stored under keys and versions that `listed` does not contain, such as keys that are not configured. */
export function storedElsewhere({ keys }: Scanned, listed: NamespaceKeys['keys']) {
  return keys
    .filter(({ key, version }) => {
      const found = listed.find(({ name }) => name === key);
      return !found || (version !== undefined && !found.versions.some((each) => each.version === version));
    })
    .map(({ key, keyId, staticKey, version, places }) => ({
      name:
        key ??
        (staticKey === undefined
          ? keyId === undefined
            ? 'any key of the namespace: the format names none'
            : `key id ${keyId}`
          : `static key ${staticKey}`),
      version,
      stored: storedIn([places]),
    }));
}

/**
 * Returns whether a scan proves that no history needs a version. The scan must have seen everything, started
 * after all programs had stopped encrypting under the version, and found no message that may need the
 * version. Since the scan started, the server must not have encrypted or decrypted any payload under the
 * version. This proof is not enough to destroy the version: `temporal-kms may-destroy` checks all namespaces.
 */
export function isUnneeded(scanned: Scanned, key: string, { version, primary, seen }: KeyVersion): boolean {
  const started = Date.parse(scanned.started);
  const since = millisOf(
    scanned.cryptoKeys.find((each) => each.key === key)?.versions.find((each) => each.version === version)
      ?.notPrimarySince,
  );
  const lastSeen = millisOf(seen.lastSeen);
  if (primary || !sawEverything(scanned)) return false;
  if (since === undefined || !(started - since >= STOPS_WITHIN_MS)) return false;
  if (lastSeen !== undefined && !(lastSeen < started)) return false;
  return scanned.keys.every(
    (each) =>
      (each.key !== undefined || each.staticKey !== undefined || each.keyId !== undefined) &&
      (each.key !== key || (each.version !== undefined && each.version !== version)),
  );
}
