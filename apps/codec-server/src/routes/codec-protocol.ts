import type { Context } from 'hono';
import { HttpError } from '../errors.ts';
import type { Env } from '../http/context.ts';
import { type authorisedRoutes, defineRoute, type Route } from '../http/define-route.ts';
import { responses } from '../http/schemas.ts';
import { type AddressOptions, codecAddress, namespaceOf } from '../protocol/address.ts';
import type { CodecProtocol } from '../protocol/codec-protocol.ts';

export type ProtocolRoutes = Readonly<Record<keyof CodecProtocol, Route>>;

/** @param serves whether a namespace is configured here */
export function protocolRoutes(
  protocol: CodecProtocol,
  serves: (namespace: string) => boolean,
): ProtocolRoutes {
  const route = (operation: keyof CodecProtocol): Route =>
    defineRoute({
      method: 'post',
      path: `/${operation}`,
      operationId: `${operation}Protocol`,
      summary: `Temporal's codec protocol: ${operation}s payloads`,
      description:
        'X-Namespace names the namespace of the payloads. The response contains all payloads in their order, or an error ' +
        'as text. https://docs.temporal.io/codec-server',
      requires: operation,
      headers: {
        'X-Namespace': { required: true, description: "The payloads' namespace" },
        'X-Reveal-Justification': {
          required: false,
          description:
            'Why the caller needs the plaintext, for the audit; required where the namespace reveals on demand. 1 to 500 ' +
            'characters',
        },
      },
      describedBody: responses.Payloads,
      response: { description: 'The payloads', type: 'application/json', schema: responses.Payloads },
      errors: 'text',
      namespaceOf: (c, inPath) => namespaceOf(c.req.header('x-namespace'), inPath, serves),
      handler: (c) => protocol[operation](c, c.get('namespace')),
    });
  return { encode: route('encode'), decode: route('decode') };
}

/**
 * Serves the routes of the codec protocol. Paths are read by `codecAddress` and not by a router: any other path is 404
 * with the address of the endpoint, and `CODEC_NAMESPACE_PATHS` adds a namespace to the path.
 */
export function serveProtocol(
  routes: ProtocolRoutes,
  options: AddressOptions,
  run: ReturnType<typeof authorisedRoutes>,
): (c: Context<Env>) => Promise<Response> {
  const { pathPrefix } = options;
  return async (c) => {
    const { operation, namespace } = codecAddress(c.req.path, options);
    c.set('route', `${pathPrefix}/${namespace === undefined ? '' : ':namespace/'}${operation}`);
    if (c.req.method !== 'POST') {
      throw new HttpError(405, 'bad_request', `${operation} takes POST, with {"payloads": [...]} as JSON.`);
    }
    return await run(c, routes[operation], namespace === undefined ? {} : { namespace });
  };
}
