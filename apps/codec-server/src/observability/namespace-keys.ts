import type { ConfiguredKey, NamespaceKeys, ReasonCode } from '@temporal-kms/codec-api';
import {
  type KeyDescription,
  type KeyRules,
  type KeyService,
  type KeyState,
  KmsCodecError,
} from '@temporal-kms/kms-codec';
import { WaitTimer } from '@temporal-kms/node-utils/wait-timer';
import { LRUCache } from 'lru-cache';
import type { KeyUsage, NamespaceUsage, VersionUsage } from './key-usage.ts';
import { CALLS_IN_FLIGHT } from './kms-calls.ts';
import type { ScanReports } from './scan-reports.ts';

/** Cloud KMS's description of a key, or the reason code if the look-up failed. */
export type DescribedKey =
  | { readonly description: KeyDescription; readonly at: number }
  | { readonly reason: ReasonCode };

export interface DescribedKeysOptions {
  readonly keyService: Pick<KeyService, 'describe'>;
  /** Time limit for one look-up in milliseconds. Default: 5,000. */
  readonly waitMs?: number;
  /** How long a result is cached, in milliseconds. Default: 30,000. */
  readonly keepMs?: number;
}

export interface DescribedKeys {
  of(key: string): Promise<DescribedKey>;
  /** Resolves to the keys with their results, in the order of the keys. */
  ofEach(keys: readonly string[]): Promise<readonly (readonly [key: string, DescribedKey])[]>;
}

/** Number of keys that are described at the same time, with two calls for each key. */
const MAX_DESCRIBED = CALLS_IN_FLIGHT / 2;

/**
 * Returns a cache of key descriptions from Cloud KMS. Concurrent look-ups of a key share one call, and
 * results are cached for `keepMs`, so that many people who watch the same page cause only a few calls per
 * minute. Look-ups never reject.
 */
export function describedKeys({
  keyService,
  waitMs = 5_000,
  keepMs = 30_000,
}: DescribedKeysOptions): DescribedKeys {
  const cache = new LRUCache<string, DescribedKey>({
    max: 1_024,
    ttl: keepMs,
    // An entry that is evicted while its call is in flight still gets its result.
    ignoreFetchAbort: true,
    fetchMethod: (key) => describe(keyService, key, waitMs),
  });
  const of = async (key: string): Promise<DescribedKey> => (await cache.fetch(key)) ?? UNAVAILABLE;
  return {
    of,
    ofEach: async (keys) => {
      const described: (readonly [string, DescribedKey])[] = [];
      for (let at = 0; at < keys.length; at += MAX_DESCRIBED) {
        const batch = keys.slice(at, at + MAX_DESCRIBED);
        described.push(...(await Promise.all(batch.map(async (key) => [key, await of(key)] as const))));
      }
      return described;
    },
  };
}

const UNAVAILABLE: DescribedKey = { reason: 'kms_unavailable' };

async function describe(
  keyService: Pick<KeyService, 'describe'>,
  key: string,
  waitMs: number,
): Promise<DescribedKey> {
  const timedOut = Promise.withResolvers<DescribedKey>();
  const timer = new WaitTimer(waitMs, () => timedOut.resolve(UNAVAILABLE));
  try {
    const described = keyService.describe(key).then((description) => ({ description, at: Date.now() }));
    return await Promise.race([described, timedOut.promise]);
  } catch (error) {
    return error instanceof KmsCodecError ? { reason: error.code } : UNAVAILABLE;
  } finally {
    timer.stop();
  }
}

export interface NamespaceKeysOptions {
  readonly rules: Pick<KeyRules, 'resolve'>;
  readonly described: Pick<DescribedKeys, 'ofEach'>;
  readonly use: KeyUsage;
  /** Returns the state of a namespace's keys in this process's memory. */
  readonly keyState: (namespace: string) => KeyState;
  readonly scans: ScanReports;
}

/**
 * Resolves to a namespace's configured keys, with their state in Cloud KMS, their use since the process
 * started, and the latest scan of histories.
 * @throws KmsCodecError `namespace_not_configured`
 */
export async function namespaceKeys(
  { rules, described, use, keyState, scans }: NamespaceKeysOptions,
  namespace: string,
): Promise<NamespaceKeys> {
  const rule = rules.resolve(namespace);
  const usage = use.of(namespace);
  const keys = (await described.ofEach(rule.keys)).map(([name, key]) =>
    configuredKey(name, name === rule.encrypt, key, usage),
  );
  return {
    namespace,
    since: new Date(use.since).toISOString(),
    reads: [...rule.reads],
    plaintext: rule.plaintext,
    keys,
    staticKeys: [...rule.static.keys()],
    scan: await scans.of(namespace, rule.keys),
    inMemory: inMemory(keyState(namespace)),
    outcomes: { ...usage.outcomes(), kmsCalls: use.calls(rule.keys) },
    minutes: usage.minutes(Date.now()),
    failures: usage.failures(),
  };
}

/**
 * Leaves out an infinite limit, because JSON cannot contain infinity. A process that only decrypts may have
 * no key that expires.
 */
const inMemory = ({ autonomySeconds, ...state }: KeyState): NamespaceKeys['inMemory'] =>
  defined({ autonomySeconds: Number.isFinite(autonomySeconds) ? autonomySeconds : undefined, ...state });

function configuredKey(
  name: string,
  encrypts: boolean,
  described: DescribedKey,
  usage: NamespaceUsage,
): ConfiguredKey {
  const known = 'description' in described ? described.description : undefined;
  const states = new Map(known?.versions.map((state) => [state.version, state]));
  const versions = [...new Set([...states.keys(), ...usage.versionsOf(name)])].toSorted((a, b) => b - a);
  return {
    name,
    use: encrypts ? 'encrypt_and_decrypt' : 'decrypt',
    ...('description' in described
      ? { described: new Date(described.at).toISOString() }
      : { reason: described.reason }),
    ...defined({
      protectionLevel: known?.protectionLevel,
      rotationPeriodSeconds: known?.rotationPeriodSeconds,
      nextRotation: known?.nextRotation?.toISOString(),
    }),
    versions: versions.map((version) => ({
      version,
      primary: version === known?.primary,
      ...defined({
        state: states.get(version)?.state,
        created: states.get(version)?.created?.toISOString(),
        destroyTime: states.get(version)?.destroyTime?.toISOString(),
        algorithm: states.get(version)?.algorithm,
        protectionLevel: states.get(version)?.protectionLevel,
      }),
      seen: seen(usage.ofVersion(name, version)),
    })),
    unversioned: seen(usage.ofVersion(name, undefined)),
  };
}

const seen = (usage: VersionUsage | undefined): ConfiguredKey['unversioned'] =>
  usage === undefined
    ? { payloads: 0 }
    : { payloads: usage.payloads, lastSeen: new Date(usage.last).toISOString() };

type Defined<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> };

/** Returns the object without its undefined fields. */
function defined<T extends object>(values: T): Defined<T>;
function defined(values: object): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
