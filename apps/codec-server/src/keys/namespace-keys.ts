import type { ConfiguredKey, NamespaceKeys } from '@temporal-kms/codec-api';
import type { KeyRules } from '@temporal-kms/kms-codec';
import type { Described, DescribedKeys } from './described-keys.ts';
import type { KeyUseWatch } from './key-use.ts';
import type { NamespaceUse, Seen } from './namespace-use.ts';

export interface NamespaceKeysOptions {
  readonly rules: Pick<KeyRules, 'resolve'>;
  readonly described: Pick<DescribedKeys, 'ofEach'>;
  readonly use: KeyUseWatch;
}

/** @throws KmsCodecError `namespace_not_configured` */
export async function namespaceKeys(
  { rules, described, use }: NamespaceKeysOptions,
  namespace: string,
): Promise<NamespaceKeys> {
  const rule = rules.resolve(namespace);
  const seen = use.of(namespace);
  const told = await described.ofEach(rule.keys);
  const keys = told.map(([name, one]) => configuredKey(name, name === rule.encrypt, one, seen));
  return {
    namespace,
    since: new Date(use.since).toISOString(),
    reads: [...rule.reads],
    plaintext: rule.plaintext,
    keys,
    staticKeys: [...rule.static.keys()],
    outcomes: { ...seen.outcomes(), kmsCalls: use.calls(rule.keys) },
    minutes: seen.minutes(Date.now()),
    failures: seen.failures(),
  };
}

function configuredKey(
  name: string,
  encrypts: boolean,
  described: Described,
  use: NamespaceUse,
): ConfiguredKey {
  const known = 'description' in described ? described.description : undefined;
  const told = new Map(known?.versions.map((one) => [one.version, one]));
  const versions = [...new Set([...told.keys(), ...use.versionsOf(name)])].toSorted((a, b) => b - a);
  return {
    name,
    use: encrypts ? 'encrypt_and_decrypt' : 'decrypt',
    ...('description' in described
      ? { described: new Date(described.at).toISOString() }
      : { reason: described.reason }),
    ...present({
      protectionLevel: known?.protectionLevel,
      rotationPeriodSeconds: known?.rotationPeriodSeconds,
      nextRotation: known?.nextRotation?.toISOString(),
    }),
    versions: versions.map((version) => ({
      version,
      primary: version === known?.primary,
      ...present({
        state: told.get(version)?.state,
        created: told.get(version)?.created?.toISOString(),
        destroyTime: told.get(version)?.destroyTime?.toISOString(),
      }),
      seen: written(use.seen(name, version)),
    })),
    unversioned: written(use.seen(name, undefined)),
  };
}

const written = (seen: Seen | undefined): ConfiguredKey['unversioned'] =>
  seen === undefined
    ? { payloads: 0 }
    : { payloads: seen.payloads, lastSeen: new Date(seen.last).toISOString() };

type Present<T> = { [Name in keyof T]?: Exclude<T[Name], undefined> };

/** Without what isn't there. */
function present<T extends object>(values: T): Present<T>;
function present(values: object): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
