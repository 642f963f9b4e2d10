import {
  type Me,
  me,
  type NamespaceList,
  namespaceList,
  permission,
  type SignIn,
  signIn,
} from '@temporal-kms/codec-api';
import type { KeyRules } from '@temporal-kms/kms-codec';
import type { Context } from 'hono';
import type { Access } from '../access/access.ts';
import type { Env } from '../http/context.ts';
import { defineRoute, type Route } from '../http/define-route.ts';
import { replyJson } from '../http/responses.ts';
import type { TemporalService } from '../temporal/service.ts';

export interface NamespaceRoutesOptions {
  readonly access: Access;
  readonly rules: Pick<KeyRules, 'namespaces' | 'hasDefault'>;
  readonly defaultNamespace: string;
  readonly temporal: Pick<TemporalService, 'namespaces'>;
}

/** Routes for sign-in, the caller, and the namespaces. */
export function namespaceRoutes(options: NamespaceRoutesOptions): readonly Route[] {
  const { access, defaultNamespace } = options;
  return [
    defineRoute({
      method: 'get',
      path: '/api/sign-in',
      operationId: 'getSignIn',
      summary: 'Returns how a web page gets a token for this server',
      requires: 'public',
      response: { description: 'How to sign in', type: 'application/json', schema: signIn },
      handler: (c) => {
        const authorizationCode = access.signIn();
        const body: SignIn = {
          required: access.open !== true,
          ...(authorizationCode && {
            authorizationCode: { ...authorizationCode, scopes: [...authorizationCode.scopes] },
          }),
        };
        return replyJson(c, body);
      },
    }),
    defineRoute({
      method: 'get',
      path: '/api/me',
      operationId: 'getMe',
      summary: "Returns the caller's identity, and the caller's permissions in each namespace",
      requires: 'known',
      response: { description: 'The caller', type: 'application/json', schema: me },
      handler: async (c) => {
        const caller = c.get('caller');
        const names = await servedNamespaces(options, c.req.raw.signal);
        const body: Me = {
          name: caller.name,
          ...(caller.expiresAt !== undefined && { expiresAt: new Date(caller.expiresAt).toISOString() }),
          namespaces: names
            .map((name) => ({
              name,
              permissions: permission.options.filter((each) => access.allows(caller, each, name)),
              reveal: access.reveal(name),
              ...(access.reveal(name) === 'on-demand' && { revealMinutes: access.revealMinutes(name) }),
            }))
            .filter(({ permissions }) => permissions.length > 0),
        };
        return replyJson(c, body);
      },
    }),
    defineRoute({
      method: 'get',
      path: '/api/namespaces',
      operationId: 'listNamespaces',
      summary: 'Lists the namespaces that the caller may read',
      requires: 'metadata',
      response: { description: 'The namespaces', type: 'application/json', schema: namespaceList },
      handler: async (c) => {
        const allowed = await readableNamespaces(options, c);
        const body: NamespaceList = {
          namespaces: allowed.map((name) => ({ name })),
          default: allowed.includes(defaultNamespace) ? defaultNamespace : (allowed[0] ?? ''),
        };
        return replyJson(c, body);
      },
    }),
  ];
}

type Served = Omit<NamespaceRoutesOptions, 'access'>;

/** Returns the names of the served namespaces that the caller may read, sorted. */
async function readableNamespaces(
  { access, ...served }: NamespaceRoutesOptions,
  c: Context<Env>,
): Promise<string[]> {
  const names = await servedNamespaces(served, c.req.raw.signal);
  return names.filter((name) => access.allows(c.get('caller'), 'metadata', name));
}

/** Returns the keys of the namespaces that the caller may read. */
export async function readableKeys(
  options: NamespaceRoutesOptions & { readonly rules: Pick<KeyRules, 'resolve'> },
  c: Context<Env>,
): Promise<ReadonlySet<string>> {
  const names = await readableNamespaces(options, c);
  return new Set(names.flatMap((name) => options.rules.resolve(name).keys));
}

/** Temporal's own namespace, which contains no workflows of users. */
const SYSTEM_NAMESPACE = 'temporal-system';

/** Returns the names of the namespaces for which this server has keys, sorted. */
async function servedNamespaces(
  { rules, defaultNamespace, temporal }: Served,
  signal: AbortSignal,
): Promise<string[]> {
  // If there is a default key, the server also serves namespaces that the keys file does not name. The server
  // gets the names of these namespaces from Temporal, if Temporal permits the call.
  const others = rules.hasDefault ? await temporal.namespaces(signal).catch(() => []) : [];
  const own = rules.hasDefault ? [defaultNamespace] : [];
  return [...new Set([...rules.namespaces, ...own, ...others])]
    .filter((name) => name !== SYSTEM_NAMESPACE)
    .toSorted();
}
