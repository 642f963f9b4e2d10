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
  /**
   * Absent if the quota depends on the key's protection level. The handler then counts the call itself.
   */
  readonly quota?: QuotaKind;
  run(request: object, context: Context): object;
}

// `run` takes any object, whereas the handler takes its request type. The difference is safe, because the
// transport decodes the object with the proto from which the type is generated.
const method = <Request extends object, Response extends object>(
  handler: Handler<Request, Response>,
  quota?: QuotaKind,
): Method => ({ run: handler, ...(quota === undefined ? {} : { quota }) });

/** The methods of the emulator. The emulator returns UNIMPLEMENTED for every other method. */
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

/** Project policies belong to Resource Manager, so calls for these policies use no Cloud KMS quota. */
export const projectMethods: Readonly<Record<string, Method>> = {
  GetIamPolicy: method(projects.getIamPolicy),
  SetIamPolicy: method(projects.setIamPolicy),
  TestIamPermissions: method(projects.testIamPermissions),
};
