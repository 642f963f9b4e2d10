import { isGeneratedLater, type ProtectionLevel, type Purpose } from './algorithms.ts';
import { KmsError, notFound } from './errors.ts';
import { advanceVersion, isUsable, notEnabled, type KeyVersion } from './key-version.ts';
import { versionName } from './names.ts';

/** A crypto key and its versions: version n is at index n - 1. Times and durations are in milliseconds. */
export interface CryptoKey {
  readonly name: string;
  readonly purpose: Purpose;
  readonly createTime: number;
  readonly importOnly: boolean;
  readonly destroyScheduledDuration: number;
  readonly versions: KeyVersion[];
  readonly template: { readonly protectionLevel: ProtectionLevel; algorithm: string };
  labels: Record<string, string>;
  rotationPeriod?: number;
  nextRotationTime?: number;
  primary?: Primary;
}

/**
 * The primary version. Because of the propagation delay, Encrypt still uses the version `previous` until the
 * time `until`.
 */
interface Primary {
  readonly number: number;
  readonly previous?: number;
  readonly until?: number;
}

/**
 * The source of key material and locators, in base64. The values are random in the emulator, and fixed in
 * tests.
 */
export interface MaterialSource {
  material(algorithm: string): string;
  locator(versionNumber: number): string;
}

/** The time until changes take effect, in milliseconds. */
export interface Delays {
  readonly disable: number;
  readonly primary: number;
  readonly generation: number;
}

/** CreateCryptoKeyVersion: adds the next version from the template. The primary version does not change. */
export function createVersion(
  key: CryptoKey,
  now: number,
  source: MaterialSource,
  generation: number,
): KeyVersion {
  const number = key.versions.length + 1;
  const later = generation > 0 || isGeneratedLater(key.purpose);
  const version: KeyVersion = {
    number,
    algorithm: key.template.algorithm,
    protectionLevel: key.template.protectionLevel,
    createTime: now,
    locator: source.locator(number),
    state: later ? 'PENDING_GENERATION' : 'ENABLED',
    material: source.material(key.template.algorithm),
    generateTime: now + generation,
  };
  key.versions.push(version);
  return version;
}

export function versionOf(key: CryptoKey, number: number): KeyVersion {
  const version = key.versions[number - 1];
  if (version === undefined) throw notFound('CryptoKeyVersion', versionName(key.name, number));
  return version;
}

/**
 * UpdateCryptoKeyPrimaryVersion: changes the primary version. Readers see the change immediately, and Encrypt
 * sees it after a delay.
 */
export function setPrimary(key: CryptoKey, number: number, now: number, delay: number): void {
  requirePurpose(key, 'ENCRYPT_DECRYPT');
  const name = versionName(key.name, number);
  const version = versionOf(key, number);
  if (version.state !== 'ENABLED') throw notEnabled(version, name);
  makePrimary(key, number, now, delay);
}

/** Returns the version that Encrypt uses at this moment. */
export function effectivePrimary(key: CryptoKey, now: number): KeyVersion | undefined {
  const { primary } = key;
  if (primary === undefined) return undefined;
  const { number, previous, until } = primary;
  const current = previous !== undefined && until !== undefined && now < until ? previous : number;
  return key.versions[current - 1];
}

/** Returns the version that Encrypt must use, whether the request names the key or one of its versions. */
export function versionToEncrypt(key: CryptoKey, number: number | undefined, now: number): KeyVersion {
  requirePurpose(key, 'ENCRYPT_DECRYPT');
  const version = number === undefined ? effectivePrimary(key, now) : versionOf(key, number);
  if (version === undefined) {
    throw new KmsError('FAILED_PRECONDITION', `${key.name} has no primary version.`);
  }
  return requireUsable(key, version, now);
}

export function requireUsable(key: CryptoKey, version: KeyVersion, now: number): KeyVersion {
  if (!isUsable(version, now)) throw notEnabled(version, versionName(key.name, version.number));
  return version;
}

export function requirePurpose(key: CryptoKey, purpose: Purpose): void {
  if (key.purpose === purpose) return;
  throw new KmsError(
    'FAILED_PRECONDITION',
    `${key.name} has purpose ${key.purpose}; this operation needs a key of purpose ${purpose}.`,
  );
}

/**
 * Performs the rotation, key generation or destruction that is due for a key. Returns whether the key has
 * changed.
 */
export function advanceKey(key: CryptoKey, now: number, source: MaterialSource, delays: Delays): boolean {
  let changed = false;
  while (key.nextRotationTime !== undefined && key.nextRotationTime <= now) {
    const at = key.nextRotationTime;
    const version = createVersion(key, at, source, 0);
    makePrimary(key, version.number, at, delays.primary);
    if (key.rotationPeriod === undefined) delete key.nextRotationTime;
    else key.nextRotationTime = at + key.rotationPeriod;
    changed = true;
  }
  for (const version of key.versions) changed = advanceVersion(version, now) || changed;
  return changed;
}

/**
 * Returns the next time at which {@link advanceKey} will change the key, or infinity if there is no such
 * time.
 */
export function nextEvent(key: CryptoKey): number {
  let next = key.nextRotationTime ?? Infinity;
  for (const { state, generateTime, destroyTime } of key.versions) {
    if (state === 'PENDING_GENERATION') next = Math.min(next, generateTime ?? Infinity);
    if (state === 'DESTROY_SCHEDULED') next = Math.min(next, destroyTime ?? Infinity);
  }
  return next;
}

export function makePrimary(key: CryptoKey, number: number, now: number, delay: number): void {
  const previous = effectivePrimary(key, now);
  key.primary =
    delay > 0 && previous !== undefined && previous.number !== number
      ? { number, previous: previous.number, until: now + delay }
      : { number };
}
