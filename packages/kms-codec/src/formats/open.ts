import { KmsCodecError } from '../errors.ts';
import type { SealedFormat } from '../keys/key-rules.ts';
import type { Payload } from '../wire/inner-payload.ts';
import type { MaybePromise } from '../maybe-promise.ts';
import type { DataKeys } from './data-keys.ts';
import { openDirect } from './direct.ts';
import { type Format, isEmpty } from './encoding.ts';
import { openV1 } from './envelope.ts';
import { openV2 } from './envelope-v2.ts';
import { openProxy, proxyKey } from './proxy.ts';
import type { Scope } from './scope.ts';
import { openStatic, staticKey } from './static.ts';

/**
 * Opens a payload by its format, within what the namespace's rule accepts. What isn't ours comes back as it is: the
 * same object.
 * @throws `format_not_allowed`, `key_not_allowed`, and whatever the format's own reader finds
 */
export function open(format: Format, keys: DataKeys, payload: Payload, scope: Scope): MaybePromise<Payload> {
  switch (format) {
    case 'envelope-v2':
      checkFormat(format, scope);
      return openV2(keys, payload.data ?? new Uint8Array(), scope);
    case 'envelope':
      checkFormat(format, scope);
      return openV1(keys, payload, scope);
    case 'direct':
      checkFormat(format, scope);
      return openDirect(keys, payload, scope);
    case 'proxy': {
      const key = proxyKey(payload, scope);
      if (key === undefined) return passThrough(payload, scope);
      checkFormat(format, scope);
      return openProxy(keys, payload, key, scope);
    }
    case 'static': {
      const key = staticKey(payload, scope);
      if (key === undefined) return passThrough(payload, scope);
      checkFormat(format, scope);
      return openStatic(payload, key, scope);
    }
    case 'external':
      return payload;
    case 'plain':
      return isEmpty(payload) ? payload : passThrough(payload, scope);
  }
}

/** Whether plaintext stands where this codec would have sealed, as far as the namespace's rule wants to know. */
export const isUnexpected = (payload: Payload, scope: Scope): boolean =>
  scope.rule.plaintext !== 'pass' && !isEmpty(payload);

/** @throws `format_not_allowed` */
export function checkFormat(format: SealedFormat, scope: Scope): void {
  if (scope.rule.reads.has(format)) return;
  throw new KmsCodecError(
    'format_not_allowed',
    `The namespace ${scope.rule.namespace} doesn't read the format ${format}; its rule's "reads" says which it does`,
  );
}

/** @throws `format_not_allowed` where the namespace's rule refuses what this codec did not encrypt */
export function passThrough(payload: Payload, scope: Scope): Payload {
  if (scope.rule.plaintext !== 'refuse') return payload;
  throw new KmsCodecError(
    'format_not_allowed',
    `The namespace ${scope.rule.namespace} refuses payloads that this codec didn't seal`,
  );
}
