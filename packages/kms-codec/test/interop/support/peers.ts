import { z } from 'zod';
import type { CodecContext } from '../../../src/index.ts';
import type { Payload } from '../../../src/formats/payload.ts';
import { fromPayload } from '../../support/vectors.ts';
import { toPayload } from '@temporal-kms/vectors/bytes';
import { payload as payloadShape } from '@temporal-kms/vectors/schema';
import { startModule } from '@temporal-kms/testing/python';

/** The codecs in interop/python: this project's codec with three settings, and codecs of other projects. */
export type PeerCodec =
  | 'envelope-v2'
  | 'envelope-v2-zstd'
  | 'envelope-v2-workflow'
  | 'guide-direct'
  | 'guide-envelope'
  | 'proxy'
  | 'sample';

export interface Peers {
  encode(codec: PeerCodec, payloads: readonly Payload[], context?: CodecContext): Promise<Payload[]>;
  /** @throws PeerRefusal */
  decode(codec: PeerCodec, payloads: readonly Payload[], context?: CodecContext): Promise<Payload[]>;
  close(): Promise<void>;
}

/** A rejection by the Python codec, with its reason code. */
class PeerRefusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

const answer = z.union([
  z.strictObject({ id: z.number(), payloads: z.array(payloadShape) }),
  z.strictObject({ id: z.number(), code: z.string(), message: z.string() }),
]);

export interface PeersOptions {
  readonly python: string;
  readonly emulator: string;
  readonly keysFile: string;
  /** The crypto key with which the Python codecs encrypt. */
  readonly peerKey: string;
  readonly staticKey: { readonly id: string; readonly hex: string };
}

export function startPeers({ python, emulator, keysFile, peerKey, staticKey }: PeersOptions): Peers {
  const args = ['--emulator', emulator, '--keys-file', keysFile, '--peer-key', peerKey];
  const process = startModule(python, [
    'temporal_kms_peers',
    ...args,
    '--static-key',
    `${staticKey.id}=${staticKey.hex}`,
  ]);
  let id = 0;
  const ask = async (
    op: 'encode' | 'decode',
    codec: PeerCodec,
    payloads: readonly Payload[],
    context?: CodecContext,
  ): Promise<Payload[]> => {
    id += 1;
    process.write(JSON.stringify({ id, op, codec, context, payloads: payloads.map(fromPayload) }));
    const reply = answer.parse(JSON.parse(await process.read()));
    if (reply.id !== id)
      throw new Error(`Received a response to request ${reply.id}; expected a response to ${id}`);
    if ('code' in reply) throw new PeerRefusal(reply.code, reply.message);
    return reply.payloads.map(toPayload);
  };
  return {
    encode: (codec, payloads, context) => ask('encode', codec, payloads, context),
    decode: (codec, payloads, context) => ask('decode', codec, payloads, context),
    close: () => process.close(),
  };
}
