import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import proto from '@temporalio/proto';

const { Payload: PayloadType } = proto.temporal.api.common.v1;
const text = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString();

/** The key and the key id in the encryption samples of Temporal's SDKs. */
export const SAMPLE_KEY = 'test-key-test-key-test-key-test!';
const SAMPLE_KEY_ID = 'test-key-id';

/**
 * Reimplements the codec in the encryption sample of Temporal's TypeScript SDK: AES-256-GCM over the whole
 * payload under a static key, without additional authenticated data. Returns payloads of other formats
 * unchanged.
 * @see https://github.com/temporalio/samples-typescript/tree/main/encryption
 */
export class SampleCodec implements PayloadCodec {
  readonly #encoding: string;
  readonly #key = Buffer.from(SAMPLE_KEY);

  /** @param encoding the payloads' encoding; the library reads only the default encoding */
  constructor(encoding = 'binary/encrypted') {
    this.#encoding = encoding;
  }

  async encode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => {
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', this.#key, iv);
      const parts = [iv, cipher.update(PayloadType.encode(payload).finish()), cipher.final()];
      return {
        metadata: { encoding: Buffer.from(this.#encoding), 'encryption-key-id': Buffer.from(SAMPLE_KEY_ID) },
        data: Buffer.concat([...parts, cipher.getAuthTag()]),
      };
    });
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => {
      if (text(payload.metadata?.['encoding']) !== this.#encoding) return payload;
      const keyId = text(payload.metadata?.['encryption-key-id']);
      if (keyId !== SAMPLE_KEY_ID) throw new Error(`The key ${keyId} is not known.`);
      const data = Buffer.from(payload.data ?? []);
      const decipher = createDecipheriv('aes-256-gcm', this.#key, data.subarray(0, 12));
      decipher.setAuthTag(data.subarray(-16));
      return PayloadType.decode(Buffer.concat([decipher.update(data.subarray(12, -16)), decipher.final()]));
    });
  }
}
