import type { StorageReference } from '@temporal-kms/payload-storage';

const schemes = { s3: 's3://', gcs: 'gs://', directory: 'directory://' } as const;

/** Returns an object's name as the tools of its store write it. */
export const objectName = ({
  type,
  bucket,
  object,
}: Pick<StorageReference, 'type' | 'bucket' | 'object'>): string => `${schemes[type]}${bucket}/${object}`;

/** Returns a name without the ids of workflows that it contains: only the hash is left. */
export const nameWithoutIds = (name: string): string => `…/${name.slice(name.lastIndexOf('/') + 1)}`;
