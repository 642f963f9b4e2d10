import type { Payload, PayloadCodec } from '@temporalio/common';

type Context = Parameters<PayloadCodec['decode']>[1];

/** Decodes with another codec. `encode` returns the payloads unchanged. */
export class DecodeOnlyCodec<C extends PayloadCodec = PayloadCodec> implements PayloadCodec {
  readonly codec: C;

  constructor(codec: C) {
    this.codec = codec;
  }

  encode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.resolve(payloads);
  }

  decode(payloads: Payload[], context?: Context): Promise<Payload[]> {
    return this.codec.decode(payloads, context);
  }
}
