import { type Permission, runId, workflowId } from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import { TrieRouter } from 'hono/router/trie-router';
import { tryDecode } from 'hono/utils/url';
import { z } from 'zod';
import { HttpError } from '../errors.ts';
import { authorise, type Authority, type Grant, identify, isGrant } from './authorise.ts';
import { readJsonBody, type Schema, validate } from './bodies.ts';
import type { Env } from './context.ts';

/** What a caller needs for a route: a permission, `known`: a valid token, or `public`: nothing. */
export type Requirement = Permission | 'known' | 'public';

/** What the OpenAPI document contains of a route. */
export interface RouteDescription {
  readonly method: 'get' | 'post';
  /** Below the server's prefix, with parameters as in OpenAPI: `/api/namespaces/{namespace}/workflows`. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly requires: Requirement;
  readonly query?: z.core.$ZodObject;
  readonly headers?: Readonly<Record<string, { readonly required: boolean; readonly description: string }>>;
  /** A schema of `schemas.ts`. */
  readonly body?: Schema;
  readonly response: ResponseDescription;
  /** `text`: errors of the codec protocol, whose clients print them. Absent: JSON. */
  readonly errors?: 'text';
}

interface ResponseDescription {
  readonly description: string;
  readonly type: 'application/json' | 'application/x-ndjson';
  /** A schema of `schemas.ts`; of one line where the type is NDJSON. Absent: any JSON object. */
  readonly schema?: Schema;
}

type PathParameters = Readonly<Record<string, string>>;

export interface Route extends RouteDescription {
  /** See `RouteDefinition`. */
  readonly namespaceOf?: NamespaceOf;
  /** Validates the request and runs the handler. @param grant for `requires`; undefined where that is no permission */
  readonly handle: (
    c: Context<Env>,
    parameters: PathParameters,
    grant: AnyGrant | undefined,
  ) => Response | Promise<Response>;
}

type AnyGrant = Grant<Permission, string | undefined>;

type NamespaceOf = (c: Context<Env>, inPath: string | undefined) => string;

interface RouteDefinition<
  Path extends string,
  Requires extends Requirement,
  Query,
  Body,
  Of extends NamespaceOf,
> extends Omit<RouteDescription, 'query' | 'body'> {
  readonly path: Path;
  readonly requires: Requires;
  readonly query?: z.core.$ZodObject & Schema<Query>;
  /** Schema of a JSON body, which is read and parsed before the handler runs. */
  readonly body?: Schema<Body>;
  /** Instead of `body`, for a route whose handler reads the body: describes it in the document. */
  readonly describedBody?: Schema;
  /**
   * Returns the request's namespace, where the path alone does not determine it; throws HttpError for a namespace that
   * is not served. Runs once the caller is known. Absent: the path's `{namespace}`.
   */
  readonly namespaceOf?: Of;
  /** Checks limits after the caller is authorised and before the body is read. */
  readonly admit?: (c: Context<Env>) => void;
  readonly handler: (
    c: Context<Env>,
    input: RouteInput<Path, Requires, Query, Body, Of>,
  ) => Response | Promise<Response>;
}

interface RouteInput<Path extends string, Requires extends Requirement, Query, Body, Of extends NamespaceOf> {
  /** For the permission that the route requires, in the namespace of the request. */
  readonly grant: [Requires] extends [Permission] ? Grant<Requires, NamespaceIn<Path, Of>> : undefined;
  readonly parameters: Readonly<Record<ParameterNames<Path>, string>>;
  readonly query: Query;
  readonly body: Body;
}

/** @param Of never for a route without `namespaceOf` */
type NamespaceIn<Path extends string, Of> = [Of] extends [never]
  ? 'namespace' extends ParameterNames<Path>
    ? string
    : undefined
  : string;

type ParameterNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterNames<Rest>
  : never;

/** Schemas of path parameters, by name. */
export const parameterSchemas: Readonly<Record<string, Schema<string>>> = {
  namespace: z.string().min(1),
  workflowId,
  runId,
};

/**
 * Declares a route of the server: the router, the authorisation and the OpenAPI document are derived from it.
 *
 * The handler runs for authorised callers, with the grant, and with path parameters, query and body parsed by their schemas.
 */
export function defineRoute<
  const Path extends string,
  const Requires extends Requirement,
  Query = undefined,
  Body = undefined,
  Of extends NamespaceOf = never,
>(definition: RouteDefinition<Path, Requires, Query, Body, Of>): Route {
  const { query, body, describedBody, admit, handler, ...description } = definition;
  const names = parametersOf(definition.path).filter((name) => name !== 'namespace');
  const schema = z.object(
    Object.fromEntries(names.map((name) => [name, parameterSchemas[name] ?? z.string()])),
  );
  const run = (
    c: Context<Env>,
    given: PathParameters,
    grant: AnyGrant | undefined,
    parsedBody: unknown,
  ): Response | Promise<Response> => {
    const parameters = names.length === 0 ? given : { ...given, ...validate(schema, given) };
    const input = { grant, parameters, query: query && validate(query, c.req.query()), body: parsedBody };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the path names the parameters, the router got the grant for `requires`, schemas parsed the rest
    return handler(c, input as unknown as RouteInput<Path, Requires, Query, Body, Of>);
  };
  const documented = body ?? describedBody;
  return {
    ...description,
    ...(query && { query }),
    ...(documented && { body: documented }),
    handle: (c, given, grant) => {
      requireOwnGrant(definition, given['namespace'], grant);
      admit?.(c);
      if (body === undefined) return run(c, given, grant, undefined);
      return readJsonBody(c).then((value) => run(c, given, grant, validate(body, value)));
    },
  };
}

/** @throws Error unless `authorise` returned the grant, for the route's permission and the namespace of the request */
function requireOwnGrant(
  { requires, namespaceOf }: Pick<Route, 'requires' | 'namespaceOf'>,
  inPath: string | undefined,
  grant: unknown,
): void {
  if (requires === 'known' || requires === 'public') return;
  const isOwn = isGrant(grant) && grant.permission === requires;
  if (isOwn && (namespaceOf !== undefined || grant.namespace === inPath)) return;
  throw new Error(`A handler that requires the permission ${requires} was called without its grant`);
}

/** Names of the parameters in a path, in their order. */
export const parametersOf = (path: string): string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);

/**
 * Returns a function that runs a route: it identifies the caller, rejects namespaces that are not configured here,
 * checks the permission, and calls the handler.
 * @param serves whether a namespace is configured here
 */
export function authorisedRoutes(
  authority: Authority,
  serves: (namespace: string) => boolean,
): (c: Context<Env>, route: Route, parameters: PathParameters) => Promise<Response> {
  return async (c, { requires, namespaceOf, handle }, parameters) => {
    if (requires === 'public') return handle(c, parameters, undefined);
    // First of all: an unknown caller must not learn which namespaces exist.
    const caller = await identify(c, authority);
    const { namespace: inPath } = parameters;
    const namespace = namespaceOf === undefined ? inPath : namespaceOf(c, inPath);
    if (namespaceOf === undefined && inPath !== undefined && !serves(inPath)) {
      throw new HttpError(404, 'not_found', 'This server is not configured for that namespace.');
    }
    if (requires === 'known') return handle(c, parameters, undefined);
    return handle(c, parameters, await authorise(c, authority, caller, requires, namespace));
  };
}

/**
 * Returns a function that finds the route of a request and runs it; it throws HttpError 404 where there is none.
 *
 * The table is separate from Hono's router: Hono's fast router takes no path like `workflows:count`, and all requests
 * would pay for the slower one.
 *
 * @param pathPrefix as configured: empty or `/…`
 */
export function routeTable(
  routes: readonly Route[],
  pathPrefix: string,
  run: ReturnType<typeof authorisedRoutes>,
): (c: Context<Env>) => Promise<Response> {
  const table = new TrieRouter<readonly [route: Route, pattern: string]>();
  for (const route of routes) {
    const pattern = `${pathPrefix}${route.path.replaceAll(/\{(\w+)\}/g, ':$1')}`;
    table.add(route.method.toUpperCase(), pattern, [route, pattern]);
  }
  return async (c) => {
    const method = c.req.method === 'HEAD' ? 'GET' : c.req.method;
    const [found] = table.match(method, c.req.path)[0];
    if (found === undefined) throw new HttpError(404, 'not_found', 'The history API has no such route.');
    const [[route, pattern], parameters] = found;
    c.set('route', pattern);
    return await run(c, route, decoded(parameters));
  };
}

/** A TrieRouter returns parameters by name; the type allows for routers that return indexes. */
const decoded = (parameters: Readonly<Record<string, string | number>>): PathParameters =>
  Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, tryDecode(String(value), decodeURIComponent)]),
  );
