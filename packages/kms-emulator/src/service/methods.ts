import type { QuotaKind } from '../conditions/quotas.ts';
import type { Context, Handler } from './context.ts';
import * as versions from './crypto-key-versions.ts';
import * as keys from './crypto-keys.ts';
import * as cryptography from './cryptography.ts';
import * as iam from './iam.ts';
import * as rings from './key-rings.ts';
import * as locations from './locations.ts';
import * as projects from './project-policies.ts';
import * as signing from './signing.ts';

/** An RPC of the emulator, and the quota that each of its calls uses. */
export interface Method {
  /** Absent if the protection level of the key decides; the handler then counts the call. */
  readonly quota?: QuotaKind;
  run(request: object, context: Context): object;
}

// `run` takes any object, and the handler its own request type: the transport decoded the object with the proto from
// which that type is generated.
const method = <Request extends object, Response extends object>(
  handler: Handler<Request, Response>,
  quota?: QuotaKind,
): Method => ({ run: handler, ...(quota === undefined ? {} : { quota }) });

/** The emulator answers every other method with UNIMPLEMENTED. */
export const keyManagementMethods: Readonly<Record<string, Method>> = {
  ListKeyRings: method(rings.listKeyRings, 'read'),
  GetKeyRing: method(rings.getKeyRing, 'read'),
  CreateKeyRing: method(rings.createKeyRing, 'write'),
  ListCryptoKeys: method(keys.listCryptoKeys, 'read'),
  GetCryptoKey: method(keys.getCryptoKey, 'read'),
  CreateCryptoKey: method(keys.createCryptoKey, 'write'),
  UpdateCryptoKey: method(keys.updateCryptoKey, 'write'),
  UpdateCryptoKeyPrimaryVersion: method(keys.updateCryptoKeyPrimaryVersion, 'write'),
  ListCryptoKeyVersions: method(versions.listCryptoKeyVersions, 'read'),
  GetCryptoKeyVersion: method(versions.getCryptoKeyVersion, 'read'),
  CreateCryptoKeyVersion: method(versions.createCryptoKeyVersion, 'write'),
  UpdateCryptoKeyVersion: method(versions.updateCryptoKeyVersion, 'write'),
  DestroyCryptoKeyVersion: method(versions.destroyCryptoKeyVersion, 'write'),
  RestoreCryptoKeyVersion: method(versions.restoreCryptoKeyVersion, 'write'),
  Encrypt: method(cryptography.encrypt),
  Decrypt: method(cryptography.decrypt),
  GenerateRandomBytes: method(cryptography.generateRandomBytes),
  GetPublicKey: method(signing.getPublicKey, 'read'),
  AsymmetricSign: method(signing.asymmetricSign),
};

export const iamMethods: Readonly<Record<string, Method>> = {
  GetIamPolicy: method(iam.getIamPolicy, 'read'),
  SetIamPolicy: method(iam.setIamPolicy, 'write'),
  TestIamPermissions: method(iam.testIamPermissions, 'read'),
};

export const locationMethods: Readonly<Record<string, Method>> = {
  GetLocation: method(locations.getLocation, 'read'),
  ListLocations: method(locations.listLocations, 'read'),
};

/** The policies of projects belong to Resource Manager, so they use no quota of Cloud KMS. */
export const projectMethods: Readonly<Record<string, Method>> = {
  GetIamPolicy: method(projects.getIamPolicy),
  SetIamPolicy: method(projects.setIamPolicy),
  TestIamPermissions: method(projects.testIamPermissions),
};
