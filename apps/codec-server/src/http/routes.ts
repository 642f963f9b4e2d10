import type { Permission } from '@temporal-kms/codec-api';
import type { Context, Hono } from 'hono';
import { authorise, type Authority, identify } from './authorise.ts';
import type { Env } from './context.ts';
import { HttpError } from '../errors.ts';

type Handler<Path extends string> = (c: Context<Env, Path>) => Response | Promise<Response>;

/** `known`: whoever has signed in. `public`: anybody; nothing behind it depends on who asks. */
export type Needs = Permission | 'known' | 'public';

/** The only way to add a route of the API: with what it takes. */
export interface Routes {
  get<Path extends string>(path: Path, needs: Needs, handler: Handler<Path>): void;
  post<Path extends string>(path: Path, needs: Permission, handler: Handler<Path>): void;
}

const namespaceIn = (c: Context<Env>): string | undefined => c.req.param('namespace');

/** A path with `:namespace` is served for the namespaces that are configured here. */
export function guardedRoutes(
  app: Hono<Env>,
  authority: Authority,
  serves: (namespace: string) => boolean,
): Routes {
  const guarded =
    <Path extends string>(needs: Needs, handler: Handler<Path>) =>
    async (c: Context<Env, Path>): Promise<Response> => {
      if (needs === 'public') return handler(c);
      // First of all: which namespaces there are is nothing for strangers.
      const caller = await identify(c, authority);
      const namespace = namespaceIn(c);
      if (namespace !== undefined && !serves(namespace)) {
        throw new HttpError(404, 'not_found', 'This server is not configured for that namespace.');
      }
      if (needs !== 'known') await authorise(c, authority, caller, needs, namespace);
      if (namespace !== undefined) c.set('namespace', namespace);
      return handler(c);
    };
  return {
    get: (path, needs, handler) => void app.get(path, guarded(needs, handler)),
    post: (path, needs, handler) => void app.post(path, guarded(needs, handler)),
  };
}
