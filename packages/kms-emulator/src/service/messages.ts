import type { protos } from '@google-cloud/kms';
import type { ProtectionLevel } from '../model/algorithms.ts';
import type { CryptoKey } from '../model/crypto-key.ts';
import type { KeyRing } from '../model/key-space.ts';
import type { KeyVersion, VersionState } from '../model/key-version.ts';
import { versionName } from '../model/names.ts';
import { toDuration, toTimestamp } from './fields.ts';

export type KeyRingMessage = protos.google.cloud.kms.v1.IKeyRing;
// Algorithms are text, so the emulator also accepts algorithms that only a newer client knows.
export type VersionMessage = Omit<protos.google.cloud.kms.v1.ICryptoKeyVersion, 'algorithm'> & {
  algorithm?: string;
};
export type CryptoKeyMessage = Omit<protos.google.cloud.kms.v1.ICryptoKey, 'primary' | 'versionTemplate'> & {
  primary?: VersionMessage;
  versionTemplate: { protectionLevel: ProtectionLevel; algorithm: string };
};

export const keyRingMessage = ({ name, createTime }: KeyRing): KeyRingMessage => ({
  name,
  createTime: toTimestamp(createTime),
});

/**
 * Returns the message for a key. Its `primary` is the version that was made primary most recently, even if
 * Encrypt still uses another version.
 */
export function cryptoKeyMessage(key: CryptoKey): CryptoKeyMessage {
  const primary = key.primary === undefined ? undefined : key.versions[key.primary.number - 1];
  return {
    name: key.name,
    purpose: key.purpose,
    createTime: toTimestamp(key.createTime),
    labels: key.labels,
    importOnly: key.importOnly,
    destroyScheduledDuration: toDuration(key.destroyScheduledDuration),
    versionTemplate: { protectionLevel: key.template.protectionLevel, algorithm: key.template.algorithm },
    ...(primary === undefined ? {} : { primary: versionMessage(key, primary) }),
    ...(key.rotationPeriod === undefined ? {} : { rotationPeriod: toDuration(key.rotationPeriod) }),
    ...(key.nextRotationTime === undefined ? {} : { nextRotationTime: toTimestamp(key.nextRotationTime) }),
  };
}

export function versionMessage(key: CryptoKey, version: KeyVersion): VersionMessage {
  const { number, state, generateTime, destroyTime, destroyEventTime, failureReason } = version;
  return {
    name: versionName(key.name, number),
    state,
    protectionLevel: version.protectionLevel,
    algorithm: version.algorithm,
    createTime: toTimestamp(version.createTime),
    ...(generateTime === undefined || state === 'PENDING_GENERATION'
      ? {}
      : { generateTime: toTimestamp(generateTime) }),
    ...(destroyTime === undefined ? {} : { destroyTime: toTimestamp(destroyTime) }),
    ...(destroyEventTime === undefined ? {} : { destroyEventTime: toTimestamp(destroyEventTime) }),
    ...(failureReason === undefined ? {} : failure(state, failureReason)),
  };
}

function failure(state: VersionState, reason: string): VersionMessage {
  if (state === 'IMPORT_FAILED') return { importFailureReason: reason };
  if (state === 'GENERATION_FAILED') return { generationFailureReason: reason };
  if (state === 'EXTERNAL_DESTRUCTION_FAILED') return { externalDestructionFailureReason: reason };
  return {};
}
