import { isAbsolute, resolve } from 'node:path';
import { FileBranchKeyStore } from './file-store.ts';
import { GcsBranchKeyStore } from './gcs-store.ts';
import type { BranchKeyStore } from './store.ts';

/** Matches the name of a bucket: https://cloud.google.com/storage/docs/buckets#naming */
const GCS =
  /^gs:\/\/([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:\/((?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*))?\/?$/;

/**
 * Parses `KMS_BRANCH_KEYS`. Returns undefined if the text is invalid. Otherwise returns a function that opens
 * the named store without any I/O. For `none`, the returned function returns undefined.
 */
export function parseBranchKeys(text: string): (() => BranchKeyStore | undefined) | undefined {
  if (text === 'none') return () => undefined;
  if (text.startsWith('file:')) {
    const path = text.slice('file:'.length);
    return isAbsolute(path) && !path.includes('\0') ? () => new FileBranchKeyStore(resolve(path)) : undefined;
  }
  // Stryker disable next-line ArrayDeclaration: the first element is not used.
  const [, bucket, prefix = ''] = GCS.exec(text) ?? [];
  return bucket === undefined ? undefined : () => new GcsBranchKeyStore({ bucket, prefix });
}
