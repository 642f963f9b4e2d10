import { KmsCodecError } from '@temporal-kms/kms-codec';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import type { Payload } from '@temporalio/common';

/*
 * Reads the references that Temporal's SDKs leave in a history in place of a stored payload. A reference is
 * not authenticated, so an attacker who can write to Temporal's store can choose every byte of it. Therefore,
 * this module reads no objects, and `ObjectStorage.locate` decides which references may be followed.
 */

export const storageTypes = ['s3', 'gcs', 'directory'] as const;
export type StorageType = (typeof storageTypes)[number];

export interface StorageReference {
  /** The name under which the application registered its driver. */
  readonly driverName: string;
  /**
   * The kind of store whose driver writes such claims. If the application renames Go's driver for Cloud
   * Storage, this driver cannot be distinguished from a driver for S3.
   */
  readonly type: StorageType;
  readonly bucket: string;
  /**
   * The object's name. In every layout of Temporal's drivers, the name ends with `/d/sha256/` and the hash.
   */
  readonly object: string;
  /** SHA-256 of the object's bytes, in lowercase hex. */
  readonly sha256: string;
  /** Size that the reference states. The writer of the reference can state any size. */
  readonly sizeBytes?: bigint;
}

const schemes: Readonly<Record<StorageType, string>> = { s3: 's3', gcs: 'gs', directory: 'directory' };

/** The default names of the drivers. An application can choose other names. */
export const defaultDriverNames: Readonly<Record<StorageType, string>> = {
  s3: 'aws.s3driver',
  gcs: 'gcp.gcsdriver',
  directory: 'temporal-kms.directory',
};

/**
 * Returns the address of an object in the form that the store's tools use, such as
 * `s3://acme-payloads/v0/ns/orders/…`.
 */
export const objectUri = ({
  type,
  bucket,
  object,
}: Pick<StorageReference, 'type' | 'bucket' | 'object'>): string => `${schemes[type]}://${bucket}/${object}`;

const LEGACY_ENCODING = 'json/external-storage-reference';
const ENCODING = 'json/protobuf';
const MESSAGE_TYPE = 'temporal.api.sdk.v1.ExternalStorageReference';
/** The metadata entry that marks a reference that the SDK for Python has encrypted. */
const ENCRYPTED_MARK = '__temporal_external_storage_reference';

/**
 * The name of an object has at most 1,024 bytes, and the name of a bucket has at most 222 bytes. JSON can
 * escape each byte as six bytes.
 */
const MAX_DATA_BYTES = 16 * 1024;
const MAX_NAME_BYTES = 1024;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Returns whether a payload is a reference in the current encoding or in the encoding of the first releases.
 */
export function isStorageReference({ metadata }: Payload): boolean {
  const encoding = textOf(metadata?.['encoding']);
  return (
    encoding === LEGACY_ENCODING ||
    (encoding === ENCODING && textOf(metadata?.['messageType']) === MESSAGE_TYPE)
  );
}

/**
 * Returns whether a payload is an unreadable reference to external storage: either a codec encrypted the
 * reference, or an SDK wrote it in another encoding.
 */
export const hidesReference = (payload: Payload): boolean =>
  !isStorageReference(payload) &&
  (payload.metadata?.[ENCRYPTED_MARK] !== undefined ||
    (payload.externalPayloads?.length ?? 0) > 0 ||
    textOf(payload.metadata?.['messageType']) === MESSAGE_TYPE);

/**
 * Returns the object that a reference names, and the driver.
 * @throws KmsCodecError `malformed` if the payload is not a well-formed reference; `external_reference` if
 *   this package cannot read the claims of the reference's driver
 */
export function parseStorageReference(payload: Payload): StorageReference {
  if (!isStorageReference(payload)) throw malformed('is not a reference to external storage');
  const isLegacy = textOf(payload.metadata?.['encoding']) === LEGACY_ENCODING;
  const { driverName, claim } = isLegacy ? legacyFields(payload.data) : fields(payload.data);
  const [sizeBytes, ...others] = payload.externalPayloads ?? [];
  if (others.length > 0) throw malformed('states more than one size');
  const size = BigInt(sizeBytes?.sizeBytes?.toString() ?? 0);
  // Sizes are JSON numbers, here and in the API for the dashboard. The dashboard rejects numbers that are not
  // safe integers.
  if (size < 0n || size > Number.MAX_SAFE_INTEGER) throw malformed('states an impossible size');
  // Protobuf does not distinguish 0 from a missing number.
  return { driverName, ...locationOf(driverName, claim), ...(size !== 0n && { sizeBytes: size }) };
}

interface Fields {
  readonly driverName: string;
  readonly claim: ReadonlyMap<string, string>;
}

/** `{"driverName": …, "claimData": {…}}`, the JSON of Temporal's protobuf message. */
function fields(data: Uint8Array | null | undefined): Fields {
  const { value, strings } = parseJson(data);
  const { driverName, claimData, ...rest } = value;
  return checked(driverName, claimData, rest, strings - 1);
}

/**
 * `{"driver_name": …, "driver_claim": {"claim_data": {…}}}`, which the SDKs wrote before Temporal's protobuf
 * message existed.
 */
function legacyFields(data: Uint8Array | null | undefined): Fields {
  const { value, strings } = parseJson(data);
  const { driver_name: driverName, driver_claim: driverClaim, ...rest } = value;
  if (!isRecord(driverClaim)) throw malformed('has no claim');
  const { claim_data: claimData, ...others } = driverClaim;
  return checked(driverName, claimData, { ...rest, ...others }, strings - 2);
}

/** @param strings number of JSON strings in the text, without the names of the objects around the claim */
function checked(driverName: unknown, claimData: unknown, rest: object, strings: number): Fields {
  if (typeof driverName !== 'string' || driverName === '') throw malformed('has no driver name');
  if (!isRecord(claimData)) throw malformed('has no claim');
  if (Object.keys(rest).length > 0) throw malformed('has unknown fields');
  const claim = new Map<string, string>();
  for (const [name, value] of Object.entries(claimData)) {
    if (typeof value !== 'string') throw malformed('has a claim whose values are not text');
    claim.set(name, value);
  }
  // If two members have the same name, `JSON.parse` keeps the last member, and other parsers keep the first.
  if (strings !== 2 + 2 * claim.size) throw malformed('has a member twice');
  return { driverName, claim };
}

function parseJson(data: Uint8Array | null | undefined): {
  readonly value: Record<string, unknown>;
  readonly strings: number;
} {
  if (!data || data.length > MAX_DATA_BYTES) throw malformed(`is empty or exceeds ${MAX_DATA_BYTES} bytes`);
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
    value = JSON.parse(text);
  } catch {
    throw malformed('is not JSON');
  }
  if (!isRecord(value)) throw malformed('is not a JSON object');
  return { value, strings: text.match(/"(?:[^"\\]|\\.)*"/g)?.length ?? 0 };
}

type Location = Pick<StorageReference, 'type' | 'bucket' | 'object' | 'sha256'>;

/**
 * The field that contains the object's name, for each driver. The drivers of the TypeScript SDK use camel
 * case. Go's driver for Cloud Storage uses `key`.
 */
const objectFields: Readonly<Record<string, StorageType>> = {
  key: 's3',
  object: 'gcs',
  object_name: 'gcs',
  file: 'directory',
};

function locationOf(driverName: string, claim: ReadonlyMap<string, string>): Location {
  const [found, ...others] = Object.entries(objectFields).filter(([field]) => claim.has(field));
  const bucket = claim.get('bucket');
  if (found === undefined || bucket === undefined)
    throw new KmsCodecError(
      'external_reference',
      'The payload is a reference of a storage driver other than those for S3, Cloud Storage and directories',
    );
  const [field, written] = found;
  const type = field === 'key' && driverName === defaultDriverNames.gcs ? 'gcs' : written;
  const algorithm = claim.get('hashAlgorithm') ?? claim.get('hash_algorithm');
  const sha256 = claim.get('hashValue') ?? claim.get('hash_value');
  // This check also refuses a claim with both spellings of a field.
  if (others.length > 0 || claim.size !== 4) throw malformed('has a claim with unknown fields');
  if (algorithm !== 'sha256') throw malformed('does not name sha256 as its hash algorithm');
  if (sha256 === undefined || !SHA256.test(sha256))
    throw malformed('has no SHA-256 in 64 lowercase hexadecimal digits');
  const object = claim.get(field) ?? '';
  if (Buffer.byteLength(object) > MAX_NAME_BYTES || Buffer.byteLength(bucket) > MAX_NAME_BYTES)
    throw malformed(`names a bucket or an object with more than ${MAX_NAME_BYTES} bytes`);
  if (!object.endsWith(`/d/sha256/${sha256}`)) throw malformed('names an object of another hash');
  return { type, bucket, object, sha256 };
}

const textOf = (value: Uint8Array | null | undefined): string | undefined =>
  value ? Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1') : undefined;

const malformed = (problem: string) =>
  new KmsCodecError('malformed', `The reference to external storage ${problem}`);
