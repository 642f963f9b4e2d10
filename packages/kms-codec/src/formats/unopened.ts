import { KmsCodecError } from '../errors.ts';
import type { WrappedKey } from '../keys/opened-keys.ts';
import type { Payload } from '../wire/inner-payload.ts';
import { isDecompressible } from './compression-marker.ts';
import type { DataKeys } from './data-keys.ts';
import { formatOf } from './encoding.ts';
import { candidatesV1, wrappedKeyV1 } from './envelope.ts';
import { acceptHeader } from './envelope-v2.ts';
import { checkFormat } from './open.ts';
import { proxyKey, wrappedProxyKey } from './proxy.ts';
import type { Scope } from './scope.ts';

/**
 * How many answers of Cloud KMS it takes at most to open payloads: one a data key that isn't at hand and a crypto key
 * that may have wrapped it, and the same for each direct message. Payloads that are refused without asking count for
 * nothing.
 */
export function countUnopened(keys: DataKeys, payloads: readonly Payload[], scope: Scope): number {
  const ids = new Set<string>();
  let direct = 0;
  for (const payload of payloads) {
    const needs = needsOf(payload, scope);
    direct += needs.calls;
    for (const id of unopenedIds(keys, needs)) ids.add(id);
  }
  return ids.size + direct;
}

/** The same for one payload, an id per answer: payloads that share a data key share its id. */
export function unopenedCalls(keys: DataKeys, payload: Payload, scope: Scope): string[] {
  const needs = needsOf(payload, scope);
  const direct = Array.from({ length: needs.calls }, () => `direct/${(directCalls += 1)}`);
  return [...unopenedIds(keys, needs), ...direct];
}

/** A direct message is its own call, each time. */
let directCalls = 0;

function unopenedIds(keys: DataKeys, { wrapped }: Needs): string[] {
  const ids: string[] = [];
  for (const key of wrapped) {
    if (keys.isOpened(key)) break;
    if (!keys.isRefused(key)) ids.push(key.id);
  }
  return ids;
}

interface Needs {
  /** A data key, once for every crypto key that it would be tried under, in their order. */
  readonly wrapped: readonly WrappedKey[];
  /** Calls that nothing remembers. */
  readonly calls: number;
}

const nothing: Needs = { wrapped: [], calls: 0 };

function needsOf(payload: Payload, scope: Scope): Needs {
  // Its header is not readable before it is decompressed: it counts then, as an inner layer does.
  if (isDecompressible(payload)) return nothing;
  const format = formatOf(payload);
  try {
    switch (format) {
      case 'envelope-v2':
        checkFormat(format, scope);
        return { wrapped: [acceptHeader(payload.data ?? new Uint8Array(), scope).dataKey], calls: 0 };
      case 'envelope':
        checkFormat(format, scope);
        return { wrapped: candidatesV1(payload, scope).map((key) => wrappedKeyV1(payload, key)), calls: 0 };
      case 'proxy': {
        checkFormat(format, scope);
        const key = proxyKey(payload, scope);
        return key === undefined ? nothing : { wrapped: [wrappedProxyKey(payload, key)], calls: 0 };
      }
      case 'direct':
        checkFormat(format, scope);
        return { wrapped: [], calls: candidatesV1(payload, scope).length };
      default:
        return nothing;
    }
  } catch (error) {
    if (error instanceof KmsCodecError) return nothing;
    throw error;
  }
}
