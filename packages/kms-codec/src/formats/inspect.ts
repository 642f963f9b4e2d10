import { KmsCodecError, type ReasonCode } from '../errors.ts';
import type { Payload } from '../wire/inner-payload.ts';
import { isCompressed, isDecompressible } from './compression-marker.ts';
import { encodingOf, type Format, formatOf } from './encoding.ts';
import { candidatesV1 } from './envelope.ts';
import { acceptHeader } from './envelope-v2.ts';
import { checkFormat, isUnexpected } from './open.ts';
import { proxyKey } from './proxy.ts';
import type { Scope } from './scope.ts';
import { staticKey } from './static.ts';

/** What a payload says of itself. Key and version are claims until it has opened. */
export interface PayloadInfo {
  readonly format: Format;
  /** `metadata.encoding` as it stands; empty when there is none. */
  readonly encoding: string;
  /** Bytes of data, metadata excluded. */
  readonly bytes: number;
  /** Marked as compressed by temporal-proxy: the data is not what the format says before it is decompressed. */
  readonly compressed?: true;
  /** Crypto key resource name, when the payload names one that is configured here. */
  readonly key?: string;
  readonly keyVersion?: number;
  /** The namespace that the message names, where its format has one and it is accepted here. */
  readonly namespace?: string;
  /** Why it wouldn't open, as far as that is known without Cloud KMS; `not_encrypted` and `external_reference` pass. */
  readonly reason?: ReasonCode;
}

/** What may be said of a payload wherever it is read. */
export function storedAs(
  payload: Payload,
): Pick<PayloadInfo, 'format' | 'encoding' | 'bytes' | 'compressed'> {
  const format = formatOf(payload);
  const stored = { format, encoding: encodingOf(payload, format), bytes: payload.data?.length ?? 0 };
  return isCompressed(payload) ? { ...stored, compressed: true } : stored;
}

/** Reads a payload's header and holds it against the scope's rule. No Cloud KMS call, nothing is decrypted. */
export function inspect(payload: Payload, scope: Scope): PayloadInfo {
  const base = storedAs(payload);
  try {
    return { ...base, ...claims(base.format, payload, scope) };
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    const { code, key, keyVersion } = error;
    return {
      ...base,
      ...(key !== undefined && { key }),
      ...(keyVersion !== undefined && { keyVersion }),
      reason: code,
    };
  }
}

function claims(format: Format, payload: Payload, scope: Scope): Partial<PayloadInfo> {
  switch (format) {
    case 'envelope-v2': {
      checkFormat(format, scope);
      // The header is in the compressed bytes.
      if (isDecompressible(payload)) return {};
      const { namespace, dataKey } = acceptHeader(payload.data ?? new Uint8Array(), scope);
      const { cryptoKey, keyVersion } = dataKey;
      return { key: cryptoKey, ...(keyVersion !== undefined && { keyVersion }), namespace };
    }
    case 'envelope':
    case 'direct': {
      checkFormat(format, scope);
      const [key, ...others] = candidatesV1(payload, scope);
      return key !== undefined && others.length === 0 ? { key } : {};
    }
    case 'proxy': {
      const key = proxyKey(payload, scope);
      if (key === undefined) return { reason: 'key_not_allowed' };
      checkFormat(format, scope);
      return { key };
    }
    case 'static':
      if (!staticKey(payload, scope)) return { reason: 'key_not_allowed' };
      checkFormat(format, scope);
      return {};
    case 'external':
      return { reason: 'external_reference' };
    case 'plain':
      if (!isUnexpected(payload, scope)) return {};
      return { reason: scope.rule.plaintext === 'refuse' ? 'format_not_allowed' : 'not_encrypted' };
  }
}
