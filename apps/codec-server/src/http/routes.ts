import type { Context, Hono } from 'hono';
import type { Permission } from '../access/access.ts';
import { authorise, type Authority } from './authorise.ts';
import type { Env } from './context.ts';
import { Refusal } from './refusal.ts';

type Handler<Path extends string> = (c: Context<Env, Path>) => Response | Promise<Response>;

/** The only way to add a route of the API: with the permission that it takes. */
export interface Routes {
  get<Path extends string>(path: Path, permission: Permission, handler: Handler<Path>): void;
  post<Path extends string>(path: Path, permission: Permission, handler: Handler<Path>): void;
}

const namespaceIn = (c: Context<Env>): string | undefined => c.req.param('namespace');

/** A path with `:namespace` is served for the namespaces that are configured here. */
export function guardedRoutes(
  app: Hono<Env>,
  authority: Authority,
  serves: (namespace: string) => boolean,
): Routes {
  const guarded =
    <Path extends string>(permission: Permission, handler: Handler<Path>) =>
    async (c: Context<Env, Path>): Promise<Response> => {
      const namespace = namespaceIn(c);
      if (namespace !== undefined && !serves(namespace)) {
        throw new Refusal(404, 'not_found', 'This server is not configured for that namespace.');
      }
      await authorise(c, authority, permission, namespace);
      if (namespace !== undefined) c.set('namespace', namespace);
      return handler(c);
    };
  return {
    get: (path, permission, handler) => void app.get(path, guarded(permission, handler)),
    post: (path, permission, handler) => void app.post(path, guarded(permission, handler)),
  };
}
