import type { KeyDescription } from '@temporal-kms/kms-codec';
import { parseKeyName } from '../cli/environment.ts';
import { timestamp } from '../cli/output.ts';
import { gcloud, ringOptions } from '../google/gcloud.ts';

/** A problem with a crypto key that should encrypt. */
export interface Problem {
  readonly code: 'no_primary' | 'primary_not_enabled' | 'rotation_overdue';
  readonly message: string;
  /** Commands to type. */
  readonly fix: readonly string[];
}

/** How many milliseconds late a rotation may be before it counts as overdue. */
const LATE_MS = 24 * 3_600_000;

/** Returns the problems that prevent a crypto key from encrypting or from rotating. */
export function findProblems(description: KeyDescription, now: Date): Problem[] {
  const { key, primary } = description;
  const current = description.versions.find(({ version }) => version === primary);
  if (primary === undefined || current === undefined) {
    return [
      {
        code: 'no_primary',
        message: 'the key has no primary version, so it cannot encrypt',
        fix: [`temporal-kms rotate --key ${key}`],
      },
    ];
  }
  return [
    ...(current.state === 'ENABLED'
      ? []
      : [
          {
            code: 'primary_not_enabled' as const,
            message: `the primary version ${primary} is ${current.state}, so the key cannot encrypt`,
            fix: fixOfState(key, primary, current.state),
          },
        ]),
    ...overdue(description, current.created, now),
  ];
}

function overdue(
  { key, rotationPeriodSeconds, nextRotation }: KeyDescription,
  created: Date | undefined,
  now: Date,
): Problem[] {
  if (rotationPeriodSeconds === undefined || created === undefined) return [];
  const due = created.getTime() + rotationPeriodSeconds * 1000;
  // Rotations do not follow the period if someone changed the period, or made a version primary by hand.
  // Therefore a rotation is not late while the next one is scheduled for the future.
  const isLate = now.getTime() > due + LATE_MS && (nextRotation === undefined || nextRotation < now);
  if (!isLate) return [];
  return [
    {
      code: 'rotation_overdue',
      message: `the rotation due on ${timestamp(nextRotation ?? new Date(due))} has not happened`,
      fix: [`temporal-kms rotate --key ${key}`],
    },
  ];
}

function fixOfState(key: string, version: number, state: string): string[] {
  const line = (verb: 'enable' | 'restore') =>
    gcloud('kms keys versions', verb, String(version), `--key=${parseKeyName(key).id}`, ...ringOptions(key));
  if (state === 'DISABLED') return [line('enable')];
  if (state === 'DESTROY_SCHEDULED') return [line('restore'), line('enable')];
  return [`temporal-kms rotate --key ${key}`];
}
