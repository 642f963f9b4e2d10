import type { protos } from '@google-cloud/kms';
import { checkId, keyRingName, parseKeyRing, parseLocation } from '../model/names.ts';
import { requirePermission, type Handler } from './context.ts';
import { text } from './fields.ts';
import { keyRingMessage, type KeyRingMessage } from './messages.ts';
import { page, type ListPage } from './paging.ts';

export const createKeyRing: Handler<protos.google.cloud.kms.v1.ICreateKeyRingRequest, KeyRingMessage> = (
  request,
  context,
) => {
  const { name: location } = parseLocation(text(request.parent));
  const id = text(request.keyRingId);
  checkId('key_ring_id', id);
  requirePermission(context, 'cloudkms.keyRings.create', location);
  return keyRingMessage(
    context.state.keys.addKeyRing({ name: keyRingName(location, id), createTime: context.now }),
  );
};

export const getKeyRing: Handler<protos.google.cloud.kms.v1.IGetKeyRingRequest, KeyRingMessage> = (
  request,
  context,
) => {
  const { name } = parseKeyRing(text(request.name));
  requirePermission(context, 'cloudkms.keyRings.get', name);
  return keyRingMessage(context.state.keys.keyRing(name));
};

export const listKeyRings: Handler<
  protos.google.cloud.kms.v1.IListKeyRingsRequest,
  ListPage<'keyRings', KeyRingMessage>
> = (request, context) => {
  const { name: location } = parseLocation(text(request.parent));
  requirePermission(context, 'cloudkms.keyRings.list', location);
  const messages = context.state.keys.keyRingsIn(location).map(keyRingMessage);
  const { items, ...rest } = page(messages, location, request);
  return { keyRings: items, ...rest };
};
