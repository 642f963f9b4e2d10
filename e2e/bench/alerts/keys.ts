import type { Emulator } from '@temporal-kms/kms-emulator';

/**
 * Namespaces, each with its own crypto key. Programs use `default`; the other namespaces are for alerts on
 * keys.
 */
export const namespaces = ['default', 'overdue', 'disabled', 'scheduled', 'destroyed', 'hidden'] as const;
export type Namespace = (typeof namespaces)[number];

const RING = 'projects/local/locations/global/keyRings/alerts';
const DAY_SECONDS = 86_400;

export const keyOf = (namespace: Namespace): string => `${RING}/cryptoKeys/${namespace}`;
export const versionOf = (namespace: Namespace, version: number): string =>
  `${keyOf(namespace)}/cryptoKeyVersions/${version}`;

export const SERVER = 'codec-server@local.iam.gserviceaccount.com';

const bindings = (...roles: readonly string[]) =>
  roles.map((role) => ({ role: `roles/cloudkms.${role}`, members: [`serviceAccount:${SERVER}`] }));

/** Grants the codec server the roles that it needs on a crypto key. */
export const grant = (emulator: Emulator, namespace: Namespace) =>
  emulator.setPolicy(keyOf(namespace), bindings('cryptoKeyEncrypterDecrypter', 'viewer'));

/** Removes the codec server's roles on a crypto key, except the roles in `except`. */
export const revoke = (emulator: Emulator, namespace: Namespace, ...except: readonly string[]) =>
  emulator.setPolicy(keyOf(namespace), bindings(...except));

/**
 * Creates a key with a rotation period of 90 days and a version that is 100 days old. The next rotation is
 * years away, as if someone had postponed it.
 */
export async function createOverdueKey(emulator: Emulator): Promise<void> {
  await emulator.setTime(new Date(Date.now() - 100 * DAY_SECONDS * 1_000));
  const response = await fetch(`${emulator.url}/v1/${RING}/cryptoKeys?cryptoKeyId=overdue`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      purpose: 'ENCRYPT_DECRYPT',
      rotationPeriod: `${90 * DAY_SECONDS}s`,
      nextRotationTime: new Date(Date.now() + 3_650 * DAY_SECONDS * 1_000).toISOString(),
    }),
  });
  if (!response.ok) throw new Error(`The emulator created no key: ${await response.text()}`);
  emulator.resetTime();
}
