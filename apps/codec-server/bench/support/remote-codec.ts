import type { Payload, PayloadCodec } from '@temporalio/common';
import { buildPayloads, parsePayloads } from '../../src/json/payload-json.ts';

/** A codec that has a codec server do its work. */
export function remoteCodec(endpoint: string): PayloadCodec {
  const ask = async (route: string, payloads: Payload[]): Promise<Payload[]> => {
    const answer = await fetch(`${endpoint}/${route}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: buildPayloads(payloads),
    });
    if (answer.status !== 200) throw new Error(`/${route}: ${answer.status} ${await answer.text()}`);
    return parsePayloads(Buffer.from(await answer.arrayBuffer()), payloads.length);
  };
  return {
    encode: (payloads) => ask('encode', payloads),
    decode: (payloads) => ask('decode', payloads),
  };
}
