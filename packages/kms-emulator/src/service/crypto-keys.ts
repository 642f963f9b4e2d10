import type { protos } from '@google-cloud/kms';
import { requireAlgorithm } from '../model/algorithms.ts';
import { createVersion, makePrimary, setPrimary, type CryptoKey } from '../model/crypto-key.ts';
import { invalidArgument, unimplemented } from '../model/errors.ts';
import { checkLabels } from '../model/labels.ts';
import { checkId, cryptoKeyName, parseCryptoKey, parseKeyRing } from '../model/names.ts';
import { checkSchedule } from '../model/rotation.ts';
import { delaysOf, requirePermission, type Handler } from './context.ts';
import { enumName, maskPaths, milliseconds, text } from './fields.ts';
import { cryptoKeyMessage, type CryptoKeyMessage } from './messages.ts';
import { newKey, scheduleOf } from './new-key.ts';
import { page, type ListPage } from './paging.ts';

type Message = protos.google.cloud.kms.v1.ICryptoKey;

export const createCryptoKey: Handler<
  protos.google.cloud.kms.v1.ICreateCryptoKeyRequest,
  CryptoKeyMessage
> = (request, context) => {
  const { name: ring } = parseKeyRing(text(request.parent));
  const id = text(request.cryptoKeyId);
  checkId('crypto_key_id', id);
  const key = newKey(cryptoKeyName(ring, id), request.cryptoKey ?? {}, context.now);
  requirePermission(context, 'cloudkms.cryptoKeys.create', ring);
  context.state.keys.addCryptoKey(key);
  if (request.skipInitialVersionCreation !== true && !key.importOnly) {
    const version = createVersion(key, context.now, context.source, delaysOf(context).generation);
    if (key.purpose === 'ENCRYPT_DECRYPT') makePrimary(key, version.number, context.now, 0);
  }
  return cryptoKeyMessage(key);
};

export const getCryptoKey: Handler<protos.google.cloud.kms.v1.IGetCryptoKeyRequest, CryptoKeyMessage> = (
  request,
  context,
) => {
  const { name } = parseCryptoKey(text(request.name));
  requirePermission(context, 'cloudkms.cryptoKeys.get', name);
  return cryptoKeyMessage(context.state.keys.cryptoKey(name));
};

export const listCryptoKeys: Handler<
  protos.google.cloud.kms.v1.IListCryptoKeysRequest,
  ListPage<'cryptoKeys', CryptoKeyMessage>
> = (request, context) => {
  const { name: ring } = parseKeyRing(text(request.parent));
  requirePermission(context, 'cloudkms.cryptoKeys.list', ring);
  context.state.keys.keyRing(ring);
  const { items, ...rest } = page(context.state.keys.cryptoKeysIn(ring).map(cryptoKeyMessage), ring, request);
  return { cryptoKeys: items, ...rest };
};

export const updateCryptoKey: Handler<
  protos.google.cloud.kms.v1.IUpdateCryptoKeyRequest,
  CryptoKeyMessage
> = (request, context) => {
  const paths = maskPaths(request.updateMask);
  const wanted = request.cryptoKey ?? {};
  const { name } = parseCryptoKey(text(wanted.name));
  requirePermission(context, 'cloudkms.cryptoKeys.update', name);
  const key = context.state.keys.cryptoKey(name);
  const changes = paths.map((path) => changeFor(path, key, wanted));
  const draft: CryptoKey = { ...key, template: { ...key.template } };
  for (const change of changes) change(draft);
  if (paths.some((path) => path === 'rotation_period' || path === 'next_rotation_time')) {
    checkSchedule(draft.purpose, scheduleOf(draft), context.now);
  }
  for (const change of changes) change(key);
  context.state.keys.touch();
  return cryptoKeyMessage(key);
};

export const updateCryptoKeyPrimaryVersion: Handler<
  protos.google.cloud.kms.v1.IUpdateCryptoKeyPrimaryVersionRequest,
  CryptoKeyMessage
> = (request, context) => {
  const { name } = parseCryptoKey(text(request.name));
  const id = text(request.cryptoKeyVersionId);
  if (!/^[1-9][0-9]{0,8}$/.test(id))
    throw invalidArgument('The field crypto_key_version_id must be a version number.');
  requirePermission(context, 'cloudkms.cryptoKeys.update', name);
  const key = context.state.keys.cryptoKey(name);
  setPrimary(key, Number(id), context.now, delaysOf(context).primary);
  context.state.keys.touch();
  return cryptoKeyMessage(key);
};

/**
 * Returns the change that one path of the mask makes to a key.
 * @throws KmsError INVALID_ARGUMENT if the field can't be updated
 */
function changeFor(path: string, { purpose }: CryptoKey, wanted: Message): (key: CryptoKey) => void {
  switch (path) {
    case 'labels': {
      const labels = checkLabels(wanted.labels ?? {});
      return (key) => {
        key.labels = labels;
      };
    }
    case 'rotation_period':
      return setOrDelete('rotationPeriod', milliseconds(wanted.rotationPeriod));
    case 'next_rotation_time':
      return setOrDelete('nextRotationTime', milliseconds(wanted.nextRotationTime));
    case 'version_template':
    case 'version_template.algorithm': {
      const algorithm = requireAlgorithm(purpose, enumName(wanted.versionTemplate?.algorithm));
      return (key) => {
        key.template.algorithm = algorithm;
      };
    }
    case 'key_access_justifications_policy':
      throw unimplemented('The emulator has no Key Access Justifications.');
    default:
      throw invalidArgument(`The field ${path} of a CryptoKey cannot be updated.`);
  }
}

const setOrDelete =
  (field: 'rotationPeriod' | 'nextRotationTime', value: number | undefined) =>
  (key: CryptoKey): void => {
    if (value === undefined) delete key[field];
    else key[field] = value;
  };
