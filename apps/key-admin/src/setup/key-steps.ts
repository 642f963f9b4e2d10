import type { protos } from '@google-cloud/kms';
import { CliError } from '../cli/cli-error.ts';
import { timestamp } from '../cli/output.ts';
import type { GoogleClients } from '../google/client.ts';
import { ALREADY_EXISTS, grpcCode } from '../google/errors.ts';
import { gcloud, ringOptions } from '../google/gcloud.ts';
import { optional } from '../google/locations.ts';
import type { Step } from './step.ts';
import { keyName, ringName, type KeySpec } from './key-spec.ts';

type CryptoKey = protos.google.cloud.kms.v1.ICryptoKey;

const DAY_SECONDS = 86_400;
const STANDARD_DAYS = 90;

/**
 * Returns the step that creates the key. If the key exists, returns a completed step and, if the rotation
 * differs, a step that changes the rotation.
 * @throws CliError if the name belongs to a key that cannot be used
 */
export async function keySteps(
  google: GoogleClients,
  spec: KeySpec,
  now: Date,
  ringExists: boolean,
): Promise<Step[]> {
  const { kms, read } = google;
  const name = keyName(spec);
  const found = ringExists
    ? await optional(
        read({ resource: `projects/${spec.project}`, role: 'roles/cloudkms.admin' }, (options) =>
          kms.getCryptoKey({ name }, options),
        ),
      )
    : undefined;
  const key = found?.[0];
  if (key === undefined) return [creation(google, spec, now)];
  requireUsable(key, spec);
  const level = String(key.versionTemplate?.protectionLevel);
  const days = key.rotationPeriod ? Number(key.rotationPeriod.seconds) / DAY_SECONDS : undefined;
  const rotation = days === undefined ? 'without rotation' : `rotated every ${days} days`;
  const exists: Step = { title: `key ${spec.id} (${level}, ${rotation})`, status: 'exists', gcloud: [] };
  const wanted = spec.rotationDays ?? days ?? STANDARD_DAYS;
  return wanted === days ? [exists] : [exists, rotationChange(google, spec, wanted, now)];
}

/** @throws CliError if the key has an unsuitable purpose or protection level, which cannot be changed */
function requireUsable({ purpose, versionTemplate }: CryptoKey, spec: KeySpec): void {
  const other = '--key OTHER-NAME';
  if (purpose !== 'ENCRYPT_DECRYPT') {
    throw new CliError(
      'failed',
      `The key ${spec.id} exists with the purpose ${String(purpose)}, which cannot be changed`,
      [other],
    );
  }
  const level = versionTemplate?.protectionLevel;
  if (spec.protectionLevel !== undefined && level !== spec.protectionLevel) {
    throw new CliError(
      'failed',
      `The key ${spec.id} exists with the protection level ${String(level)}, which cannot be changed`,
      [other],
    );
  }
}

const nextRotation = (days: number, now: Date): Date => new Date(now.getTime() + days * DAY_SECONDS * 1000);

const schedule = (days: number, now: Date) => ({
  rotationPeriod: { seconds: days * DAY_SECONDS },
  nextRotationTime: { seconds: Math.floor(nextRotation(days, now).getTime() / 1000) },
});

const scheduleOptions = (days: number, now: Date): string[] => [
  `--rotation-period=${days}d`,
  `--next-rotation-time=${timestamp(nextRotation(days, now))}`,
];

function creation({ kms, change }: GoogleClients, spec: KeySpec, now: Date): Step {
  const { rotationDays = STANDARD_DAYS, protectionLevel = 'SOFTWARE', id } = spec;
  return {
    title: `key ${id} (${protectionLevel}, rotated every ${rotationDays} days)`,
    status: 'to do',
    gcloud: [
      gcloud(
        'kms keys create',
        id,
        ...ringOptions(keyName(spec)),
        '--purpose=encryption',
        `--protection-level=${protectionLevel.toLowerCase()}`,
        ...scheduleOptions(rotationDays, now),
      ),
    ],
    run: () =>
      change({ resource: `projects/${spec.project}`, role: 'roles/cloudkms.admin' }, async (options) => {
        try {
          await kms.createCryptoKey(
            {
              parent: ringName(spec),
              cryptoKeyId: id,
              cryptoKey: {
                purpose: 'ENCRYPT_DECRYPT',
                versionTemplate: { protectionLevel, algorithm: 'GOOGLE_SYMMETRIC_ENCRYPTION' },
                ...schedule(rotationDays, now),
              },
            },
            options,
          );
        } catch (error) {
          if (grpcCode(error) !== ALREADY_EXISTS) throw error;
        }
      }),
  };
}

function rotationChange({ kms, change }: GoogleClients, spec: KeySpec, days: number, now: Date): Step {
  const name = keyName(spec);
  return {
    title: `rotation of the key ${spec.id} every ${days} days`,
    status: 'to do',
    gcloud: [gcloud('kms keys update', spec.id, ...ringOptions(name), ...scheduleOptions(days, now))],
    run: () =>
      change({ resource: name, role: 'roles/cloudkms.admin' }, async (options) => {
        await kms.updateCryptoKey(
          {
            cryptoKey: { name, ...schedule(days, now) },
            updateMask: { paths: ['rotation_period', 'next_rotation_time'] },
          },
          options,
        );
      }),
  };
}
