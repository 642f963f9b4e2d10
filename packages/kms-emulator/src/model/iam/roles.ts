import { allPermissions, type Permission } from './permissions.ts';

const locations: Permission[] = ['cloudkms.locations.get', 'cloudkms.locations.list'];
const encrypt: Permission[] = ['cloudkms.cryptoKeyVersions.useToEncrypt', ...locations];
const decrypt: Permission[] = ['cloudkms.cryptoKeyVersions.useToDecrypt', ...locations];
const sign: Permission[] = ['cloudkms.cryptoKeyVersions.useToSign', ...locations];
const viewPublicKey: Permission[] = ['cloudkms.cryptoKeyVersions.viewPublicKey', ...locations];
const verify: Permission[] = ['cloudkms.cryptoKeyVersions.useToVerify', ...viewPublicKey];
const project: Permission = 'resourcemanager.projects.get';
const view: Permission[] = [
  'cloudkms.cryptoKeyVersions.get',
  'cloudkms.cryptoKeyVersions.list',
  'cloudkms.cryptoKeys.get',
  'cloudkms.cryptoKeys.list',
  'cloudkms.keyRings.get',
  'cloudkms.keyRings.list',
  project,
  ...locations,
];
const policies: Permission[] = [
  'cloudkms.cryptoKeys.getIamPolicy',
  'cloudkms.cryptoKeys.setIamPolicy',
  'cloudkms.keyRings.getIamPolicy',
  'cloudkms.keyRings.setIamPolicy',
];
// To separate duties, a key administrator cannot use the keys
// (cloud.google.com/kms/docs/separation-of-duties).
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
  ['roles/owner', new Set(allPermissions)],
  ['roles/viewer', new Set(view)],
  [
    'roles/resourcemanager.projectIamAdmin',
    new Set<Permission>([
      project,
      'resourcemanager.projects.getIamPolicy',
      'resourcemanager.projects.setIamPolicy',
    ]),
  ],
  ['roles/cloudkms.admin', new Set(administer)],
  ['roles/cloudkms.viewer', new Set(view)],
  ['roles/cloudkms.cryptoKeyEncrypter', new Set(encrypt)],
  ['roles/cloudkms.cryptoKeyDecrypter', new Set(decrypt)],
  ['roles/cloudkms.cryptoKeyEncrypterDecrypter', new Set([...encrypt, ...decrypt])],
  ['roles/cloudkms.publicKeyViewer', new Set([...viewPublicKey, project])],
  ['roles/cloudkms.signer', new Set([...sign, project])],
  ['roles/cloudkms.verifier', new Set([...verify, project])],
  ['roles/cloudkms.signerVerifier', new Set([...sign, ...verify, project])],
  [
    'roles/cloudkms.cryptoOperator',
    new Set<Permission>([
      ...encrypt,
      ...decrypt,
      ...sign,
      ...verify,
      'cloudkms.cryptoKeyVersions.useToDecapsulate',
      'cloudkms.locations.generateRandomBytes',
    ]),
  ],
]);

export const isRole = (role: string): boolean => roles.has(role);

export const roleGrants = (role: string, permission: string): boolean =>
  (roles.get(role) as ReadonlySet<string> | undefined)?.has(permission) ?? false;
