import type { ProtectionLevel } from './algorithms.ts';
import { invalidArgument, KmsError } from './errors.ts';

/** Every state of `CryptoKeyVersion.CryptoKeyVersionState`. */
export const versionStates = [
  'PENDING_GENERATION',
  'ENABLED',
  'DISABLED',
  'DESTROY_SCHEDULED',
  'DESTROYED',
  'PENDING_IMPORT',
  'IMPORT_FAILED',
  'GENERATION_FAILED',
  'PENDING_EXTERNAL_DESTRUCTION',
  'EXTERNAL_DESTRUCTION_FAILED',
] as const;

export type VersionState = (typeof versionStates)[number];

/** A version of a key. Times are milliseconds since the epoch; `material` is base64. */
export interface KeyVersion {
  readonly number: number;
  readonly algorithm: string;
  readonly protectionLevel: ProtectionLevel;
  readonly createTime: number;
  /**
   * The opaque id, in base64, that identifies the version in its ciphertexts. The id is kept after the key
   * material is destroyed.
   */
  readonly locator: string;
  state: VersionState;
  material?: string;
  generateTime?: number;
  destroyTime?: number;
  destroyEventTime?: number;
  failureReason?: string;
  /** Because of the propagation delay, Encrypt and Decrypt treat the version as enabled until this time. */
  usableUntil?: number;
}

/** The states in which a version has no key material and will never have key material. */
const withoutMaterial: ReadonlySet<VersionState> = new Set([
  'DESTROYED',
  'IMPORT_FAILED',
  'GENERATION_FAILED',
  'PENDING_EXTERNAL_DESTRUCTION',
  'EXTERNAL_DESTRUCTION_FAILED',
]);

/**
 * UpdateCryptoKeyVersion: changes the state between ENABLED and DISABLED.
 *
 * Enabling a version has an immediate effect. Disabling a version affects Encrypt and Decrypt only after
 * `delay` milliseconds (cloud.google.com/kms/docs/consistency).
 */
export function setState(version: KeyVersion, name: string, to: string, now: number, delay: number): void {
  if (to !== 'ENABLED' && to !== 'DISABLED') {
    throw invalidArgument(`The state of ${name} can only be set to ENABLED or DISABLED, not to ${to}.`);
  }
  requireState(version, name, ['ENABLED', 'DISABLED']);
  if (to === 'ENABLED') delete version.usableUntil;
  else leaveEnabled(version, now, delay);
  version.state = to;
}

/** DestroyCryptoKeyVersion: ENABLED or DISABLED → DESTROY_SCHEDULED, for `duration` milliseconds. */
export function scheduleDestruction(
  version: KeyVersion,
  name: string,
  now: number,
  duration: number,
  delay: number,
): void {
  requireState(version, name, ['ENABLED', 'DISABLED']);
  leaveEnabled(version, now, delay);
  version.state = 'DESTROY_SCHEDULED';
  version.destroyTime = now + duration;
}

/** RestoreCryptoKeyVersion: DESTROY_SCHEDULED → DISABLED. */
export function restore(version: KeyVersion, name: string): void {
  requireState(version, name, ['DESTROY_SCHEDULED']);
  version.state = 'DISABLED';
  delete version.destroyTime;
}

/**
 * Performs the key generation or destruction that is due for a version. Returns whether the version has
 * changed.
 */
export function advanceVersion(version: KeyVersion, now: number): boolean {
  if (
    version.state === 'PENDING_GENERATION' &&
    version.generateTime !== undefined &&
    version.generateTime <= now
  ) {
    version.state = 'ENABLED';
    return true;
  }
  if (
    version.state === 'DESTROY_SCHEDULED' &&
    version.destroyTime !== undefined &&
    version.destroyTime <= now
  ) {
    version.state = 'DESTROYED';
    version.destroyEventTime = version.destroyTime;
    delete version.destroyTime;
    delete version.usableUntil;
    delete version.material;
    return true;
  }
  return false;
}

/**
 * Puts a version into any state, including states that only imports and external key managers can produce.
 * This function is for tests, and no RPC calls it. If the new state has no key material, the material is
 * deleted. A pending state that this function sets does not end by itself.
 *
 * @param duration how long DESTROY_SCHEDULED lasts, in milliseconds.
 */
export function forceState(
  version: KeyVersion,
  to: VersionState,
  now: number,
  duration: number,
  reason?: string,
): void {
  if (to === 'ENABLED' && version.material === undefined) {
    throw new KmsError(
      'FAILED_PRECONDITION',
      'The key material of this version is gone, so the version cannot be enabled again.',
    );
  }
  version.state = to;
  delete version.usableUntil;
  delete version.destroyTime;
  delete version.destroyEventTime;
  delete version.failureReason;
  if (withoutMaterial.has(to)) delete version.material;
  if (to === 'PENDING_GENERATION') delete version.generateTime;
  if (to === 'ENABLED') version.generateTime ??= now;
  if (to === 'DESTROYED') version.destroyEventTime = now;
  if (to === 'DESTROY_SCHEDULED') version.destroyTime = now + duration;
  if (reason !== undefined) version.failureReason = reason;
}

/**
 * Returns whether Encrypt and Decrypt accept the version. Until the propagation delay has passed, both
 * operations accept a version that is no longer enabled.
 */
export function isUsable(version: KeyVersion, now: number): boolean {
  if (version.material === undefined) return false;
  return version.state === 'ENABLED' || (version.usableUntil !== undefined && now < version.usableUntil);
}

/** Returns Cloud KMS's error for a version that is not enabled, with its `PreconditionFailure`. */
export function notEnabled(version: KeyVersion, name: string): KmsError {
  return new KmsError('FAILED_PRECONDITION', `${name} is not enabled, current state is: ${version.state}.`, {
    violations: [{ type: `KEY_${version.state}`, subject: name }],
  });
}

function leaveEnabled(version: KeyVersion, now: number, delay: number): void {
  if (version.state === 'ENABLED' && delay > 0) version.usableUntil = now + delay;
}

function requireState(version: KeyVersion, name: string, allowed: readonly VersionState[]): void {
  if (allowed.includes(version.state)) return;
  throw new KmsError(
    'FAILED_PRECONDITION',
    `The request cannot be fulfilled. Resource ${name} has value ${version.state} in field crypto_key_version.state.`,
  );
}
