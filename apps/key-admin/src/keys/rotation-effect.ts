import { defaultLimits, type KmsSettings } from '@temporal-kms/kms-codec';
import { duration } from '../cli/output.ts';

/** What running processes do after a rotation, and when. */
export interface RotationEffect {
  /** Seconds until every process encrypts under the new version, if Cloud KMS answers it. */
  readonly newVersionWithinSeconds: number;
  /** Seconds for which a process may encrypt under the old version if Cloud KMS does not answer it. */
  readonly oldVersionAtMostSeconds: number;
  readonly lines: readonly string[];
}

/**
 * Returns what the processes with this configuration do after a rotation of their crypto key, from the ages at which they
 * replace keys (docs/wire-formats.md).
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
          `What was encrypted under version ${oldVersion} stays readable while that version is enabled. Nothing is encrypted ` +
            'again: keep the version enabled until the retention of the last history that needs it has passed.',
        ];
  if (format === 'direct') {
    return {
      newVersionWithinSeconds: 0,
      oldVersionAtMostSeconds: 0,
      lines: [
        `Running processes write the format direct: each payload is encrypted under version ${version} from now on.`,
        ...old,
      ],
    };
  }
  const what = format === 'envelope' ? 'data key' : 'branch key';
  const shared =
    settings.openBranchKeyStore?.() === undefined
      ? `each process replaces its ${what}`
      : `the fleet replaces the ${what} that it shares (KMS_BRANCH_KEYS)`;
  return {
    newVersionWithinSeconds: softAgeMs / 1000,
    oldVersionAtMostSeconds: hardAgeMs / 1000,
    lines: [
      `Running processes need no restart. Within ${minutes(softAgeMs)} ${shared}, and Cloud KMS wraps the new one under ` +
        `version ${version}. Until then they encrypt under the ${what} that they have.`,
      `A process to which Cloud KMS does not answer keeps its ${what} for at most ${duration(hardAgeMs)}.`,
      ...old,
    ],
  };
}

const minutes = (milliseconds: number): string => `${milliseconds / 60_000} minutes`;
