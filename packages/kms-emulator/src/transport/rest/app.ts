import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { refusePages } from '../../host.ts';
import { internal, invalidArgument, KmsError } from '../../model/errors.ts';
import type { Caller } from '../../model/iam/callers.ts';
import { dispatch, type DispatchDeps } from '../../service/dispatch.ts';
import { errorBody, httpStatus } from './errors.ts';
import { writeMessage } from './json.ts';
import { readRequest, requireJson } from './request.ts';
import type { RestRoute } from './rules.ts';

/**
 * Maximum size of a body in bytes. The limit is larger than an Encrypt request with 64 KiB of plaintext and
 * 64 KiB of additional data in base64.
 */
const MAX_BODY = 1024 * 1024;

export interface RestOptions {
  readonly routes: readonly RestRoute[];
  readonly caller: Caller;
  readonly tls: boolean;
  /** A signal that is aborted when the emulator stops. */
  readonly stopped: AbortSignal;
}

/** Creates the REST API of one caller: the same methods as over gRPC, in proto3 JSON. */
export function createRestApp(deps: DispatchDeps, { routes, caller, tls, stopped }: RestOptions): Hono {
  const app = new Hono();
  app.use(refusePages(tls));
  const onError = () => {
    throw invalidArgument(`The request is larger than ${MAX_BODY} bytes.`);
  };
  app.use(bodyLimit({ maxSize: MAX_BODY, onError }));
  app.onError((error) => {
    if (!(error instanceof KmsError)) deps.report(error);
    const known = error instanceof KmsError ? error : internal();
    return new Response(JSON.stringify(errorBody(known)), {
      status: httpStatus[known.status],
      headers: { 'content-type': 'application/json; charset=UTF-8' },
    });
  });
  app.all('*', async ({ req, json }) => {
    const { pathname, searchParams: query } = new URL(req.url);
    const found = find(routes, req.method, pathname);
    if (found === undefined) throw new KmsError('NOT_FOUND', `There is no ${req.method} ${pathname}.`);
    const { route, captured } = found;
    requireJson(query);
    const request = readRequest(route, { captured, query, body: await req.text() });
    const signal = AbortSignal.any([stopped, req.raw.signal]);
    const { name, method, response } = route;
    return json(writeMessage(response, await dispatch(deps, { name, method, request, caller, signal })));
  });
  return app;
}

function find(
  routes: readonly RestRoute[],
  verb: string,
  path: string,
): { readonly route: RestRoute; readonly captured: string[] } | undefined {
  for (const route of routes) {
    const match = route.verb === verb ? route.path.exec(path) : null;
    if (match !== null) return { route, captured: match.slice(1).map(decoded) };
  }
  return undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidArgument('The path is not percent-encoded UTF-8.');
  }
}
