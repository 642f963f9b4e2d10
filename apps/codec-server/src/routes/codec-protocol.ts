import type { Context } from 'hono';
import { z } from 'zod';
import { badRequest, HttpError } from '../errors.ts';
import type { Env } from '../http/context.ts';
import { type authorisedRoutes, defineRoute, type Route } from '../http/define-route.ts';
import { responses } from './openapi.ts';
import type { CodecProtocol } from '../protocol/codec-protocol.ts';

export type ProtocolRoutes = Readonly<Record<'encode' | 'decode', Route>> & { readonly download?: Route };

type Operation = keyof ProtocolRoutes;

const summaries: Readonly<Record<Operation, string>> = {
  encode: 'encodes payloads',
  decode: 'decodes payloads, including those in external storage',
  download: 'reads and decodes payloads in external storage; every payload of the body must be a reference',
};

const decodeQuery = z.object({
  preserveStorageRefs: z
    .string()
    .optional()
    .describe('`true`: references to external storage stay references'),
});

/** @param serves returns whether a namespace is configured on this server */
export function protocolRoutes(
  protocol: CodecProtocol,
  serves: (namespace: string) => boolean,
): ProtocolRoutes {
  const described = (operation: Operation) =>
    ({
      method: 'post',
      path: `/${operation}`,
      operationId: `${operation}Protocol`,
      summary: `Temporal's codec protocol: ${summaries[operation]}`,
      description:
        "X-Namespace is the payloads' namespace. The response contains all payloads in the same order, or an error as text. " +
        'https://docs.temporal.io/codec-server',
      headers: {
        'X-Namespace': { required: true, description: "The payloads' namespace" },
        'X-Reveal-Justification': {
          required: false,
          description:
            'Why the caller needs the plaintext, for the audit; required where the namespace reveals payloads on demand. 1 to 500 ' +
            'characters',
        },
      },
      describedBody: responses.Payloads,
      response: { description: 'The payloads', type: 'application/json', schema: responses.Payloads },
      errors: 'text',
      namespaceOf: (c: Context<Env>, inPath: string | undefined) =>
        namespaceOf(c.req.header('x-namespace'), inPath, serves),
    }) as const;
  const { download } = protocol;
  return {
    encode: defineRoute({
      ...described('encode'),
      requires: 'encode',
      handler: (c, { grant }) => protocol.encode(c, grant),
    }),
    decode: defineRoute({
      ...described('decode'),
      query: decodeQuery,
      requires: 'decode',
      handler: (c, { grant }) => protocol.decode(c, grant),
    }),
    ...(download && {
      download: defineRoute({
        ...described('download'),
        requires: 'decode',
        handler: (c, { grant }) => download(c, grant),
      }),
    }),
  };
}

/**
 * Serves the routes of the codec protocol. `codecAddress` parses the paths. A router could not parse them,
 * because the 404 for any other path contains the endpoint's path, and because `CODEC_NAMESPACE_PATHS`
 * permits a namespace in the path.
 */
export function serveProtocol(
  routes: ProtocolRoutes,
  options: AddressOptions,
  run: ReturnType<typeof authorisedRoutes>,
): (c: Context<Env>) => Promise<Response> {
  const { pathPrefix } = options;
  return async (c) => {
    const { operation, namespace } = codecAddress(c.req.path, options);
    const route = routes[operation];
    if (route === undefined)
      throw new HttpError(404, 'not_found', 'This codec server does not download from external storage.');
    c.set('route', `${pathPrefix}/${namespace === undefined ? '' : ':namespace/'}${operation}`);
    if (c.req.method !== 'POST') {
      throw new HttpError(405, 'bad_request', `${operation} takes POST, with {"payloads": [...]} as JSON.`);
    }
    return await run(c, route, namespace === undefined ? {} : { namespace });
  };
}

/** The operation and namespace in a path of the codec protocol. */
interface CodecAddress {
  readonly operation: Operation;
  /** The namespace in the path, if the server accepts namespaces there. */
  readonly namespace: string | undefined;
}

interface AddressOptions {
  /** The prefix of all paths: empty, or `/…` without a trailing slash. */
  readonly pathPrefix: string;
  /** Whether the server also has `/{namespace}/encode` and `/{namespace}/decode`. */
  readonly namespacePaths: boolean;
}

/**
 * Parses a path: the prefix, optionally a namespace, and `/encode`, `/decode` or `/download`. Repeated slashes
 * count as a single slash, because the Web UI appends `/decode` to the configured endpoint unchanged.
 *
 * @param path as Hono provides it: decoded except for `%2F` and `%25`
 * @throws HttpError 404 with the path of the endpoint; 400 for a segment that is not valid percent-encoded
 *   UTF-8
 */
function codecAddress(path: string, options: AddressOptions): CodecAddress {
  const { pathPrefix, namespacePaths } = options;
  if (pathPrefix !== '' && !path.startsWith(`${pathPrefix}/`)) throw nothingHere(options);
  const segments = path
    .slice(pathPrefix.length)
    .split('/')
    .filter((segment) => segment !== '');
  const operation = path.endsWith('/') ? undefined : segments.pop();
  const namespace = segments.pop();
  if (segments.length > 0 || (namespace !== undefined && !namespacePaths)) throw nothingHere(options);
  if (operation !== 'encode' && operation !== 'decode' && operation !== 'download')
    throw nothingHere(options);
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
    `Not found. This server's codec endpoint is ${pathPrefix === '' ? 'its root' : pathPrefix}${also}; ` +
      `clients append /encode and /decode to the endpoint.${more}`,
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
 * Returns the namespace in X-Namespace, which is required. If the path names a namespace, it must be the same
 * namespace.
 *
 * @throws HttpError 400 `namespace_required` if X-Namespace is missing; 400 if the namespace is not
 *   configured or differs from the path
 */
function namespaceOf(
  header: string | undefined,
  inPath: string | undefined,
  serves: (namespace: string) => boolean,
): string {
  // The Web UI sends `undefined` from pages without a namespace.
  if (header === undefined || header === '' || header === 'undefined') {
    throw new HttpError(
      400,
      'namespace_required',
      "X-Namespace is missing: set it to the payloads' namespace. (The CLI sends it from --namespace.)",
    );
  }
  if (!serves(header)) throw badRequest('This codec server has no keys for the namespace in X-Namespace.');
  if (inPath !== undefined && inPath !== header) {
    throw badRequest('X-Namespace differs from the namespace in the path; send the same namespace in both.');
  }
  return header;
}
