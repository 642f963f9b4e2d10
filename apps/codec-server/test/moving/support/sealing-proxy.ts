import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { listenOnLoopback } from '@temporal-kms/testing/network';
import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';

/*
 * Reimplements temporal-proxy's behaviour: encrypts each payload in requests, including headers and Core's
 * markers but not search attributes, and decrypts those payloads in responses that name the proxy's key.
 */

const { Payload: PayloadType } = proto.temporal.api.common.v1;
const { workflowservice } = proto.temporal.api;
const SERVICE = '/temporal.api.workflowservice.v1.WorkflowService/';
const text = (bytes: Uint8Array | null | undefined): string => Buffer.from(bytes ?? []).toString();

export interface SealingProxy {
  readonly address: string;
  /** Has the effect of `encryption.enabled: false`: the proxy no longer encrypts, but still decrypts. */
  stopEncrypting(): Promise<void>;
  close(): Promise<void>;
}

export interface SealingKey {
  /** `gcpkms://` and the name of the crypto key. */
  readonly url: string;
  readonly dataKey: Buffer;
  readonly wrapped: Uint8Array;
}

/** Starts a proxy in front of Temporal, on a free loopback port. */
export async function startSealingProxy(upstream: string, key: SealingKey): Promise<SealingProxy> {
  const session = connect(`http://${upstream}`);
  const server = createServer();
  let encrypts = true;
  server.on('stream', (stream, headers) => {
    stream.on('error', () => stream.destroy());
    void forward(stream, headers).catch(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
  });

  async function forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const method = methodOf(headers[':path'] ?? '');
    const sent = uncompressed(await bytesOf(stream));
    const body = encrypts && method ? rewrite(method.request, sent, (one) => encrypt(one, key)) : sent;
    const { 'content-length': _, 'grpc-encoding': __, 'grpc-accept-encoding': ___, ...kept } = headers;
    const request = session.request({ ...kept, ':authority': upstream });
    stream.on('close', () => request.close(constants.NGHTTP2_CANCEL));
    let head: (IncomingHttpHeaders & IncomingHttpStatusHeader) | undefined;
    let trailers: IncomingHttpHeaders = {};
    request.on('response', (given) => (head = given));
    request.on('trailers', (given) => (trailers = given));
    request.end(body);
    const answer = await bytesOf(request);
    if (stream.destroyed || !head) return;
    const { ':status': status, 'content-length': ____, ...fields } = head;
    // A response without a message contains the status in its headers.
    if (answer.length === 0 && fields['grpc-status'] !== undefined) {
      stream.respond({ ':status': status ?? 200, ...fields }, { endStream: true });
      return;
    }
    stream.respond({ ':status': status ?? 200, ...fields }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.end(method ? rewrite(method.response, answer, (one) => decrypt(one, key)) : answer);
  }

  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (one) => sessions.add(one));
  const port = await listenOnLoopback(server);
  return {
    address: `127.0.0.1:${port}`,
    stopEncrypting: async () => {
      encrypts = false;
    },
    close: async () => {
      session.destroy();
      for (const one of sessions) one.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

interface MessageType {
  decode(bytes: Uint8Array): object;
  encode(message: object): { finish(): Uint8Array };
}

/** Returns the types of a method's messages, if the method belongs to the workflow service. */
function methodOf(path: string): { request: MessageType; response: MessageType } | undefined {
  if (!path.startsWith(SERVICE)) return undefined;
  const types: Record<string, any> = workflowservice.v1;
  const name = path.slice(SERVICE.length);
  const [request, response] = [types[`${name}Request`], types[`${name}Response`]];
  return request && response ? { request, response } : undefined;
}

/** Reads a duplex stream to the end, without async iteration, which would also destroy the writable side. */
async function bytesOf(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks);
}

const PREFIX_BYTES = 5;

/** Returns a gRPC message without the compression that Core's client uses. */
function uncompressed(body: Buffer): Buffer {
  return body[0] === 1 ? framed(gunzipSync(body.subarray(PREFIX_BYTES))) : body;
}

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** Replaces the payloads of an uncompressed gRPC message. */
function rewrite(type: MessageType, body: Buffer, replace: (payload: Payload) => Payload): Buffer {
  if (body.length < PREFIX_BYTES) return body;
  const message = type.decode(body.subarray(PREFIX_BYTES));
  visit(message, replace);
  return framed(type.encode(message).finish());
}

function visit(value: object, replace: (payload: Payload) => Payload): void {
  for (const [name, field] of Object.entries(value)) {
    if (typeof field !== 'object' || field === null || field instanceof Uint8Array) continue;
    if (name === 'searchAttributes') continue;
    if (isPayload(field)) Object.assign(value, { [name]: replace(field) });
    else visit(field, replace);
  }
}

const isPayload = (value: object): value is Payload => 'metadata' in value && 'data' in value;

function encrypt(payload: Payload, { url, dataKey, wrapped }: SealingKey): Payload {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', dataKey, nonce);
  const parts = [nonce, cipher.update(PayloadType.encode(payload).finish()), cipher.final()];
  return {
    metadata: {
      encoding: Buffer.from('binary/encrypted'),
      'encryption-key-id': Buffer.from(url),
      'encryption-dek': Buffer.from(Buffer.from(wrapped).toString('base64')),
    },
    data: Buffer.concat([...parts, cipher.getAuthTag()]),
  };
}

function decrypt(payload: Payload, { url, dataKey }: SealingKey): Payload {
  if (text(payload.metadata?.['encryption-key-id']) !== url || !payload.metadata?.['encryption-dek']) {
    return payload;
  }
  const data = Buffer.from(payload.data ?? []);
  const decipher = createDecipheriv('aes-256-gcm', dataKey, data.subarray(0, 12));
  decipher.setAuthTag(data.subarray(-16));
  return PayloadType.decode(Buffer.concat([decipher.update(data.subarray(12, -16)), decipher.final()]));
}
