/*
 * The permissions of Cloud KMS (cloud.google.com/iam/docs/roles-permissions/cloudkms), and the permissions
 * for a project's policy. The emulator checks some of them. Clients can query all of them with
 * TestIamPermissions.
 */

const of = <const Resource extends string, const Verb extends string>(
  resource: Resource,
  ...verbs: readonly Verb[]
) => verbs.map((verb) => `cloudkms.${resource}.${verb}` as const);

const permissions = [
  ...of('autokeyConfigs', 'get', 'update'),
  ...of('cryptoKeyVersions', 'create', 'delete', 'destroy', 'get', 'list', 'restore', 'update'),
  ...of('cryptoKeyVersions', 'manageRawAesCbcKeys', 'manageRawAesCtrKeys', 'manageRawPKCS1Keys'),
  ...of('cryptoKeyVersions', 'trustedImportExport', 'useToDecapsulate', 'useToDecrypt'),
  ...of('cryptoKeyVersions', 'useToDecryptViaDelegation', 'useToEncrypt', 'useToEncryptViaDelegation'),
  ...of('cryptoKeyVersions', 'useToSign', 'useToVerify', 'viewPublicKey'),
  ...of('cryptoKeys', 'create', 'delete', 'get', 'getIamPolicy', 'list', 'setIamPolicy', 'update'),
  ...of('ekmConfigs', 'get', 'getIamPolicy', 'setIamPolicy', 'update'),
  ...of('ekmConnections', 'create', 'get', 'getIamPolicy', 'list', 'setIamPolicy', 'update', 'use'),
  ...of('ekmConnections', 'verifyConnectivity'),
  ...of('importJobs', 'create', 'get', 'getIamPolicy', 'list', 'setIamPolicy', 'useToImport'),
  ...of('kajPolicyConfigs', 'get', 'update'),
  ...of('keyHandles', 'create', 'get', 'list'),
  ...of('keyRings', 'create', 'get', 'getIamPolicy', 'list', 'setIamPolicy'),
  ...of('keyRings', 'createTagBinding', 'deleteTagBinding', 'listEffectiveTags', 'listTagBindings'),
  ...of('locations', 'generateRandomBytes', 'get', 'list', 'optOutKeyDeletionMsa'),
  ...of('operations', 'get'),
  ...of('projects', 'showEffectiveAutokeyConfig'),
  ...of('projects', 'showEffectiveKajEnrollmentConfig', 'showEffectiveKajPolicyConfig'),
  ...of('protectedResources', 'search'),
  ...of('retiredResources', 'get', 'list'),
  ...of('singleTenantHsmInstanceProposals', 'approve', 'create', 'delete', 'execute', 'get', 'list'),
  ...of('singleTenantHsmInstances', 'create', 'get', 'list', 'use'),
  'resourcemanager.projects.get',
  'resourcemanager.projects.getIamPolicy',
  'resourcemanager.projects.setIamPolicy',
] as const;

/** A permission under its name in Cloud IAM. */
export type Permission = (typeof permissions)[number];

/** Every {@link Permission}. The owner has all permissions. */
export const allPermissions: readonly Permission[] = permissions;

const known: ReadonlySet<string> = new Set(permissions);

export const isPermission = (permission: string): boolean => known.has(permission);
