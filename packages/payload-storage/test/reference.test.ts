import { describe, expect, it } from 'vitest';
import { hidesReference, isStorageReference, parseStorageReference } from '../src/index.ts';
import { claimOf, legacy, reference, sha256, withData } from './support/references.ts';

const { key, bucket } = claimOf();
const location = { bucket, object: key, sha256 };
const current = (claimData: unknown, driverName: unknown = 'aws.s3driver') =>
  withData(JSON.stringify({ driverName, claimData }));

const twice = (member: string) =>
  JSON.stringify({ driverName: 'd', claimData: claimOf() }).replace('"bucket"', () => `${member},"bucket"`);

describe('a reference to external storage', () => {
  it('is read as the TypeScript SDK writes it, for S3 and Cloud Storage', () => {
    const s3 = reference(claimOf());
    expect(isStorageReference(s3)).toBe(true);
    expect(parseStorageReference(s3)).toEqual({
      driverName: 'aws.s3driver',
      type: 's3',
      ...location,
      sizeBytes: 300n,
    });
    expect(parseStorageReference(reference(claimOf(), undefined, 0))).not.toHaveProperty('sizeBytes');
    const { key: object, ...rest } = claimOf();
    expect(parseStorageReference(reference({ ...rest, object }, 'mine'))).toMatchObject({
      driverName: 'mine',
      type: 'gcs',
      ...location,
    });
  });

  it('is read as the Go and Python SDKs write it, with the space that protojson adds', () => {
    const hash = `"hash_algorithm": "sha256",  "hash_value":"${sha256}"`;
    const data = (field: string) =>
      `{"driverName":"d", "claimData":{"bucket":"${bucket}",${hash},"${field}":"${key}"}}`;
    expect(parseStorageReference(withData(data('key')))).toEqual({
      driverName: 'd',
      type: 's3',
      ...location,
    });
    expect(parseStorageReference(withData(data('object_name')))).toMatchObject({ type: 'gcs', ...location });
    // Go's driver for Cloud Storage.
    const go = data('key').replace('"d"', '"gcp.gcsdriver"');
    expect(parseStorageReference(withData(go))).toMatchObject({ type: 'gcs', ...location });
  });

  it('is read in the encoding of the first releases', () => {
    const payload = legacy({
      driver_name: 'aws.s3driver',
      driver_claim: { claim_data: { bucket, key, hash_algorithm: 'sha256', hash_value: sha256 } },
    });
    expect(isStorageReference(payload)).toBe(true);
    expect(parseStorageReference(payload)).toEqual({ driverName: 'aws.s3driver', type: 's3', ...location });
  });

  it('is recognized as unreadable if a codec encrypted it, or if it is in another encoding', () => {
    const { metadata, data = null, externalPayloads = null } = reference(claimOf());
    const encoding = Buffer.from('binary/envelope-kms-v2');
    const mark = Buffer.from('true');
    const hidden = [
      { metadata: { encoding, __temporal_external_storage_reference: mark }, data },
      { metadata: { encoding }, data, externalPayloads },
      { metadata: { ...metadata, encoding: Buffer.from('binary/protobuf') }, data },
      { externalPayloads },
    ];
    expect(hidden.map((payload) => [isStorageReference(payload), hidesReference(payload)])).toEqual(
      hidden.map(() => [false, true]),
    );
    const marked = { ...metadata, __temporal_external_storage_reference: mark };
    const others = [reference(claimOf()), { metadata: marked, data }, { metadata: { encoding }, data }, {}];
    expect(others.some(hidesReference)).toBe(false);
  });

  it.each([{}, { file: 'a' }, { url: 'http://169.254.169.254/' }, { bucket }, { key }])(
    'is not malformed if its claim %j is from an unknown driver',
    (claim) => {
      expect(() => parseStorageReference(current(claim))).toThrow(
        expect.objectContaining({ code: 'external_reference' }),
      );
    },
  );

  it.each([
    ['another hash algorithm', current(claimOf({ hashAlgorithm: 'sha1' }))],
    ['a hash algorithm in upper case', current(claimOf({ hashAlgorithm: 'SHA256' }))],
    ['no hash algorithm', current(claimOf({ hashAlgorithm: undefined }))],
    ['a hash in upper case', current(claimOf({ hashValue: sha256.toUpperCase() }))],
    ['a short hash', current(claimOf({ hashValue: sha256.slice(2) }))],
    ['no hash', current(claimOf({ hashValue: undefined }))],
    ['an object of another hash', current(claimOf({ hashValue: 'cd'.repeat(32) }))],
    ['an object whose name lacks the layout', current(claimOf({ key: sha256 }))],
    ['two names of an object', current(claimOf({ object: key, hashValue: undefined }))],
    ['both spellings of a field', current(claimOf({ hash_value: sha256 }))],
    ['an unknown field of the claim', current(claimOf({ endpoint: 'http://127.0.0.1' }))],
    ['an unknown field', withData(JSON.stringify({ driverName: 'd', claimData: claimOf(), endpoint: 'x' }))],
    ['a number for a bucket', current(claimOf({ bucket: 7 }))],
    ['an object for a bucket', current(claimOf({ bucket: { a: 'b' } }))],
    ['a list for a claim', current([claimOf()])],
    ['no driver', current(claimOf(), '')],
    ['a number for a driver', current(claimOf(), 7)],
    ['a bucket twice', withData(twice('"bucket":"acme-payroll"'))],
    ['a bucket twice, once escaped', withData(twice('"b\\u0075cket":"acme-payroll"'))],
    ['a claim twice', withData(`{"claimData":{},${twice('"x":"y"').slice(1)}`)],
    ['a prototype', withData(twice('"__proto__":"x"'))],
    ['a long name', current(claimOf({ key: `v0/${'a'.repeat(1000)}/d/sha256/${sha256}` }))],
    ['a large claim', current(claimOf({ bucket: 'a'.repeat(16_384) }))],
    ['no data', withData('')],
    ['a list', withData('[]')],
    ['text after the JSON', withData(`${JSON.stringify({ driverName: 'd', claimData: claimOf() })}{}`)],
    ['a byte order mark', withData('\ufeff{}')],
    ['invalid UTF-8', withData(Buffer.from([0x7b, 0xff, 0x7d]))],
    ['the fields of the other encoding', legacy({ driverName: 'd', claimData: claimOf() })],
    ['a negative size', reference(claimOf(), undefined, -1)],
    ['a size that is no number in JSON', reference(claimOf(), undefined, 2 ** 53)],
    ['two sizes', { ...current(claimOf()), externalPayloads: [{}, {}] }],
    ['another encoding', { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{}') }],
  ])('is malformed with %s', (_, payload) => {
    expect(() => parseStorageReference(payload)).toThrow(expect.objectContaining({ code: 'malformed' }));
  });
});
