import net from 'node:net';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import type { Payload } from '@temporalio/common';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ObjectStorage, parseStorageReference, type Store } from '../src/index.ts';
import { legacy, sha256, withData } from './support/references.ts';
import { startStoreServer, type StoreServer } from './support/store-server.ts';

const BUCKET = 'acme-payloads';
const PREFIX = 'v0/ns/orders/';
const HASH = `/d/sha256/${sha256}`;
const KEY = `${PREFIX}wt/Order/wi/42/ri/run${HASH}`;

const store = (type: Store['type'], driverName: string, endpoint?: string): Store => ({
  type,
  driverName,
  bucket: BUCKET,
  prefixes: [PREFIX],
  ...(endpoint === undefined ? { path: '/nonexistent' } : { region: 'eu-central-1', endpoint }),
});

let server: StoreServer;
let storage: ObjectStorage;

beforeAll(async () => {
  server = await startStoreServer();
  const orders = [
    store('s3', 'aws.s3driver', server.url),
    store('gcs', 'gcp.gcsdriver', server.url),
    store('directory', 'directory'),
  ];
  storage = new ObjectStorage({ namespaces: new Map([['orders', orders]]) });
});

afterAll(async () => {
  await storage.close();
  await server.close();
});

let connect: ReturnType<typeof vi.spyOn>;
beforeEach(() => {
  connect = vi.spyOn(net.Socket.prototype, 'connect');
});
afterEach(() => vi.restoreAllMocks());

const read = async (payload: Payload, namespace = 'orders') =>
  await storage.read(storage.locate(namespace, parseStorageReference(payload)), {
    signal: new AbortController().signal,
  });

const buckets = fc.oneof(
  fc.constantFrom(
    ...`acme-payload acme-payloads2 acme-payloads. .acme-payloads acme-payloads/ /acme-payloads acme-payroll
      ACME-PAYLOADS Acme-Payloads acme-payloads%00 acme-payloads%2Fx acme%2Dpayloads ..%2Facme-payloads ../acme-payloads
      acme-payloads/../payroll acme-payloads@127.0.0.1 acme-payloads:80 acme-payloads#x acme-payloads?x=1
      http://169.254.169.254/latest s3://acme-payloads gs://acme-payloads //acme-payloads localhost 127.0.0.1 [::1]
      arn:aws:s3:::acme-payloads arn:aws:s3:eu-central-1:123456789012:accesspoint/acme-payloads
      arn:aws:s3:eu-central-1:123456789012:accesspoint:acme-payloads arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap
      arn:aws:s3-object-lambda:eu-central-1:123456789012:accesspoint/x arn:aws:s3-outposts:eu-central-1:1:outpost/o/accesspoint/x
      acme-payloads-a1b2c3-s3alias acme-payloads--eun1-az1--x-s3 acme-payloads--ol-s3 __proto__ constructor toString null`.split(
      /\s+/,
    ),
  ),
  // Names that look like the bucket's name: with Cyrillic а, full-width, soft-hyphen, zero-width and
  // combining characters, ligatures, and characters that case folding maps to ASCII letters.
  fc.constantFrom(
    'аcme-payloads',
    'ａcme-payloads',
    'acme\u2010payloads',
    'acme-pay\u00adloads',
    'acme-payloads\u200b',
    '\ufeffacme-payloads',
    'acme-payload\u017f',
    'acme-payloads\u0301',
    'acme-payloads\u0000',
    'acme-payloads ',
    ' acme-payloads',
    'acme-payloads\n',
    '\ud800acme-payloads',
    '',
    'a'.repeat(1025),
  ),
  fc.string({ unit: 'binary', maxLength: 80 }).filter((text) => text !== BUCKET),
);

/** Names that do not begin with the prefix. */
const outside = fc.oneof(
  fc.constantFrom(
    ...`v0 v0/ v0/ns v0/ns/order/x v0/ns/orders2/x v0/ns/Orders/x V0/ns/orders/x v0/ns/payments/x
      v0/ns/payments/../orders/x v0/ns/null/x /v0/ns/orders/x //v0/ns/orders/x ./v0/ns/orders/x ../acme-payloads/v0/ns/orders/x
      v0//ns/orders/x v0/ns//orders/x v0/ns/./orders/x v0\\ns\\orders\\x v0/ns\\orders/x v0%2Fns%2Forders%2Fx v0/ns%2forders/x
      %76%30/ns/orders/x v0/ns/%6frders/x v0/ns/orders%2Fx v0/ns/orders%00/x v0/ns/оrders/x v0/ns/orderſ/x v0/ns/ｏrders/x
      v0/ns/orders\u0301/x v0/ns/or\u00adders/x v0∕ns∕orders∕x v0／ns／orders／x null x __proto__ etc/passwd`.split(
      /\s+/,
    ),
  ),
  fc.string({ unit: 'binary', maxLength: 60 }).filter((text) => !`${text}/`.startsWith(PREFIX)),
);

const segment = fc.constantFrom(
  '.',
  '..',
  '',
  'a\\b',
  '\u0000',
  '\n',
  'a\u0085b',
  '\r',
  '\u007f',
  '\ud800',
  '\udc00x',
);
const plain = fc.constantFrom('wt', 'Order', 'x%2Fy', '...', '.a', 'ü', '%2E%2E');
/** Names that begin with the prefix, but that a store or a client could interpret as other names. */
const ambiguous = fc
  .tuple(fc.array(plain, { maxLength: 3 }), segment, fc.array(plain, { maxLength: 3 }))
  .map(([before, bad, after]) => PREFIX + [...before, bad, ...after].join('/'));

const claims = fc.record({
  driver: fc.constantFrom('aws.s3driver', 'gcp.gcsdriver', 'directory'),
  field: fc.constantFrom('key', 'object', 'object_name', 'file'),
  location: fc.oneof(
    fc.record({ bucket: buckets, object: fc.constant(KEY) }),
    fc.record({
      bucket: fc.constant(BUCKET),
      object: fc.oneof(outside, ambiguous).map((name) => name + HASH),
    }),
    fc.record({ bucket: buckets, object: fc.oneof(outside, ambiguous).map((name) => name + HASH) }),
  ),
  style: fc.constantFrom('camel', 'snake'),
  encoding: fc.constantFrom('current', 'legacy'),
});

function payloadOf({ driver, field, location, style, encoding }: FromArbitrary<typeof claims>): Payload {
  const { bucket, object } = location;
  const claim = {
    bucket,
    [field]: object,
    [style === 'camel' ? 'hashAlgorithm' : 'hash_algorithm']: 'sha256',
    [style === 'camel' ? 'hashValue' : 'hash_value']: sha256,
  };
  return encoding === 'current'
    ? withData(JSON.stringify({ driverName: driver, claimData: claim }))
    : legacy({ driver_name: driver, driver_claim: { claim_data: claim } });
}

type FromArbitrary<T> = T extends fc.Arbitrary<infer V> ? V : never;

describe('a reference that the configuration does not allow', () => {
  it('causes no request, for 10,000 names of buckets and objects', async () => {
    const codes = new Set<unknown>();
    for (const claim of fc.sample(claims, { numRuns: 10_000, seed: 30 })) {
      const payload = payloadOf(claim);
      const error: unknown = await read(payload).then(
        () => expect.fail(`was read: ${Buffer.from(payload.data!).toString()}`),
        (thrown: unknown) => thrown,
      );
      codes.add(error instanceof KmsCodecError ? error.code : error);
    }
    expect(codes).toEqual(new Set(['malformed', 'storage_not_allowed']));
    expect(connect).not.toHaveBeenCalled();
    expect(server.requests).toEqual([]);
  });

  it.each([
    ['payments', 'aws.s3driver', 'external_reference'],
    ['Orders', 'aws.s3driver', 'external_reference'],
    ['__proto__', 'aws.s3driver', 'external_reference'],
    ['orders', 'AWS.S3Driver', 'external_reference'],
    ['orders', '__proto__', 'external_reference'],
    ['orders', 'directory', 'storage_not_allowed'],
  ])('causes no request in the namespace %s with the driver %s', async (namespace, driverName, code) => {
    const claimData = { bucket: BUCKET, key: KEY, hashAlgorithm: 'sha256', hashValue: sha256 };
    await expect(read(withData(JSON.stringify({ driverName, claimData })), namespace)).rejects.toMatchObject({
      code,
    });
    expect(connect).not.toHaveBeenCalled();
  });

  it('causes no request, although the same reader sends a request for an allowed reference', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'test');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test');
    const claimData = { bucket: BUCKET, key: KEY, hashAlgorithm: 'sha256', hashValue: sha256 };
    await expect(
      read(withData(JSON.stringify({ driverName: 'aws.s3driver', claimData }))),
    ).rejects.toMatchObject({ code: 'storage_not_found' });
    expect(server.requests).toEqual([`GET /${BUCKET}/${KEY}?x-id=GetObject`]);
    expect(connect).toHaveBeenCalledOnce();
    vi.unstubAllEnvs();
  });
});
