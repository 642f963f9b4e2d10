import { createSecretKey } from 'node:crypto';
import { KeyRules, KmsCodec, KmsCodecError, type NamespaceRule } from '../../src/index.ts';
import type { Payload } from '../../src/formats/payload.ts';
import { toPayload } from '@temporal-kms/vectors/bytes';
import type { Vector, VectorPayload, VectorRule } from '@temporal-kms/vectors/schema';
import { VectorKeyService } from './vector-key-service.ts';

const hex = (value: Uint8Array | null | undefined): string => Buffer.from(value ?? []).toString('hex');

/**
 * Returns the known fields, with proto3's defaults for missing fields, so that equal payloads give equal
 * results.
 */
export function fromPayload({ metadata, data, externalPayloads }: Payload): VectorPayload {
  const entries = Object.entries(metadata ?? {}).map(([key, value]) => [key, hex(value)] as const);
  const base = { metadata: Object.fromEntries(entries), data: hex(data) };
  if (!externalPayloads?.length) return base;
  return {
    ...base,
    externalPayloads: externalPayloads.map(({ sizeBytes }) => ({ sizeBytes: String(sizeBytes) })),
  };
}

export const toRule = ({ static: keys = {}, ...rule }: VectorRule): NamespaceRule => ({
  ...rule,
  static: new Map(Object.entries(keys).map(([id, key]) => [id, createSecretKey(Buffer.from(key, 'hex'))])),
});

/** The input that a vector specifies for a reader. */
type VectorInput = Pick<Vector, 'keys' | 'codec' | 'context' | 'kms' | 'stored'>;

/**
 * Decodes a vector's stored payload with `decode` or `decrypt`, as the vector specifies.
 *
 * @throws any error that is not a KmsCodecError
 */
export async function outcomeOf(
  vector: VectorInput,
  method: 'decode' | 'decrypt' = 'decode',
): Promise<Pick<Vector, 'format' | 'expect' | 'asked'>> {
  const { codec, keyService } = codecFor(vector);
  const stored = toPayload(vector.stored);
  const { format } = codec.inspect(stored, vector.context);
  try {
    const payload =
      method === 'decode'
        ? (await codec.decode([stored], vector.context))[0]
        : (await codec.decrypt(stored, vector.context)).payload;
    return { format, expect: { payload: fromPayload(payload ?? {}) }, asked: [...keyService.asked] };
  } catch (error) {
    if (!(error instanceof KmsCodecError)) throw error;
    return { format, expect: { code: error.code }, asked: [...keyService.asked] };
  } finally {
    await codec.close();
  }
}

function codecFor(vector: VectorInput): { readonly codec: KmsCodec; readonly keyService: VectorKeyService } {
  const { namespaces = {}, default: byDefault } = vector.keys;
  const rules = new KeyRules(
    Object.fromEntries(Object.entries(namespaces).map(([name, rule]) => [name, toRule(rule)])),
    byDefault && toRule(byDefault),
    vector.keys.deny,
  );
  const keyService = new VectorKeyService(vector.kms);
  const waitMs = { activity: 20, other: 20 };
  return { codec: new KmsCodec({ rules, keyService, waitMs, ...vector.codec }), keyService };
}
