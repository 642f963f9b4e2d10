import type { protos } from '@google-cloud/kms';
import { requireAlgorithm, requireProtectionLevel, requirePurpose } from '../model/algorithms.ts';
import { createVersion, makePrimary, type CryptoKey, type MaterialSource } from '../model/crypto-key.ts';
import { invalidArgument, unimplemented } from '../model/errors.ts';
import { checkLabels } from '../model/labels.ts';
import { parseCryptoKey } from '../model/names.ts';
import { checkSchedule, type RotationSchedule } from '../model/rotation.ts';
import type { State } from '../model/state.ts';
import { enumName, milliseconds, text } from './fields.ts';

const DAY = 24 * 3600 * 1000;
/**
 * How long a version stays scheduled for destruction. The default is from resources.proto, and the bounds are
 * from cloud.google.com/kms/docs/destroy-restore.
 */
const DESTROY_DURATION = { standard: 30 * DAY, min: DAY, max: 120 * DAY };

/**
 * Returns a key without versions from a client's request.
 * @throws KmsError if Cloud KMS would refuse the request
 */
export function newKey(name: string, wanted: protos.google.cloud.kms.v1.ICryptoKey, now: number): CryptoKey {
  if (text(wanted.cryptoKeyBackend) !== '') throw unimplemented('The emulator has no crypto key backends.');
  const purpose = requirePurpose(enumName(wanted.purpose));
  const rotationPeriod = milliseconds(wanted.rotationPeriod);
  const nextRotationTime = milliseconds(wanted.nextRotationTime);
  const key: CryptoKey = {
    name,
    purpose,
    createTime: now,
    importOnly: wanted.importOnly ?? false,
    destroyScheduledDuration: destroyDuration(milliseconds(wanted.destroyScheduledDuration)),
    versions: [],
    template: {
      protectionLevel: requireProtectionLevel(enumName(wanted.versionTemplate?.protectionLevel)),
      algorithm: requireAlgorithm(purpose, enumName(wanted.versionTemplate?.algorithm)),
    },
    labels: checkLabels(wanted.labels ?? {}),
    ...(rotationPeriod === undefined ? {} : { rotationPeriod }),
    ...(nextRotationTime === undefined ? {} : { nextRotationTime }),
  };
  checkSchedule(purpose, scheduleOf(key), now);
  return key;
}

export const scheduleOf = ({ rotationPeriod, nextRotationTime }: CryptoKey): RotationSchedule => ({
  ...(rotationPeriod === undefined ? {} : { period: rotationPeriod }),
  ...(nextRotationTime === undefined ? {} : { next: nextRotationTime }),
});

function destroyDuration(wanted: number | undefined): number {
  if (wanted === undefined) return DESTROY_DURATION.standard;
  if (wanted < DESTROY_DURATION.min || wanted > DESTROY_DURATION.max) {
    throw invalidArgument('The field destroy_scheduled_duration must be between 24 hours and 120 days.');
  }
  return wanted;
}

interface SeedOptions {
  readonly now: number;
  readonly source: MaterialSource;
  /** Rotation period in milliseconds, for keys without a rotation schedule. */
  readonly rotationPeriod?: number;
}

/** Creates the missing keys and their key rings, as CreateCryptoKey would with its defaults. */
export function seedKeys(state: State, names: readonly string[], options: SeedOptions): void {
  const { now, source, rotationPeriod } = options;
  for (const { name, parent } of names.map(parseCryptoKey)) {
    if (!state.keys.has(parent)) state.keys.addKeyRing({ name: parent, createTime: now });
    if (!state.keys.has(name)) {
      const created = newKey(name, { purpose: 'ENCRYPT_DECRYPT' }, now);
      makePrimary(created, createVersion(created, now, source, 0).number, now, 0);
      state.keys.addCryptoKey(created);
    }
    const key = state.keys.cryptoKey(name);
    if (rotationPeriod === undefined || key.nextRotationTime !== undefined) continue;
    checkSchedule(key.purpose, { period: rotationPeriod, next: now + rotationPeriod }, now);
    Object.assign(key, { rotationPeriod, nextRotationTime: now + rotationPeriod });
    state.keys.touch();
  }
}
