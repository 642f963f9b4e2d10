import type { KeyObject } from 'node:crypto';
import { parseBox } from '../wire/aead-box.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { Payload } from '../wire/inner-payload.ts';
import { decryptMessage } from './decrypt.ts';
import { metadataText } from './encoding.ts';
import type { Scope } from './scope.ts';

/*
 * `binary/encrypted` with `encryption-key-id` alone: the encryption samples of Temporal's SDKs, under a key from the
 * keys file. Read only.
 */

/** The key that it names; undefined where that id isn't configured, so that the payload passes through. */
export const staticKey = (payload: Payload, scope: Scope): KeyObject | undefined =>
  scope.rule.static.get(metadataText(payload, 'encryption-key-id'));

export const openStatic = (payload: Payload, key: KeyObject, scope: Scope): MaybePromise<Payload> =>
  decryptMessage(key, { box: parseBox(payload.data ?? new Uint8Array()) }, scope);
