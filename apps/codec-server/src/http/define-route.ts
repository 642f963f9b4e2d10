import { type Permission, runId, scheduleId, workflowId } from '@temporal-kms/codec-api';
import type { Context } from 'hono';
import { TrieRouter } from 'hono/router/trie-router';
import { tryDecode } from 'hono/utils/url';
import { z } from 'zod';
import { HttpError } from '../errors.ts';
import { authorise, type Authority, type Grant, identify, isGrant } from './authorise.ts';
import { readJsonBody, type Schema, validate } from './bodies.ts';
import type { Env } from './context.ts';

/** What a route requires of a caller: a permission; a valid token (`known`); or nothing (`public`). */
export type Requirement = Permission | 'known' | 'public';

/** The description of a route in the OpenAPI document. */
export interface RouteDescription {
  readonly method: 'get' | 'post';
  /** The path below the server's prefix, with OpenAPI parameters: `/api/namespaces/{namespace}/workflows`. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly requires: Requirement;
  readonly query?: z.core.$ZodObject;
  readonly headers?: Readonly<Record<string, { readonly required: boolean; readonly description: string }>>;
  /** A schema that routes/openapi.ts lists. */
  readonly body?: Schema;
  readonly response: ResponseDescription;
  /**
   * The form of errors: JSON by default, or `text` for the codec protocol, because its clients print errors.
   */
  readonly errors?: 'text';
}

interface ResponseDescription {
  readonly description: string;
  readonly type: 'application/json' | 'application/x-ndjson';
  /**
   * A schema that routes/openapi.ts lists; for NDJSON, the schema of one line. Without a schema, the
   * response is any JSON object.
   */
  readonly schema?: Schema;
}

type PathParameters = Readonly<Record<string, string>>;

export interface Route extends RouteDescription {
  /** See `RouteDefinition`. */
  readonly namespaceOf?: NamespaceOf;
  /**
   * Validates the request and runs the handler.
   * @param grant for `requires`; undefined if `requires` is not a permission
   */
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
  /** Schema of the JSON body, which is read and parsed before the handler runs. */
  readonly body?: Schema<Body>;
  /**
   * The body's schema for the OpenAPI document. Given in place of `body` if the handler itself reads the
   * body.
   */
  readonly describedBody?: Schema;
  /**
   * Returns the request's namespace, if the path alone does not determine it. Throws HttpError for a
   * namespace that is not served. Runs after the caller is authenticated. Without this function, the
   * path's `{namespace}` is used.
   */
  readonly namespaceOf?: Of;
  /** Checks limits, after the caller is authorised and before the body is read. */
  readonly admit?: (c: Context<Env>) => void;
  readonly handler: (
    c: Context<Env>,
    input: RouteInput<Path, Requires, Query, Body, Of>,
  ) => Response | Promise<Response>;
}

interface RouteInput<Path extends string, Requires extends Requirement, Query, Body, Of extends NamespaceOf> {
  /** The grant for the route's permission in the request's namespace. */
  readonly grant: [Requires] extends [Permission] ? Grant<Requires, NamespaceIn<Path, Of>> : undefined;
  readonly parameters: Readonly<Record<ParameterNames<Path>, string>>;
  readonly query: Query;
  readonly body: Body;
}

/** @typeParam Of `never` for a route without `namespaceOf` */
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
  scheduleId,
};

/**
 * Declares a route. The router, the authorisation and the OpenAPI document use this declaration.
 *
 * The handler runs only for authorised callers. The handler receives the grant, and the path parameters,
 * query and body as parsed by their schemas.
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

/**
 * @throws Error unless `authorise` returned the grant for the route's permission and the request's namespace
 */
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

/** Returns the names of the parameters in a path, in order. */
export const parametersOf = (path: string): string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);

/**
 * Returns a function that runs a route: identifies the caller, rejects namespaces that are not configured,
 * checks the permission, and calls the handler.
 * @param serves returns whether a namespace is configured on this server
 */
export function authorisedRoutes(
  authority: Authority,
  serves: (namespace: string) => boolean,
): (c: Context<Env>, route: Route, parameters: PathParameters) => Promise<Response> {
  return async (c, { requires, namespaceOf, handle }, parameters) => {
    if (requires === 'public') return handle(c, parameters, undefined);
    // The caller is identified before any other check, because an unknown caller must not learn which
    // namespaces exist.
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
 * Returns a function that finds and runs the route for a request, or throws HttpError 404.
 *
 * Uses a separate router: Hono's fast router does not support paths like `workflows:count`, and the slower
 * router would slow down all requests.
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

/** TrieRouter returns parameters by name, although the type also allows indexes. */
const decoded = (parameters: Readonly<Record<string, string | number>>): PathParameters =>
  Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, tryDecode(String(value), decodeURIComponent)]),
  );
