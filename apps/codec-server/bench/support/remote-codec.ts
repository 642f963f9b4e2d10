import type { Payload, PayloadCodec } from '@temporalio/common';
import { buildPayloads, parsePayloads } from '../../src/json/payload-json.ts';

/** Returns a codec that sends payloads to a codec server. */
export function remoteCodec(endpoint: string): PayloadCodec {
  const post = async (route: string, payloads: Payload[]): Promise<Payload[]> => {
    const response = await fetch(`${endpoint}/${route}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: buildPayloads(payloads),
    });
    if (response.status !== 200) throw new Error(`/${route}: ${response.status} ${await response.text()}`);
    return parsePayloads(Buffer.from(await response.arrayBuffer()), payloads.length);
  };
  return { encode: (payloads) => post('encode', payloads), decode: (payloads) => post('decode', payloads) };
}
