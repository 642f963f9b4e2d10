import type { KmsCodec } from '@temporal-kms/kms-codec';
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';
import type { FleetCodec } from './settings.ts';

/* Codecs without cryptography, which show what the SDK itself spends for a codec and for larger payloads. */

const unchanged = (payloads: Payload[]): Promise<Payload[]> => Promise.resolve(payloads);
const identity: PayloadCodec = { encode: unchanged, decode: unchanged };

/** Returns the codec of a fleet without encryption; none if it has no codec. */
export async function plainCodecs(kind: FleetCodec, ours: KmsCodec): Promise<PayloadCodec[]> {
  if (kind === 'identity') return [identity];
  return kind === 'padding' ? [padding(await addedBytes(ours))] : [];
}

/** How many bytes the encryption adds to a payload. */
async function addedBytes(codec: KmsCodec): Promise<number> {
  const payload = defaultPayloadConverter.toPayload('a value');
  const [encrypted = payload] = await codec.encode([payload]);
  return sizeOf(encrypted) - sizeOf(payload);
}

const sizeOf = ({ metadata, data }: Payload): number =>
  Object.values(metadata ?? {}).reduce((sum, { length }) => sum + length, data?.length ?? 0);

const MARK = 'padded';

function padding(bytes: number): PayloadCodec {
  return {
    encode: async (payloads) =>
      payloads.map(({ metadata, data }) => ({
        metadata: { ...metadata, [MARK]: new Uint8Array() },
        data: Buffer.concat([Buffer.alloc(bytes), data ?? new Uint8Array()]),
      })),
    decode: async (payloads) =>
      payloads.map((payload) => {
        const { [MARK]: mark, ...metadata } = payload.metadata ?? {};
        return mark === undefined ? payload : { metadata, data: payload.data?.subarray(bytes) ?? null };
      }),
  };
}
