import { createHash } from 'node:crypto';
import proto from '@temporalio/proto';
import type { Payload } from '../../../src/formats/payload.ts';
import type { VectorPayload } from './vector.ts';

/* Written from docs/wire-formats.md without the library's code, so that the vectors do not repeat its mistakes. */

export const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Returns fixed bytes that look random: SHA-256 of a label and a counter. */
export function fixed(label: string, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, index) =>
    sha256(utf8(`${label}/${index}`)),
  );
  return Buffer.concat(blocks).subarray(0, length);
}

export const changed = (bytes: Uint8Array, at: number, flip = 0x01): Buffer => {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ flip, at);
  return copy;
};

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

export function asVector({ metadata, data, externalPayloads }: Payload): VectorPayload {
  const entries = Object.entries(metadata ?? {}).map(([key, value]) => [key, hex(value)] as const);
  const base = { metadata: Object.fromEntries(entries), data: hex(data ?? new Uint8Array()) };
  if (!externalPayloads?.length) return base;
  return {
    ...base,
    externalPayloads: externalPayloads.map(({ sizeBytes }) => ({ sizeBytes: String(sizeBytes ?? 0) })),
  };
}
