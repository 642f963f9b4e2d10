import { defaultLimits, type KmsSettings } from '@temporal-kms/kms-codec';
import { duration } from '../cli/output.ts';

/** What a rotation changes for running processes, and when. */
export interface RotationEffect {
  /** Seconds until every process encrypts under the new version, if Cloud KMS answers. */
  readonly newVersionWithinSeconds: number;
  /** How many seconds a process may encrypt under the old version if Cloud KMS does not answer. */
  readonly oldVersionAtMostSeconds: number;
  readonly lines: readonly string[];
}

/**
 * Returns the effect of a rotation on processes with this configuration. The effect depends on the age at which
 * processes replace keys (docs/wire-formats.md).
 */
export function rotationEffect(
  settings: KmsSettings,
  oldVersion: number | undefined,
  version: number,
): RotationEffect {
  const { softAgeMs, hardAgeMs } = defaultLimits;
  const { format = 'envelope-v2' } = settings;
  const old =
    oldVersion === undefined
      ? []
      : [
          `Messages under version ${oldVersion} stay readable while that version is enabled. They are not ` +
            're-encrypted: keep the version enabled until the last history that needs it is past its retention.',
        ];
  if (format === 'direct') {
    return {
      newVersionWithinSeconds: 0,
      oldVersionAtMostSeconds: 0,
      lines: [
        `Running processes write the format direct: from now on they encrypt each payload under version ${version}.`,
        ...old,
      ],
    };
  }
  const what = format === 'envelope' ? 'data key' : 'branch key';
  const shared =
    settings.openBranchKeyStore?.() === undefined
      ? `each process replaces its ${what}`
      : `the fleet replaces its shared ${what} (KMS_BRANCH_KEYS)`;
  return {
    newVersionWithinSeconds: softAgeMs / 1000,
    oldVersionAtMostSeconds: hardAgeMs / 1000,
    lines: [
      `Running processes need no restart. Within ${minutes(softAgeMs)} ${shared}, and Cloud KMS wraps the new one under ` +
        `version ${version}. Until then they encrypt under their current ${what}.`,
      `A process that gets no answer from Cloud KMS keeps its ${what} for at most ${duration(hardAgeMs)}.`,
      ...old,
    ],
  };
}

const minutes = (milliseconds: number): string => `${milliseconds / 60_000} minutes`;
