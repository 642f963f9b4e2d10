import type { PayloadStub } from '@temporal-kms/codec-api';
import { formatBytes } from '../ui/format/number.ts';
import { storedBytes } from './payload-keys.ts';
import type { PayloadView } from './payloads-context.tsx';
import { encodingOf } from './value/payload-value.ts';

/** Returns the plaintext's encoding, once known, and the stored size: `json, 362 B`. */
export function kindOf(view: PayloadView, stub: PayloadStub): string {
  const isUnknown = stub.stored && stub.stored.bytes === undefined;
  const size = isUnknown ? 'size unknown' : formatBytes(storedBytes(stub));
  if (view.status !== 'readable') return stub.stored ? `in external storage, ${size}` : size;
  const encoding = encodingOf(view.payload);
  const short = encoding === 'json/plain' ? 'json' : encoding === 'binary/plain' ? 'bytes' : encoding;
  const type = view.value.kind === 'json' || view.value.kind === 'bytes' ? view.value.messageType : undefined;
  return [type ?? short, size].filter(Boolean).join(', ');
}
