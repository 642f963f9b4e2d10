import { KmsCodecPlugin, loadKmsCodec } from '@temporal-kms/kms-codec';
import { Client } from '@temporalio/client';
import { defaultPayloadConverter, type PayloadCodec } from '@temporalio/common';

const old: PayloadCodec = {
  encode: async (payloads) =>
    payloads.map((payload) => ({ ...payload, metadata: { encoding: Buffer.from('old') } })),
  decode: async (payloads) =>
    payloads.map((payload) =>
      String(payload.metadata?.['encoding']) === 'old'
        ? { ...payload, metadata: { encoding: Buffer.from('json/plain') } }
        : payload,
    ),
};

const codec = loadKmsCodec();
const client = new Client({ plugins: [new KmsCodecPlugin(codec, { readAlso: [old] })] });

const [first, last] = client.options.loadedDataConverter.payloadCodecs;
const written = await old.encode([defaultPayloadConverter.toPayload('an old message')]);
const [read] = await first!.decode(await last!.decode(written));
console.log(defaultPayloadConverter.fromPayload(read!));
await codec.close();
