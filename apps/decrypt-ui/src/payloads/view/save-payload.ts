import type { JsonPayload } from '@temporal-kms/codec-api';
import { saveFile } from '../../ui/save-file.ts';
import { valueOf } from '../value/interpret.ts';
import { mediaOf } from '../value/media-type.ts';
import { bytesOf, type PayloadValue, payloadValue } from '../value/payload-value.ts';

/**
 * Number of base64 characters that are decoded at a time; a multiple of four. The browser keeps blobs outside the page's
 * memory, so the page never holds a second copy of a large payload.
 */
const PIECE = 2 ** 20;

/**
 * Saves a payload's bytes as they were before encryption. The content determines the extension. The media type is always
 * `application/octet-stream`, so that no browser opens the file instead of saving it.
 *
 * @param parts joined with dots to form the file name: `['order-1', 'event-5', 'input']` →
 * `order-1.event-5.input.json`
 */
export function savePayload(parts: readonly string[], payload: JsonPayload): void {
  const { data } = payload;
  const pieces = Array.from(
    { length: Math.ceil(data.length / PIECE) },
    (_, n) => new Blob([bytesOf({ ...payload, data: data.slice(n * PIECE, (n + 1) * PIECE) })]),
  );
  const value = valueOf(payload) ?? payloadValue(payload);
  saveFile([...parts, extensionOf(value)], new Blob(pieces), 'application/octet-stream');
}

function extensionOf(value: PayloadValue): string {
  if (value.kind === 'json') return 'json';
  if (value.kind !== 'bytes') return 'txt';
  return mediaOf(value.bytes)?.extension ?? (value.protobuf ? 'pb' : 'bin');
}
