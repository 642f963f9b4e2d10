import { encodeReferencePayload } from '@temporalio/common/lib/internal-non-workflow/extstore-helpers.js';
import { type Payload, StorageDriverClaim } from '@temporalio/common';

export const sha256 = 'ab'.repeat(32);

/** Returns a reference as the TypeScript SDK writes it. */
export const reference = (
  claim: Readonly<Record<string, string>>,
  driverName = 'aws.s3driver',
  sizeBytes = 300,
): Payload => encodeReferencePayload({ driverName, claim: new StorageDriverClaim(claim), sizeBytes });

const text = (value: string) => Buffer.from(value);

/** Returns a reference with any JSON, in the current encoding. */
export const withData = (data: string | Uint8Array): Payload => ({
  metadata: {
    encoding: text('json/protobuf'),
    messageType: text('temporal.api.sdk.v1.ExternalStorageReference'),
  },
  data: typeof data === 'string' ? text(data) : data,
});

/** Returns a reference in the encoding of the first releases. */
export const legacy = (value: unknown): Payload => ({
  metadata: { encoding: text('json/external-storage-reference') },
  data: text(JSON.stringify(value)),
});

/** Returns the claim of the TypeScript SDK's driver for S3, with the given changes. */
export const claimOf = (overrides: Readonly<Record<string, unknown>> = {}) => ({
  bucket: 'acme-payloads',
  key: `v0/ns/orders/wt/Order/wi/42/ri/run/d/sha256/${sha256}`,
  hashAlgorithm: 'sha256',
  hashValue: sha256,
  ...overrides,
});
