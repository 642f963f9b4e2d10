import { randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CloudKms, KmsSettings } from '@temporal-kms/kms-codec';
import { CliError } from '../cli/cli-error.ts';
import type { DefineCommand } from '../cli/deps.ts';
import { loadKeyConfig, parseKeyName } from '../cli/environment.ts';
import { keyUses } from '../cli/key-uses.ts';
import { addCommonOptions, addKeyOption, type CommonOptions, seconds } from '../cli/options.ts';
import { createOutput, type Output } from '../cli/output.ts';
import { connectGoogle, type GoogleClients } from '../google/client.ts';
import { describeKey, withKeyService } from '../google/describe.ts';
import { googleError } from '../google/errors.ts';
import { gcloud, grantLine, ringOptions, YOU } from '../google/gcloud.ts';
import { testPermissions } from '../google/permissions.ts';
import { type RotationEffect, rotationEffect } from '../keys/rotation-effect.ts';

const examples = `
Examples:
  $ temporal-kms rotate
  $ temporal-kms rotate --key projects/acme/locations/us-east1/keyRings/temporal-keys/cryptoKeys/payments
  $ temporal-kms rotate --no-verify      # as an administrator who may not encrypt

Needs roles/cloudkms.admin on the key and, for the round trip, roles/cloudkms.cryptoKeyEncrypterDecrypter. Exits with 75
if Cloud KMS still encrypts under the old version after --wait.`;

const administer = [
  'cloudkms.cryptoKeys.get',
  'cloudkms.cryptoKeys.update',
  'cloudkms.cryptoKeyVersions.create',
  'cloudkms.cryptoKeyVersions.get',
  'cloudkms.cryptoKeyVersions.list',
];
const use = ['cloudkms.cryptoKeyVersions.useToEncrypt', 'cloudkms.cryptoKeyVersions.useToDecrypt'];

interface RotateOptions extends CommonOptions {
  readonly key?: string;
  readonly verify: boolean;
  readonly wait: number;
}

/** `rotate`: creates a version, makes it primary, and verifies it by a round trip. */
export const define: DefineCommand = (command, deps, exit) => {
  command
    .option('--no-verify', 'do not encrypt and decrypt 32 random bytes under the new version')
    .option(
      '--wait <seconds>',
      'how long to wait for Cloud KMS to encrypt under the new version',
      seconds,
      120,
    )
    .addHelpText('after', examples);
  addKeyOption(addCommonOptions(command)).action(async (options: RotateOptions) => {
    const output = createOutput(deps, options.json === true);
    const { kms: settings } = loadKeyConfig(deps.env, options);
    const key = keyToRotate(settings, options.key);
    const google = await connectGoogle(settings.emulatorHost, output);
    try {
      const result = await withKeyService(settings.emulatorHost, (service) =>
        rotate({ google, service, output, key, settings }, options),
      );
      output.result(result, () => linesOf(result));
      if (result.verified === 'not yet') exit('notYet');
    } finally {
      await google.close();
    }
  });
};

/** @throws CliError if the configuration does not determine the key */
function keyToRotate({ rules }: KmsSettings, wanted: string | undefined): string {
  const keys = keyUses(rules).filter(({ encryptsFor }) => encryptsFor.length > 0);
  const [first] = keys;
  if (wanted !== undefined) return wanted;
  if (first !== undefined && keys.length === 1) return first.key;
  throw new CliError(
    'usage',
    keys.length === 0
      ? 'The configuration has no key that encrypts'
      : 'The configuration has several keys that encrypt',
    keys.map(({ key }) => `temporal-kms rotate --key ${key}`),
  );
}

interface Rotation {
  readonly google: GoogleClients;
  readonly service: CloudKms;
  readonly output: Output;
  readonly key: string;
  readonly settings: KmsSettings;
}

interface RotationResult {
  readonly key: string;
  readonly previous: number | null;
  readonly version: number;
  /**
   * `not yet`: Cloud KMS still encrypts under another version. `skipped`: the option `--no-verify` was given.
   */
  readonly verified: 'yes' | 'not yet' | 'skipped';
  readonly milliseconds: number | null;
  readonly processes: RotationEffect;
}

async function rotate(rotation: Rotation, { verify, wait }: RotateOptions): Promise<RotationResult> {
  const { google, service, output, key, settings } = rotation;
  await requirePermissions(google, key, verify);
  const { primary } = await describeKey(service, key);
  const purpose = { resource: key, role: 'roles/cloudkms.admin' };
  await requireEncryptionKey(google, key);

  output.progress(`Creating a version of ${key}`);
  const [created] = await google.change(purpose, (options) =>
    google.kms.createCryptoKeyVersion({ parent: key, cryptoKeyVersion: {} }, options),
  );
  const name = created.name ?? '';
  const version = Number(name.slice(name.lastIndexOf('/') + 1));
  const deadline = performance.now() + wait * 1000;
  try {
    await untilEnabled(rotation, name, deadline);
    output.progress(`Making version ${version} primary`);
    await google.change(purpose, (options) =>
      google.kms.updateCryptoKeyPrimaryVersion({ name: key, cryptoKeyVersionId: String(version) }, options),
    );
  } catch (error) {
    throw unfinished(error, key, version);
  }
  const result = {
    key,
    previous: primary ?? null,
    version,
    processes: rotationEffect(settings, primary, version),
  };
  if (!verify) return { ...result, verified: 'skipped', milliseconds: null };
  const milliseconds = await roundTrip(rotation, version, deadline);
  return {
    ...result,
    verified: milliseconds === undefined ? 'not yet' : 'yes',
    milliseconds: milliseconds ?? null,
  };
}

/**
 * Checks that Cloud KMS can create a version of the key and make it primary.
 *
 * @throws CliError if the purpose of the key is not encryption, or if its versions are imported
 */
async function requireEncryptionKey({ kms, read }: GoogleClients, key: string): Promise<void> {
  const [{ purpose, importOnly }] = await read({ resource: key, role: 'roles/cloudkms.viewer' }, (options) =>
    kms.getCryptoKey({ name: key }, options),
  );
  if (purpose === 'ENCRYPT_DECRYPT' && !importOnly) return;
  const reason = importOnly ? 'its versions are imported' : `its purpose is ${String(purpose)}`;
  throw new CliError('failed', `${key} cannot be rotated: ${reason}. Nothing was changed`);
}

/** Checks that the caller has all permissions, before the command changes anything. @throws CliError */
async function requirePermissions(google: GoogleClients, key: string, verify: boolean): Promise<void> {
  const wanted = [...administer, ...(verify ? use : [])];
  const granted = await testPermissions(google, key, wanted);
  const missing = wanted.filter((permission) => !granted.has(permission));
  if (missing.length === 0) return;
  const mayNotUse = missing.some((permission) => use.includes(permission));
  const mayNotAdminister = missing.some((permission) => administer.includes(permission));
  throw new CliError(
    'notPermitted',
    `You lack permissions on ${key}, or it does not exist: ${missing.join(', ')}. Nothing was changed`,
    [
      ...(mayNotAdminister ? [grantLine(key, YOU, 'roles/cloudkms.admin')] : []),
      ...(mayNotUse ? [`temporal-kms rotate --key ${key} --no-verify`] : []),
    ],
  );
}

/**
 * Waits until a version has key material: an HSM generates the material after the version is created.
 * @throws CliError
 */
async function untilEnabled(
  { google, output, key }: Rotation,
  name: string,
  deadline: number,
): Promise<void> {
  for (;;) {
    const [{ state }] = await google.read({ resource: key, role: 'roles/cloudkms.viewer' }, (options) =>
      google.kms.getCryptoKeyVersion({ name }, options),
    );
    if (state === 'ENABLED') return;
    if (state !== 'PENDING_GENERATION' || performance.now() > deadline) {
      throw new CliError('notYet', `${name} is ${state}`);
    }
    output.progress("Waiting for the version's key material");
    await sleep(1000);
  }
}

/**
 * Repeats a round trip of random bytes until Cloud KMS encrypts under the version, or until the deadline.
 * @returns the duration of the last round trip in milliseconds, or undefined if Cloud KMS does not use the version yet
 */
async function roundTrip(
  { service, output, key }: Rotation,
  version: number,
  deadline: number,
): Promise<number | undefined> {
  output.progress('Verifying with a round trip');
  for (;;) {
    const start = performance.now();
    const used = await encryptAndDecrypt(service, key);
    if (used === version) return Math.round(performance.now() - start);
    if (performance.now() > deadline) return undefined;
    output.progress(
      `Cloud KMS still encrypts under version ${used}; a new primary version takes effect within minutes`,
    );
    await sleep(2000);
  }
}

/** @returns the version under which Cloud KMS encrypted */
async function encryptAndDecrypt(service: CloudKms, key: string): Promise<number> {
  const plaintext = randomBytes(32);
  const aad = Buffer.from('temporal-kms rotate');
  try {
    const { ciphertext, keyVersion } = await service.wrap({ key, plaintext, aad });
    const decrypted = await service.unwrap({ key, ciphertext, aad, keyVersion });
    const isSame = decrypted.length === plaintext.length && timingSafeEqual(decrypted, plaintext);
    decrypted.fill(0);
    if (!isSame) throw new CliError('internal', `${key} version ${keyVersion} decrypted to different bytes`);
    return keyVersion;
  } catch (error) {
    throw googleError(error, { resource: key, role: 'roles/cloudkms.cryptoKeyEncrypterDecrypter' });
  } finally {
    plaintext.fill(0);
  }
}

/**
 * Returns an error that states how to finish a rotation without repeating the command, which would create
 * another version.
 */
function unfinished(error: unknown, key: string, version: number): CliError {
  const { exit, message } = googleError(error, { resource: key, role: 'roles/cloudkms.admin' });
  return new CliError(
    exit,
    `Version ${version} exists, but it is not primary: ${message}`,
    [gcloud('kms keys update', parseKeyName(key).id, `--primary-version=${version}`, ...ringOptions(key))],
    error,
  );
}

function linesOf({ key, previous, version, verified, milliseconds, processes }: RotationResult): string[] {
  const from = previous === null ? '' : `, in place of version ${previous}`;
  const verification = {
    yes: `Verified: Cloud KMS encrypts and decrypts under version ${version} (${milliseconds} ms).`,
    'not yet':
      `Not verified: Cloud KMS still encrypts under another version. A new primary version takes effect within minutes, ` +
      'in rare cases hours. The version exists and is primary: do not rotate again.',
    skipped: 'Not verified (--no-verify).',
  };
  return [`Version ${version} of ${key} is primary${from}.`, verification[verified], '', ...processes.lines];
}
