import { KmsCodecError } from '../errors.ts';
import { isEncoding } from './format.ts';
import type { Payload } from './payload.ts';

/*
 * Recognizes how temporalio/temporal-proxy marks a payload that it compresses before encryption. Its
 * rfc/compression.md (commit 41161af) specifies an encoding and a metadata entry that names the algorithm. An
 * earlier draft (commit 2aae5b5) specifies another metadata entry, and leaves the encoding unchanged.
 * docs/adr/0004-libraries.md explains why this codec decompresses neither form.
 */
const ENCODING = Buffer.from('binary/compressed');
const ALGORITHM = 'compression-algorithm';
const DRAFT_ALGORITHM = 'compression/algorithm';

/**
 * Returns whether the proxy has marked a payload as compressed. In a marked payload, `encoding` does not
 * describe the data.
 */
export function isCompressed({ metadata }: Payload): boolean {
  if (!metadata) return false;
  if (metadata[DRAFT_ALGORITHM] !== undefined) return true;
  const encoding = metadata['encoding'];
  return encoding !== undefined && metadata[ALGORITHM] !== undefined && isEncoding(encoding, ENCODING);
}

export const compressedElsewhere = (): KmsCodecError =>
  new KmsCodecError(
    'layer_unreadable',
    'The payload is marked as compressed by temporal-proxy, which this codec does not decompress: read the payload through the proxy, ' +
      'and switch off the proxy’s compression',
  );
