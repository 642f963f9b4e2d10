import type { KeyDescription } from '@temporal-kms/kms-codec';
import { CliError } from '../cli/cli-error.ts';
import { type KeyUse, useText } from '../cli/key-uses.ts';
import type { GoogleClients } from '../google/client.ts';
import { projectOf } from '../google/errors.ts';
import { grantLine } from '../google/gcloud.ts';
import { testPermissions } from '../google/permissions.ts';
import { findProblems } from '../keys/problems.ts';
import { type Finding, findings } from '../cli/finding.ts';
import type { AppName } from './variables.ts';

const ENCRYPT = 'cloudkms.cryptoKeyVersions.useToEncrypt';
const DECRYPT = 'cloudkms.cryptoKeyVersions.useToDecrypt';
const view = ['cloudkms.cryptoKeys.get', 'cloudkms.cryptoKeyVersions.get', 'cloudkms.cryptoKeyVersions.list'];
/**
 * Permissions with which an intruder in the application could destroy the application's keys, or give others access to
 * the keys.
 */
const administer = [
  'cloudkms.cryptoKeyVersions.destroy',
  'cloudkms.cryptoKeys.setIamPolicy',
  'cloudkms.cryptoKeys.update',
];

/** The application whose identity makes the calls. */
export interface Caller {
  readonly app: AppName;
  /** The service account's e-mail address, if the credentials contain it. */
  readonly email: string | undefined;
}

/** Returns the member (in IAM's terms) for a command that grants a role to the application. */
export const memberOf = ({ app, email }: Caller, key: string): string =>
  `serviceAccount:${email ?? `${app}@${projectOf(key)}.iam.gserviceaccount.com`}`;

/** The operations on a key for which the application's identity has permission. */
export interface KeyAccess {
  readonly encrypts: boolean;
  readonly decrypts: boolean;
  readonly views: boolean;
}

const permissions = findings('permissions');

/** Checks the application's permissions on a key, including permissions that the application should not have. */
export async function checkPermissions(
  google: GoogleClients,
  caller: Caller,
  { key, encryptsFor }: KeyUse,
): Promise<{ readonly access: KeyAccess; readonly found: readonly Finding[] }> {
  const granted = await testPermissions(google, key, [ENCRYPT, DECRYPT, ...view, ...administer]);
  const access = {
    encrypts: granted.has(ENCRYPT),
    decrypts: granted.has(DECRYPT),
    views: view.every((permission) => granted.has(permission)),
  };
  const { app } = caller;
  const member = memberOf(caller, key);
  const mustEncrypt = app === 'worker' && encryptsFor.length > 0;
  const found: Finding[] = [];
  if (mustEncrypt && !access.encrypts) {
    found.push(
      permissions.failed(
        `this identity may not encrypt with ${key} (${ENCRYPT}), or the key does not exist`,
        grantLine(key, member, `roles/cloudkms.cryptoKeyEncrypter${access.decrypts ? '' : 'Decrypter'}`),
      ),
    );
  } else if (!access.decrypts) {
    found.push(
      permissions.failed(
        `this identity may not decrypt with ${key} (${DECRYPT}), or the key does not exist`,
        grantLine(key, member, 'roles/cloudkms.cryptoKeyDecrypter'),
      ),
    );
  } else {
    const both = access.encrypts ? 'encrypt and decrypt' : 'decrypt';
    const encode = access.encrypts || app === 'worker' ? '' : '; /encode of the codec server is not possible';
    found.push(permissions.ok(`this identity may ${both} with ${key}${encode}`));
  }
  if (app === 'codec-server' && !access.views) {
    found.push(
      permissions.warning(
        `this identity may not see the version states of ${key}, so payloads under a destroyed version count as temporarily unreadable`,
        grantLine(key, member, 'roles/cloudkms.viewer'),
      ),
    );
  }
  const excess = administer.filter((permission) => granted.has(permission));
  if (excess.length > 0) {
    found.push(
      permissions.warning(
        `this identity administers ${key} (${excess.join(', ')}), which ${app} does not need: use a separate service account`,
      ),
    );
  }
  return { access, found };
}

const state = findings('key state');

/** Checks the primary version of a key, if the identity may describe the key. */
export async function checkKeyState(
  describe: (key: string) => Promise<KeyDescription>,
  use: KeyUse,
  access: KeyAccess,
  now: Date,
): Promise<readonly Finding[]> {
  const { key } = use;
  if (!access.views) {
    return [
      state.skipped(`this identity may not describe ${key} (roles/cloudkms.viewer); see the round trip`),
    ];
  }
  try {
    const description = await describe(key);
    const problems = use.encryptsFor.length > 0 ? findProblems(description, now) : [];
    if (problems.length > 0)
      return problems.map(({ message, fix }) => state.failed(`${key}: ${message}`, ...fix));
    const enabled = description.versions.filter((version) => version.state === 'ENABLED').length;
    return [
      state.ok(
        `${key} ${useText(use)}: primary version ${description.primary}, ${enabled} of ${description.versions.length} versions enabled`,
      ),
    ];
  } catch (error) {
    if (error instanceof CliError) return [state.failed(error.message, ...error.fix)];
    throw error;
  }
}
