import { KmsCodecError } from '../errors.ts';
import { isEncoding } from './format.ts';
import type { Payload } from './payload.ts';

/*
 * What temporalio/temporal-proxy is specified to write for a payload that it compresses before encryption. Its
 * rfc/compression.md specifies an encoding and an entry that names the algorithm (commit 41161af). An earlier draft
 * (commit 2aae5b5) specifies another entry and leaves the encoding unchanged. docs/adr/0004-libraries.md explains why
 * this codec decompresses neither.
 */
const ENCODING = Buffer.from('binary/compressed');
const ALGORITHM = 'compression-algorithm';
const DRAFT_ALGORITHM = 'compression/algorithm';

/**
 * Whether a payload is marked as compressed by the proxy. Its data is then not what `encoding` would mean elsewhere.
 */
export function isCompressed({ metadata }: Payload): boolean {
  if (metadata?.[DRAFT_ALGORITHM] !== undefined) return true;
  const encoding = metadata?.['encoding'];
  return encoding !== undefined && metadata?.[ALGORITHM] !== undefined && isEncoding(encoding, ENCODING);
}

export const compressedElsewhere = (): KmsCodecError =>
  new KmsCodecError(
    'layer_unreadable',
    'The payload is marked as compressed by temporal-proxy, which this codec does not decompress: read it through the proxy, ' +
      'and switch off compression there',
  );
