import { createHash } from 'node:crypto';
import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import type { VectorPayload } from './schema.ts';

/*
 * These functions are written from docs/wire-formats.md and do not use the library's code, so that the
 * vectors do not repeat the library's mistakes.
 */

export const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Returns fixed bytes that look random. The bytes are the SHA-256 of a label and a counter. */
export function fixed(label: string, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, index) =>
    sha256(utf8(`${label}/${index}`)),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

export const payload = (
  metadata: Record<string, string | Uint8Array>,
  data: string | Uint8Array,
): Payload => ({
  metadata: Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [key, typeof value === 'string' ? utf8(value) : value]),
  ),
  data: typeof data === 'string' ? utf8(data) : data,
});

export const json = (value: unknown): Payload => payload({ encoding: 'json/plain' }, JSON.stringify(value));

const { Payload: PayloadType } = proto.temporal.api.common.v1;

export const withExternal = (inner: Payload, sizeBytes: number): Payload =>
  PayloadType.fromObject({ ...inner, externalPayloads: [{ sizeBytes }] });

export const serialized = (inner: Payload): Buffer => Buffer.from(PayloadType.encode(inner).finish());

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

export function toPayload({ metadata, data, externalPayloads }: VectorPayload): Payload {
  const entries = Object.entries(metadata).map(([key, value]) => [key, bytes(value)] as const);
  const inner = { metadata: Object.fromEntries(entries), data: bytes(data) };
  return externalPayloads ? PayloadType.fromObject({ ...inner, externalPayloads }) : inner;
}
