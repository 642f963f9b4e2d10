import type { JsonPayload } from '@temporal-kms/codec-api';
import { saveFile } from '../../ui/save-file.ts';
import { mediaOf } from '../value/media-type.ts';
import { bytesOf, type PayloadValue, payloadValue } from '../value/payload-value.ts';

/**
 * Saves a payload's bytes as they were before encryption. The content determines the extension. The media type is always
 * `application/octet-stream`, so that no browser opens the file instead of saving it.
 *
 * @param parts joined by dots to the file name: `['order-1', 'event-5', 'input']` → `order-1.event-5.input.json`
 */
export function savePayload(parts: readonly string[], payload: JsonPayload): void {
  const bytes = bytesOf(payload);
  saveFile([...parts, extensionOf(payloadValue(payload))], bytes, 'application/octet-stream');
}

function extensionOf(value: PayloadValue): string {
  if (value.kind === 'json') return 'json';
  if (value.kind !== 'bytes') return 'txt';
  return mediaOf(value.bytes)?.extension ?? (value.protobuf ? 'pb' : 'bin');
}
