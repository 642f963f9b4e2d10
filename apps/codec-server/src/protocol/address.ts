import { badRequest, HttpError } from '../errors.ts';

/** What a path of the codec protocol asks for. */
export interface CodecAddress {
  readonly operation: 'encode' | 'decode';
  /** The namespace in the path, where the server takes one there. */
  readonly namespace: string | undefined;
}

export interface AddressOptions {
  /** Empty, or `/…` without a slash at its end. */
  readonly pathPrefix: string;
  /** Whether `/{namespace}/encode` and `/{namespace}/decode` are served as well. */
  readonly namespacePaths: boolean;
}

/**
 * Reads a path: `/encode` or `/decode` below the prefix, or with one segment before it that names a namespace.
 * Repeated slashes count as one, since the Web UI puts `/decode` behind an endpoint as it was configured.
 *
 * @param path as Hono gives it: decoded but for `%2F` and `%25`
 * @throws HttpError 404 that says where the endpoint is; 400 for a segment that isn't percent-encoded UTF-8
 */
export function codecAddress(path: string, options: AddressOptions): CodecAddress {
  const { pathPrefix, namespacePaths } = options;
  if (pathPrefix !== '' && !path.startsWith(`${pathPrefix}/`)) throw nothingHere(options);
  const segments = path
    .slice(pathPrefix.length)
    .split('/')
    .filter((segment) => segment !== '');
  const operation = path.endsWith('/') ? undefined : segments.pop();
  const namespace = segments.pop();
  if (segments.length > 0 || (namespace !== undefined && !namespacePaths)) throw nothingHere(options);
  if (operation === 'download') {
    throw new HttpError(404, 'not_found', 'This codec server does not download from external storage.');
  }
  if (operation !== 'encode' && operation !== 'decode') throw nothingHere(options);
  return { operation, namespace: namespace === undefined ? undefined : decoded(namespace) };
}

function nothingHere({ pathPrefix, namespacePaths }: AddressOptions): HttpError {
  const also = namespacePaths ? ` or ${pathPrefix}/{namespace}` : '';
  const more = namespacePaths
    ? ''
    : ' Paths that name a namespace are off (CODEC_NAMESPACE_PATHS); X-Namespace says which one is meant.';
  return new HttpError(
    404,
    'not_found',
    `Nothing is here. The codec endpoint of this server is ${pathPrefix === '' ? 'its root' : pathPrefix}${also}; ` +
      `clients add /encode and /decode to it.${more}`,
  );
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    throw badRequest('The namespace in the path is not percent-encoded UTF-8.', error);
  }
}
