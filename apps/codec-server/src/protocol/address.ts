import { badRequest, HttpError } from '../errors.ts';

/** The operation and namespace that a path of the codec protocol names. */
export interface CodecAddress {
  readonly operation: 'encode' | 'decode';
  /** The namespace in the path, if the server accepts namespaces there. */
  readonly namespace: string | undefined;
}

export interface AddressOptions {
  /** Empty, or `/…` without a trailing slash. */
  readonly pathPrefix: string;
  /** Whether the server also has `/{namespace}/encode` and `/{namespace}/decode`. */
  readonly namespacePaths: boolean;
}

/**
 * Parses a path: `/encode` or `/decode` after the prefix, optionally after a namespace. Repeated slashes count as a single
 * slash, since the Web UI appends `/decode` to an endpoint as it was configured.
 *
 * @param path as Hono provides it: decoded except for `%2F` and `%25`
 * @throws HttpError 404 with the path of the endpoint; 400 for a segment that is invalid percent-encoded UTF-8
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
    : ' Paths with a namespace are disabled (CODEC_NAMESPACE_PATHS); send the namespace in X-Namespace.';
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

/**
 * Returns the namespace of a request. X-Namespace is required; a namespace in the path must be equal.
 *
 * @throws HttpError 400 `namespace_required` without X-Namespace; 400 when it is not configured, or differs from the path
 */
export function namespaceOf(
  header: string | undefined,
  inPath: string | undefined,
  serves: (namespace: string) => boolean,
): string {
  // The Web UI sends this word from pages without a namespace.
  if (header === undefined || header === '' || header === 'undefined') {
    throw new HttpError(
      400,
      'namespace_required',
      'X-Namespace is missing: send the namespace of the payloads in it. (The CLI sends it from --namespace.)',
    );
  }
  if (!serves(header)) throw badRequest('This codec server has no keys for the namespace in X-Namespace.');
  if (inPath !== undefined && inPath !== header) {
    throw badRequest('The path names another namespace than X-Namespace; send the same namespace in both.');
  }
  return header;
}
