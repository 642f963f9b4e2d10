/** The permissions that the emulator checks, as Cloud IAM names them. */
export type Permission =
  | 'cloudkms.keyRings.create'
  | 'cloudkms.keyRings.get'
  | 'cloudkms.keyRings.getIamPolicy'
  | 'cloudkms.keyRings.list'
  | 'cloudkms.keyRings.setIamPolicy'
  | 'cloudkms.cryptoKeys.create'
  | 'cloudkms.cryptoKeys.get'
  | 'cloudkms.cryptoKeys.getIamPolicy'
  | 'cloudkms.cryptoKeys.list'
  | 'cloudkms.cryptoKeys.setIamPolicy'
  | 'cloudkms.cryptoKeys.update'
  | 'cloudkms.cryptoKeyVersions.create'
  | 'cloudkms.cryptoKeyVersions.destroy'
  | 'cloudkms.cryptoKeyVersions.get'
  | 'cloudkms.cryptoKeyVersions.list'
  | 'cloudkms.cryptoKeyVersions.restore'
  | 'cloudkms.cryptoKeyVersions.update'
  | 'cloudkms.cryptoKeyVersions.useToDecrypt'
  | 'cloudkms.cryptoKeyVersions.useToEncrypt'
  | 'cloudkms.locations.generateRandomBytes'
  | 'cloudkms.locations.get'
  | 'cloudkms.locations.list';

const locations: Permission[] = ['cloudkms.locations.get', 'cloudkms.locations.list'];
const encrypt: Permission[] = ['cloudkms.cryptoKeyVersions.useToEncrypt', ...locations];
const decrypt: Permission[] = ['cloudkms.cryptoKeyVersions.useToDecrypt', ...locations];
const view: Permission[] = [
  'cloudkms.cryptoKeyVersions.get',
  'cloudkms.cryptoKeyVersions.list',
  'cloudkms.cryptoKeys.get',
  'cloudkms.cryptoKeys.list',
  'cloudkms.keyRings.get',
  'cloudkms.keyRings.list',
  ...locations,
];
const policies: Permission[] = [
  'cloudkms.cryptoKeys.getIamPolicy',
  'cloudkms.cryptoKeys.setIamPolicy',
  'cloudkms.keyRings.getIamPolicy',
  'cloudkms.keyRings.setIamPolicy',
];
// An administrator of keys cannot use them: separation of duties (cloud.google.com/kms/docs/separation-of-duties).
const administer: Permission[] = [
  'cloudkms.cryptoKeyVersions.create',
  'cloudkms.cryptoKeyVersions.destroy',
  'cloudkms.cryptoKeyVersions.restore',
  'cloudkms.cryptoKeyVersions.update',
  'cloudkms.cryptoKeys.create',
  'cloudkms.cryptoKeys.update',
  'cloudkms.keyRings.create',
  ...policies,
  ...view,
];

const roles = new Map<string, ReadonlySet<Permission>>([
  ['roles/owner', new Set([...administer, ...encrypt, ...decrypt, 'cloudkms.locations.generateRandomBytes'])],
  ['roles/viewer', new Set(view)],
  ['roles/cloudkms.admin', new Set(administer)],
  ['roles/cloudkms.viewer', new Set(view)],
  ['roles/cloudkms.cryptoKeyEncrypter', new Set(encrypt)],
  ['roles/cloudkms.cryptoKeyDecrypter', new Set(decrypt)],
  ['roles/cloudkms.cryptoKeyEncrypterDecrypter', new Set([...encrypt, ...decrypt])],
  [
    'roles/cloudkms.cryptoOperator',
    new Set([...encrypt, ...decrypt, 'cloudkms.locations.generateRandomBytes']),
  ],
]);

const known: ReadonlySet<string> = roles.get('roles/owner') ?? new Set();

/** Whether the emulator knows a permission. The owner has all of them. */
export const isPermission = (permission: string): boolean => known.has(permission);

export const isRole = (role: string): boolean => roles.has(role);

export const roleGrants = (role: string, permission: string): boolean =>
  (roles.get(role) as ReadonlySet<string> | undefined)?.has(permission) ?? false;
