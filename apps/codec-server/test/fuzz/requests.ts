import type { Random } from '@temporal-kms/testing/random';

/** The bytes of a request. */
export interface Wire {
  readonly bytes: Buffer;
  /** How the request was created. */
  readonly kind: 'mutated body' | 'mutated payload' | 'wrong shape' | 'wrong head' | 'raw';
}

export interface JsonPayload {
  metadata: Record<string, string>;
  data?: string;
}

const shapes: readonly string[] = [
  '',
  'null',
  '[]',
  '{}',
  '0',
  '"payloads"',
  '{"payloads":null}',
  '{"payloads":{}}',
  '{"payloads":[null]}',
  '{"payloads":[[]]}',
  '{"payloads":[{"metadata":{"__proto__":"e30="}}]}',
  '{"payloads":[{"metadata":{"encoding":1}}]}',
  '{"payloads":[{"externalPayloads":[{"sizeBytes":"99999999999999999999"}]}]}',
  '{"payloads":[{"external_payloads":[{"size_bytes":-1}]}]}',
  `{"payloads":${'['.repeat(50_000)}`,
  `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
  `{"payloads":[${'{},'.repeat(10_000)}{}]}`,
  '{"payloads":[{}],"payloads":[{"data":"!"}]}',
  '\ufeff{"payloads":[]}',
  '{"payloads":[{"data":"\ud800"}]}',
];

const namespaces = [
  'payments',
  'orders',
  '',
  'undefined',
  'elsewhere',
  'payments, orders',
  '%00',
  '../payments',
  'ü',
];
const paths = [
  '/decode',
  '/encode',
  '//decode',
  '/decode/',
  '/download',
  '/payments/decode',
  '/%',
  '/%ff/decode',
  '/%2e%2e/decode',
  '/api/decode',
  '/decode?preserveStorageRefs=true',
  '/decode?%',
  '/decode#x',
  `/${'a'.repeat(3_000)}/decode`,
];
const methods = ['POST', 'GET', 'PUT', 'OPTIONS', 'HEAD', 'DELETE', 'PATCH', 'TRACE', 'post', 'PROPFIND'];
const types = [
  'application/json',
  'application/json; charset=utf-16',
  'text/plain',
  '',
  'application/x-protobuf',
  'application/json;;',
];

/** Requests that no HTTP library would send. `HOST` is replaced by the server's host. */
const raws: readonly string[] = [
  'POST /decode HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST /decode HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nX-Namespace: payments\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n',
  'POST /decode HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nX-Namespace: payments\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
  'POST /decode HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nX-Namespace: payments\r\nContent-Length: -1\r\n\r\n',
  'POST /decode HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nX-Namespace: payments\r\nContent-Length: 99999999999\r\n\r\n{}',
  'POST /decode HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nX-Namespace: payments\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}',
  'POST /decode HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\nContent-Type: application/json\r\nX-Namespace: payments\r\nContent-Length: 2\r\n\r\n{}',
  'POST /decode HTTP/1.1\r\nHost: HOST\r\nExpect: 200-maybe\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
  'POST http://HOST/decode HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nX-Namespace: payments\r\nContent-Length: 2\r\n\r\n{}',
  'POST /decode HTTP/9.9\r\nHost: HOST\r\n\r\n',
  'POST /decode HTTP/1.0\r\n\r\n',
  'GET /decode\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n',
  'CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n',
  'GET /decode HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  `POST /decode HTTP/1.1\r\nHost: HOST\r\nX-Namespace: ${'a'.repeat(70_000)}\r\n\r\n`,
  'POST /de\u0000code HTTP/1.1\r\nHost: HOST\r\n\r\n',
  'POST \\decode HTTP/1.1\r\nHost: HOST\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000',
];

/** @param corpus payloads in every format that the server decrypts or returns unchanged, as JSON */
export function makeRequest(random: Random, corpus: readonly JsonPayload[], host: string): Wire {
  const choice = random.below(100);
  if (choice < 40) {
    const text = Buffer.from(JSON.stringify({ payloads: some(random, corpus) }));
    return { kind: 'mutated body', bytes: request(host, {}, mutated(random, text)) };
  }
  if (choice < 75) {
    const payloads = some(random, corpus).map((payload) => damaged(random, payload));
    const operation = random.pick(['/decode', '/decode', '/decode', '/encode']);
    return {
      kind: 'mutated payload',
      bytes: request(host, { path: operation }, Buffer.from(JSON.stringify({ payloads }))),
    };
  }
  // Large bodies are chosen less often; otherwise, most of the bytes sent would belong to them.
  const shape =
    random.below(40) === 0 ? random.pick(shapes) : random.pick(shapes.filter(({ length }) => length < 1_000));
  if (choice < 80) return { kind: 'wrong shape', bytes: request(host, {}, Buffer.from(shape)) };
  if (choice < 92) {
    const head = {
      path: random.pick(paths),
      method: random.pick(methods),
      namespace: random.pick(namespaces),
      type: random.pick(types),
      host: random.below(10) === 0 ? 'evil.example' : host,
      more: random.below(4) === 0 ? 'Origin: https://evil.example\r\n' : '',
    };
    return { kind: 'wrong head', bytes: request(host, head, Buffer.from(shape)) };
  }
  const raw = Buffer.from(random.pick(raws).replaceAll('HOST', host), 'latin1');
  return { kind: 'raw', bytes: random.below(2) === 0 ? raw : mutated(random, raw) };
}

interface Head {
  readonly path?: string;
  readonly method?: string;
  readonly namespace?: string;
  readonly type?: string;
  readonly host?: string;
  readonly more?: string;
}

function request(own: string, head: Head, body: Buffer): Buffer {
  const {
    path = '/decode',
    method = 'POST',
    namespace = 'payments',
    type = 'application/json',
    host = own,
  } = head;
  const lines =
    `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: ${type}\r\nX-Namespace: ${namespace}\r\n` +
    `${head.more ?? ''}Content-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(lines, 'utf8'), body]);
}

const some = (random: Random, corpus: readonly JsonPayload[]): JsonPayload[] =>
  Array.from({ length: 1 + random.below(3) }, () => random.pick(corpus));

function mutated(random: Random, text: Buffer): Buffer {
  let bytes: Buffer = Buffer.from(text);
  for (let times = 1 + random.below(3); times > 0; times -= 1) {
    const at = random.below(bytes.length + 1);
    switch (random.below(5)) {
      case 0:
        bytes = bytes.subarray(0, at);
        break;
      case 1:
        bytes = Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(8)), bytes.subarray(at)]);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(8))]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random.below(bytes.length + 1))]);
        break;
      default:
        if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << random.below(8));
    }
  }
  return bytes;
}

/** Returns a payload whose JSON is valid, but whose base64 was changed. */
function damaged(random: Random, payload: JsonPayload): JsonPayload {
  const metadata = { ...payload.metadata };
  const names = Object.keys(metadata);
  const flip = (text: string): string => mutated(random, Buffer.from(text, 'base64')).toString('base64');
  switch (random.below(4)) {
    case 0: {
      const name = random.pick(names);
      return { ...payload, metadata: { ...metadata, [name]: flip(metadata[name]!) } };
    }
    case 1:
      delete metadata[random.pick(names)];
      return { ...payload, metadata };
    default:
      return { ...payload, data: flip(payload.data ?? '') };
  }
}
