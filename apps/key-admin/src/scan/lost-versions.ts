import type { NeededKey, ScanReport } from '@temporal-kms/codec-api';
import { cryptoKeyId } from '@temporal-kms/kms-codec';
import { typeLines } from '../cli/output.ts';
import { versionLine } from '../google/gcloud.ts';

/** A version that histories need although it is destroyed or scheduled for destruction. */
export interface LostVersion {
  readonly key: string;
  readonly version: number;
  readonly state: 'DESTROYED' | 'DESTROY_SCHEDULED';
  /** The namespaces whose histories need the version. */
  readonly namespaces: readonly string[];
}

/** Returns the versions that are destroyed or scheduled for destruction although histories need them. */
export function lostVersions({ cryptoKeys, namespaces }: ScanReport): LostVersion[] {
  return cryptoKeys.flatMap(({ key, versions }) =>
    versions.flatMap(({ version, state }): LostVersion[] => {
      if (state !== 'DESTROYED' && state !== 'DESTROY_SCHEDULED') return [];
      const needing = namespaces.filter(({ keys }) => keys.some((needed) => names(needed, key, version)));
      return needing.length === 0
        ? []
        : [{ key, version, state, namespaces: needing.map(({ namespace }) => namespace) }];
    }),
  );
}

const names = (needed: NeededKey, key: string, version: number): boolean =>
  needed.version === version && (needed.key === key || needed.keyId === cryptoKeyId(key));

/** Returns the lines about a lost version, with the commands that restore the version if possible. */
export function lostLines({ key, version, state, namespaces }: LostVersion): string[] {
  const need = `histories of ${namespaces.join(', ')} need version ${version} of ${key}`;
  return state === 'DESTROYED'
    ? [`LOST: ${need}, which is destroyed. Nothing can decrypt these histories.`]
    : [
        `WILL BE LOST: ${need}, whose destruction is scheduled. To keep that version`,
        ...typeLines([versionLine('restore', key, version), versionLine('enable', key, version)]),
      ];
}
