import { dirname, resolve } from 'node:path';
import { readStrictYaml } from '@temporal-kms/kms-codec/strict-yaml';
import { z } from 'zod';
import { isPlainName, namespacePrefix } from './layout.ts';
import { defaultDriverNames, type StorageType } from './reference.ts';

/** A part of a bucket that a namespace may read. */
export interface Store {
  readonly type: StorageType;
  /** The name of the bucket or, for a directory, the name in the driver's claims. */
  readonly bucket: string;
  /** The name under which the applications register their driver. */
  readonly driverName: string;
  /** Prefixes of the objects that may be read. Each prefix ends with `/`. */
  readonly prefixes: readonly string[];
  /** The region of the bucket, if it is an S3 bucket. */
  readonly region?: string | undefined;
  /** URL of a server other than Amazon's or Google's. */
  readonly endpoint?: string | undefined;
  /** The absolute path, if this is a directory. */
  readonly path?: string | undefined;
}

export interface StorageConfiguration {
  readonly namespaces: ReadonlyMap<string, readonly Store[]>;
}

/** A plain bucket name. ARNs, access points, URLs and paths are not allowed. */
const bucketName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/,
    'must be the plain name of a bucket: 3 to 222 lowercase letters, digits, dots, hyphens and underscores',
  );
const driverName = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, 'must be a name without spaces')
  .optional();
const prefixes = z
  .array(
    z
      .string()
      .refine(
        (prefix) => prefix.endsWith('/') && isPlainName(prefix.slice(0, -1)),
        'must end with / and must not contain an empty segment, . or ..',
      ),
  )
  .min(1)
  .optional();
const endpoint = z
  .string()
  .refine(isEndpoint, 'must be the URL of a server, https (or http on loopback), without a path')
  .optional();

const shared = { bucket: bucketName, driverName, prefixes };
const store = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('s3'),
    ...shared,
    region: z.string().regex(/^[a-z0-9-]{1,63}$/, 'must be a region such as eu-central-1'),
    endpoint,
  }),
  z.strictObject({ type: z.literal('gcs'), ...shared, endpoint }),
  z.strictObject({ type: z.literal('directory'), ...shared, path: z.string().min(1) }),
]);

const storageFile = z.strictObject({
  namespaces: z.record(
    z.string().regex(/^[^\s*]([^*]*[^\s*])?$/, 'must be a name without * and without a space at its ends'),
    z
      .array(store)
      .min(1)
      .superRefine((stores, context) => {
        const seen = new Set<string>();
        for (const [index, { type, bucket, driverName: name }] of stores.entries()) {
          const driver = `${name ?? defaultDriverNames[type]} ${bucket}`;
          if (seen.has(driver))
            context.addIssue({
              code: 'custom',
              path: [index, 'bucket'],
              message: 'is there twice for the same driver',
            });
          seen.add(driver);
        }
      }),
  ),
});

/** Returns the content of `storage-file.schema.json`, which describes the file to editors. */
export const storageFileJsonSchema = (): object =>
  z.toJSONSchema(storageFile.meta({ title: 'Storage file of temporal-kms (CODEC_STORAGE_FILE)' }), {
    io: 'input',
  });

/**
 * Reads the file that lists the external storage that each namespace may read.
 * @param name the file's name in messages, for example the variable that contains its path
 * @throws StrictYamlError with every mistake
 */
export function readStorageFile(path: string, name?: string): StorageConfiguration {
  const folder = dirname(resolve(path));
  const entries = Object.entries(readStrictYaml(path, name).check(storageFile).namespaces);
  return {
    namespaces: new Map(
      entries.map(([namespace, stores]) => [
        namespace,
        stores.map((one): Store => ({
          ...one,
          driverName: one.driverName ?? defaultDriverNames[one.type],
          prefixes: one.prefixes ?? [namespacePrefix(one.type, namespace)],
          ...(one.type === 'directory' && { path: resolve(folder, one.path) }),
        })),
      ]),
    ),
  };
}

function isEndpoint(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.origin !== text.replace(/\/$/, '')) return false;
  return url.protocol === 'https:' || /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:|$)/.test(url.origin);
}
