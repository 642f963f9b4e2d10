import JSONUtils from '@temporalio/common/lib/proto-utils.js';
import { describe, expect, test } from 'vitest';
import { buildPayloads, parsePayloads } from '../../src/json/payload-json.ts';
import { forFile } from '../support/for-file.ts';
import {
  appWith,
  damaged,
  headers,
  keys,
  type Payload,
  plain,
  post,
  startKms,
  text,
} from '../support/stack.ts';

const kms = forFile(await startKms());

const ask = (path: string, content: string, more: Record<string, string> = {}) =>
  post(appWith(kms), path, content, more);

/** Sends a request to a server whose paths may contain a namespace. */
const named = (path: string, namespace = 'payments', pathPrefix = '') =>
  post(appWith(kms, { namespacePaths: true, pathPrefix }), path, body([plain(1)]), {
    'x-namespace': namespace,
  });

/** Temporal's own JSON helper. The helper's type does not permit absent fields. */
const toJson: (payload: any) => unknown = JSONUtils.payloadToJSON;

const b64 = (value: string): string => Buffer.from(value).toString('base64');
const encrypted = async (...values: unknown[]): Promise<Payload[]> =>
  kms.codec.encode(values.map(plain), { namespace: 'payments' });
/** Payloads in the form that the Web UI sends. */
const body = (payloads: Payload[]): string =>
  JSON.stringify({ payloads: payloads.map((payload) => toJson(payload)) });
const values = async (response: Response): Promise<unknown[]> => {
  expect([response.status, await response.clone().text()]).toEqual([200, expect.anything()]);
  const answer: any = await response.json();
  return answer.payloads.map(({ data }: { data: string }) =>
    JSON.parse(Buffer.from(data, 'base64').toString()),
  );
};

describe('paths', () => {
  test.each(['/decode', '//decode', '/decode?preserveStorageRefs=true'])('%s decodes', async (path) => {
    expect(await values(await ask(path, body(await encrypted('a', 'b'))))).toEqual(['a', 'b']);
  });

  test.each(['/encode', '//encode'])('%s encodes', async (path) => {
    const response = await ask(path, body([plain('secret')]));
    const { payloads }: any = await response.json();
    expect(payloads).toHaveLength(1);
    expect(payloads[0]!.metadata).toEqual({ encoding: b64('binary/envelope-kms-v2') });
    expect(Buffer.from(payloads[0]!.data, 'base64').toString('latin1')).not.toContain('secret');
    const [decrypted] = await kms.codec.decode(
      payloads.map((one: unknown) => parsePayloads(Buffer.from(JSON.stringify({ payloads: [one] })), 1)[0]!),
      { namespace: 'payments' },
    );
    expect(Buffer.from(decrypted!.data!).toString()).toBe('"secret"');
  });

  test.each([
    ['/decode/', 404],
    ['/decoded', 404],
    ['/', 404],
    ['/download', 404],
    ['/api/decode', 404],
    ['/payments/decode', 404],
    ['/any/prefix/decode', 404],
    ['/%', 404],
  ])('%s returns %i', async (path, status) => {
    expect((await ask(path, body([]))).status).toBe(status);
  });

  test('get a 404 response with the codec endpoint’s path if they are wrong', async () => {
    const app = appWith(kms, { pathPrefix: '/codec' });
    for (const path of ['/decode', '/codec', '/codecs/decode', '/codec/payments/decode', '/x/codec/decode']) {
      const response = await post(app, path, body([]));
      expect([path, response.status, await response.text()]).toEqual([
        path,
        404,
        expect.stringMatching(/codec endpoint is \/codec;.*CODEC_NAMESPACE_PATHS/),
      ]);
    }
    for (const path of ['/codec/decode', '/codec//decode']) {
      expect((await post(app, path, body([]))).status).toBe(200);
    }
  });

  test('do not include /download if the server does not read external storage', async () => {
    const response = await ask('/download', body([]));
    expect([response.status, await response.text()]).toEqual([
      404,
      expect.stringContaining('external storage'),
    ]);
  });

  describe('with a namespace, if enabled,', () => {
    test.each(['/payments/encode', '//payments//encode', '/%70ayments/encode', '/encode'])(
      '%s encodes',
      async (path) => {
        expect((await named(path)).status).toBe(200);
      },
    );

    test('work only below the configured path prefix', async () => {
      expect((await named('/codec/payments/decode', 'payments', '/codec')).status).toBe(200);
      expect((await named('/payments/decode', 'payments', '/codec')).status).toBe(404);
      expect((await named('/payments/orders/decode')).status).toBe(404);
    });

    test.each([
      ['/orders/decode', 'payments', 'differs from the namespace'],
      ['/payments%2F/decode', 'payments', 'differs from the namespace'],
      ['/%ff/decode', 'payments', 'UTF-8'],
      ['/payments/decode', 'undefined', 'X-Namespace is missing'],
    ])('%s returns 400 if X-Namespace is %s', async (path, namespace, message) => {
      const response = await named(path, namespace);
      expect([response.status, await response.text()]).toEqual([400, expect.stringContaining(message)]);
    });
  });

  test('answer a GET request with an explanation of what to send', async () => {
    const response = await appWith(kms).request('/decode', { headers });
    expect([response.status, await response.text()]).toEqual([405, expect.stringContaining('POST')]);
  });
});

describe('X-Namespace', () => {
  test.each([
    ['missing', undefined, 'X-Namespace is missing'],
    ['empty', '', 'X-Namespace is missing'],
    ["the Web UI's placeholder for no namespace", 'undefined', 'X-Namespace is missing'],
    ['not configured', 'elsewhere', 'no keys for the namespace'],
    ['a name with other letters after it', 'payments, orders', 'no keys for the namespace'],
  ])('causes a 400 response if it is %s', async (_, namespace, message) => {
    const { 'x-namespace': __, ...others } = headers;
    for (const path of ['/encode', '/decode']) {
      const response = await appWith(kms).request(path, {
        method: 'POST',
        headers: { ...others, ...(namespace === undefined ? {} : { 'x-namespace': namespace }) },
        body: body([plain(1)]),
      });
      expect([response.status, await response.text()]).toEqual([400, expect.stringContaining(message)]);
    }
  });

  test('selects the key that encrypts', async () => {
    const response = await ask('/encode', body([plain(1)]), { 'x-namespace': 'orders' });
    const [payload] = parsePayloads(Buffer.from(await response.text()), 1);
    expect(kms.codec.inspect(payload!, { namespace: 'orders' }).key).toBe(keys.orders);
  });

  test("does not decrypt another namespace's message", async () => {
    const response = await ask('/decode', body(await encrypted('a')), { 'x-namespace': 'orders' });
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringContaining('namespace_mismatch'),
    ]);
  });

  test('may be any namespace if there is a default key', async () => {
    const open = await startKms({}, { encrypt: keys.payments });
    const namespace = { 'x-namespace': 'whichever' };
    const response = await post(appWith(open), '/encode', body([plain(1)]), namespace);
    expect(response.status).toBe(200);
    await open.close();
  });
});

describe('JSON', () => {
  const reference = {
    metadata: {
      encoding: b64('json/protobuf'),
      messageType: b64('temporal.api.sdk.v1.ExternalStorageReference'),
    },
    data: b64('{"driver":"s3"}'),
  };

  test.each([
    ['as the Web UI writes them', { ...reference, externalPayloads: [{ sizeBytes: '9007199254740993' }] }],
    [
      "as Go's struct tags name them",
      { ...reference, external_payloads: [{ size_bytes: 9_007_199_254_740_991 }] },
    ],
    ['with a negative size', { ...reference, externalPayloads: [{ sizeBytes: '-9223372036854775808' }] }],
  ])('accepts external payloads %s, and returns proto3 JSON', async (_, payload) => {
    for (const path of ['/encode', '/decode', '/decode?preserveStorageRefs=true']) {
      const response = await ask(path, JSON.stringify({ payloads: [payload] }));
      const size = JSON.stringify(payload).match(/-?\d{16,}/)![0];
      expect(await response.json()).toEqual({
        payloads: [{ ...reference, externalPayloads: [{ sizeBytes: size }] }],
      });
    }
  });

  test('reads standard and URL-safe base64, with and without padding', () => {
    const bytes = Buffer.from([0xfb, 0xff, 0xfe, 0x01]);
    for (const form of ['+//+AQ==', '+//+AQ', '-__-AQ==', '-__-AQ', '-__-AQ=']) {
      const [payload] = parsePayloads(
        Buffer.from(`{"payloads":[{"metadata":{"m":"${form}"},"data":"${form}"}]}`),
        1,
      );
      expect(Buffer.from(payload!.data!)).toEqual(bytes);
      expect(Buffer.from(payload!.metadata!['m']!)).toEqual(bytes);
    }
  });

  test.each([
    ['{', 'not JSON'],
    ['[]', '"payloads"'],
    ['null', '"payloads"'],
    ['{"payloads":{}}', 'must be a list'],
    ['{"payloads":[null]}', 'payloads[0]'],
    ['{"payloads":[{},{"data":5}]}', 'payloads[1].data'],
    ['{"payloads":[{"data":"a"}]}', 'payloads[0].data is not base64'],
    ['{"payloads":[{"data":"QQ=="},{"data":"Q Q="}]}', 'payloads[1].data is not base64'],
    ['{"payloads":[{"data":"QQ==QQ=="}]}', 'payloads[0].data is not base64'],
    // This text would be valid base64 if each character were truncated to one byte.
    ['{"payloads":[{"data":"ŁAAA"}]}', 'payloads[0].data is not base64'],
    ['{"payloads":[{"data":"QQ==="}]}', 'payloads[0].data is not base64'],
    ['{"payloads":[{"data":"\\u0000\\u0000\\u0000\\u0000"}]}', 'payloads[0].data is not base64'],
    ['{"payloads":[{"metadata":[]}]}', 'payloads[0].metadata'],
    ['{"payloads":[{"metadata":{"encoding":"json/plain!"}}]}', 'payloads[0].metadata'],
    ['{"payloads":[{"externalPayloads":{}}]}', 'externalPayloads'],
    ['{"payloads":[{"externalPayloads":[{"sizeBytes":"-9223372036854775809"}]}]}', 'sizeBytes'],
    ['{"payloads":[{"externalPayloads":[{"sizeBytes":{}}]}]}', 'sizeBytes'],
    ['{"payloads":[{"externalPayloads":[{"sizeBytes":9007199254740993}]}]}', 'sizeBytes'],
    ['{"payloads":[{"externalPayloads":[{"sizeBytes":"9223372036854775808"}]}]}', 'sizeBytes'],
  ])('causes a 400 response with the position of the mistake: %s', async (sent, where) => {
    const response = await ask('/decode', sent);
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining(where)]);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  });

  test('accepts nulls, absent fields and unknown fields', async () => {
    const response = await ask(
      '/decode',
      '{"payloads":[{"metadata":null,"data":null,"externalPayloads":null},{},{"new":1}],"other":true}',
    );
    expect(await response.text()).toBe('{"payloads":[{},{},{}]}');
    expect(await (await ask('/decode', '{}')).text()).toBe('{"payloads":[]}');
  });

  test("is, in responses, equal byte for byte to the output of Temporal's JSON helper", async () => {
    const payloads: Payload[] = [
      plain({ a: 'ü"\\\n' }),
      {
        metadata: { 'key"with\\quotes': text('x'), encoding: text('binary/plain') },
        data: Buffer.alloc(300, 7),
      },
      { metadata: { encoding: text('binary/null') } },
      {},
    ];
    const response = await ask('/decode', body(payloads));
    const answered = await response.text();
    expect(JSON.parse(answered)).toEqual({
      payloads: payloads.map((payload) => JSON.parse(JSON.stringify(toJson(payload)))),
    });
    expect(answered).toBe(buildPayloads(parsePayloads(Buffer.from(body(payloads)), 100)).toString());
  });

  test('contains the payloads in the order of the request, whether they were encrypted or not', async () => {
    const [a, b] = await encrypted('a', 'b');
    expect(await values(await ask('/decode', body([b!, plain('plain'), a!])))).toEqual(['b', 'plain', 'a']);
  });
});

describe('a payload that cannot be decrypted', () => {
  test('fails the request with a message that begins with the reason code', async () => {
    const [payload] = await encrypted('a');
    const response = await ask('/decode', body([payload!, damaged(payload!)]));
    const answer = await response.text();
    expect(response.status).toBe(400);
    expect(answer).toMatch(/^integrity_failed: /);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  });

  test('is reported with the key and its version if the version is disabled', async () => {
    const [payload] = await encrypted('a');
    await using other = kms.another();
    await kms.emulator.setVersionState(`${keys.payments}/cryptoKeyVersions/1`, 'DISABLED');
    const app = appWith({ ...kms, codec: other.codec });
    const response = await post(app, '/decode', body([payload!]));
    await kms.emulator.setVersionState(`${keys.payments}/cryptoKeyVersions/1`, 'ENABLED');
    expect([response.status, await response.text()]).toEqual([
      400,
      expect.stringMatching(new RegExp(`^key_disabled: [^]*\nKey: ${keys.payments}, version 1\n$`)),
    ]);
  });

  test.each([
    ['UNAVAILABLE', 'kms_unavailable'],
    ['RESOURCE_EXHAUSTED', 'kms_quota'],
  ] as const)('gets 503 with Retry-After while Cloud KMS returns %s', async (status, code) => {
    const [payload] = await encrypted('a');
    await using other = kms.another();
    kms.emulator.injectFault({ effect: { kind: 'error', status } });
    const app = appWith({ ...kms, codec: other.codec });
    const response = await post(app, '/decode', body([payload!]));
    kms.emulator.clearFaults();
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await response.text()).toMatch(new RegExp(`^${code}: `));
  });
});
