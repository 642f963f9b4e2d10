import { KmsCodecError } from '../errors.ts';
import type { WrappedKey } from '../keys/opened-keys.ts';
import type { Payload } from '../wire/inner-payload.ts';
import type { DataKeys } from './data-keys.ts';
import { formatOf } from './encoding.ts';
import { candidatesV1, wrappedKeyV1 } from './envelope.ts';
import { acceptHeader } from './envelope-v2.ts';
import { proxyKey, wrappedProxyKey } from './proxy.ts';
import type { Scope } from './scope.ts';

/**
 * How many answers of Cloud KMS it takes to open payloads: one a data key that isn't at hand, one a direct message.
 * Payloads that are refused without asking count for nothing.
 */
export function countUnopened(keys: DataKeys, payloads: readonly Payload[], scope: Scope): number {
  const ids = new Set<string>();
  let direct = 0;
  for (const payload of payloads) {
    const wanted = needOf(payload, scope);
    if (wanted === 'direct') direct += 1;
    else if (wanted && !ids.has(wanted.id) && !keys.isAtHand(wanted)) ids.add(wanted.id);
  }
  return ids.size + direct;
}

function needOf(payload: Payload, scope: Scope): WrappedKey | 'direct' | undefined {
  try {
    switch (formatOf(payload)) {
      case 'envelope-v2':
        return acceptHeader(payload.data ?? new Uint8Array(), scope).dataKey;
      case 'envelope': {
        const [cryptoKey] = candidatesV1(payload, scope);
        return cryptoKey === undefined ? undefined : wrappedKeyV1(payload, cryptoKey);
      }
      case 'proxy': {
        const cryptoKey = proxyKey(payload, scope);
        return cryptoKey === undefined ? undefined : wrappedProxyKey(payload, cryptoKey);
      }
      case 'direct':
        return 'direct';
      default:
        return undefined;
    }
  } catch (error) {
    if (error instanceof KmsCodecError) return undefined;
    throw error;
  }
}
