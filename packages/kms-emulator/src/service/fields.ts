import type { protos } from '@google-cloud/kms';
import { invalidArgument } from '../model/errors.ts';

type Duration = protos.google.protobuf.IDuration;
type Timestamp = protos.google.protobuf.ITimestamp;

type Nullable<T> = T | null | undefined;

/** Converts an int64, which arrives as a decimal string, to a number. */
const int64 = (value: Nullable<number | string | { toString(): string }>): number =>
  Number(value?.toString() ?? 0);

export const text = (value: Nullable<string>): string => value ?? '';

/** Returns the name of an enum value, or the number as text if it has no name. */
export const enumName = (value: Nullable<string | number>): string =>
  value === 0 ? '' : String(value ?? '');

export function bytes(value: Nullable<Uint8Array | string>): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value, 'base64');
  return value ?? new Uint8Array();
}

export const toTimestamp = (time: number): Timestamp => ({
  seconds: Math.floor(time / 1000),
  nanos: (((time % 1000) + 1000) % 1000) * 1_000_000,
});

export const toDuration = (time: number): Duration => ({
  seconds: Math.floor(time / 1000),
  nanos: (time % 1000) * 1_000_000,
});

/** Returns the milliseconds of a timestamp or a duration, rounded down. */
export function milliseconds(value: Nullable<Timestamp | Duration>): number | undefined {
  if (value === null || value === undefined) return undefined;
  return int64(value.seconds) * 1000 + Math.floor((value.nanos ?? 0) / 1_000_000);
}

/** Returns the paths of a field mask. @throws KmsError INVALID_ARGUMENT if the mask is empty */
export function maskPaths(mask: Nullable<protos.google.protobuf.IFieldMask>): string[] {
  const paths = mask?.paths ?? [];
  if (paths.length === 0) throw invalidArgument('The field update_mask is required: no fields to update.');
  return [...paths];
}

/** Returns the checksum that the client sent, or undefined if the client sent no checksum. */
export const checksum = (value: Nullable<protos.google.protobuf.IInt64Value>): number | undefined =>
  value === null || value === undefined ? undefined : int64(value.value);
