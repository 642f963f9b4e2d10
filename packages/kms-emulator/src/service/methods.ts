import type { QuotaKind } from '../conditions/quotas.ts';
import type { Context, Handler } from './context.ts';
import * as versions from './crypto-key-versions.ts';
import * as keys from './crypto-keys.ts';
import * as cryptography from './cryptography.ts';
import * as iam from './iam.ts';
import * as rings from './key-rings.ts';

/** An RPC that the emulator has, and the quota that each call of it uses up. */
export interface Method {
  /** Absent where the key's protection level decides: the handler counts then. */
  readonly quota?: QuotaKind;
  run(request: object, context: Context): object;
}

// `run` takes any object and the handler its own request: the transport has decoded it by the proto from
// which the handler's type is made.
const method = <Request extends object, Response extends object>(
  handler: Handler<Request, Response>,
  quota?: QuotaKind,
): Method => ({ run: handler, ...(quota === undefined ? {} : { quota }) });

/** What is not in here is answered with UNIMPLEMENTED. */
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
};

export const iamMethods: Readonly<Record<string, Method>> = {
  GetIamPolicy: method(iam.getIamPolicy, 'read'),
  SetIamPolicy: method(iam.setIamPolicy, 'write'),
  TestIamPermissions: method(iam.testIamPermissions, 'read'),
};
