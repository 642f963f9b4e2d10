import { type Me, permission, type SignIn } from '@temporal-kms/codec-api';
import type { Access } from '../access/access.ts';
import { replyJson } from '../http/reply.ts';
import type { Routes } from '../http/routes.ts';
import { servedNamespaces, type ServedNamespacesOptions } from './served-namespaces.ts';

export interface IdentityOptions extends ServedNamespacesOptions {
  readonly access: Access;
}

/** How to sign in, and as what one is known once one has. */
export function identityRoutes(routes: Routes, { access, ...options }: IdentityOptions): void {
  const served = servedNamespaces(options);

  routes.get('/sign-in', 'public', (c) => {
    const authorizationCode = access.signIn();
    const answer: SignIn = authorizationCode
      ? { authorizationCode: { ...authorizationCode, scopes: [...authorizationCode.scopes] } }
      : {};
    return replyJson(c, answer);
  });

  routes.get('/me', 'known', async (c) => {
    const caller = c.get('caller');
    const names = await served(c.req.raw.signal);
    const answer: Me = {
      name: caller.name,
      ...(caller.expiresAt !== undefined && { expiresAt: new Date(caller.expiresAt).toISOString() }),
      namespaces: names
        .map((name) => ({
          name,
          permissions: permission.options.filter((each) => access.allows(caller, each, name)),
          reveal: access.reveal(name),
        }))
        .filter(({ permissions }) => permissions.length > 0),
    };
    return replyJson(c, answer);
  });
}
