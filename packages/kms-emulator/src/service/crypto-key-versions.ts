import type { protos } from '@google-cloud/kms';
import { createVersion } from '../model/crypto-key.ts';
import { invalidArgument, KmsError, unimplemented } from '../model/errors.ts';
import { restore, scheduleDestruction, setState } from '../model/key-version.ts';
import { parseCryptoKey, parseVersion } from '../model/names.ts';
import { delaysOf, permittedVersion, requirePermission, type Handler } from './context.ts';
import { enumName, maskPaths, text } from './fields.ts';
import { versionMessage, type VersionMessage } from './messages.ts';
import { page, type ListPage } from './paging.ts';

export const createCryptoKeyVersion: Handler<
  protos.google.cloud.kms.v1.ICreateCryptoKeyVersionRequest,
  VersionMessage
> = (request, context) => {
  const { name } = parseCryptoKey(text(request.parent));
  requirePermission(context, 'cloudkms.cryptoKeyVersions.create', name);
  const key = context.state.keys.cryptoKey(name);
  if (key.importOnly)
    throw new KmsError('FAILED_PRECONDITION', `${name} may contain imported versions only.`);
  const version = createVersion(key, context.now, context.source, delaysOf(context).generation);
  context.state.keys.touch();
  return versionMessage(key, version);
};

export const getCryptoKeyVersion: Handler<
  protos.google.cloud.kms.v1.IGetCryptoKeyVersionRequest,
  VersionMessage
> = (request, context) => {
  const { key, version } = permittedVersion(context, 'cloudkms.cryptoKeyVersions.get', request.name);
  return versionMessage(key, version);
};

export const listCryptoKeyVersions: Handler<
  protos.google.cloud.kms.v1.IListCryptoKeyVersionsRequest,
  ListPage<'cryptoKeyVersions', VersionMessage>
> = (request, context) => {
  const { name } = parseCryptoKey(text(request.parent));
  requirePermission(context, 'cloudkms.cryptoKeyVersions.list', name);
  const key = context.state.keys.cryptoKey(name);
  const messages = key.versions.map((version) => versionMessage(key, version));
  const { items, ...rest } = page(messages, name, request);
  return { cryptoKeyVersions: items, ...rest };
};

export const updateCryptoKeyVersion: Handler<
  protos.google.cloud.kms.v1.IUpdateCryptoKeyVersionRequest,
  VersionMessage
> = (request, context) => {
  const paths = maskPaths(request.updateMask);
  const { name } = parseVersion(text(request.cryptoKeyVersion?.name));
  for (const path of paths) {
    if (path === 'external_protection_level_options')
      throw unimplemented('The emulator has no external keys.');
    if (path !== 'state') throw invalidArgument(`The field ${path} of a CryptoKeyVersion cannot be updated.`);
  }
  requirePermission(context, 'cloudkms.cryptoKeyVersions.update', name);
  const { key, version } = context.state.keys.version(name);
  const state = enumName(request.cryptoKeyVersion?.state);
  setState(version, name, state, context.now, delaysOf(context).disable);
  context.state.keys.touch();
  return versionMessage(key, version);
};

export const destroyCryptoKeyVersion: Handler<
  protos.google.cloud.kms.v1.IDestroyCryptoKeyVersionRequest,
  VersionMessage
> = (request, context) => {
  const { key, version, name } = permittedVersion(
    context,
    'cloudkms.cryptoKeyVersions.destroy',
    request.name,
  );
  scheduleDestruction(version, name, context.now, key.destroyScheduledDuration, delaysOf(context).disable);
  context.state.keys.touch();
  return versionMessage(key, version);
};

export const restoreCryptoKeyVersion: Handler<
  protos.google.cloud.kms.v1.IRestoreCryptoKeyVersionRequest,
  VersionMessage
> = (request, context) => {
  const { key, version, name } = permittedVersion(
    context,
    'cloudkms.cryptoKeyVersions.restore',
    request.name,
  );
  restore(version, name);
  context.state.keys.touch();
  return versionMessage(key, version);
};
