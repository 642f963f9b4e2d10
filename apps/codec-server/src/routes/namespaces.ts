import type { NamespaceList } from '@temporal-kms/codec-api';
import type { Access } from '../access/access.ts';
import { replyJson } from '../http/reply.ts';
import type { Routes } from '../http/routes.ts';
import { servedNamespaces, type ServedNamespacesOptions } from './served-namespaces.ts';

export interface NamespacesOptions extends ServedNamespacesOptions {
  readonly access: Access;
}

export function namespaceRoutes(routes: Routes, { access, ...options }: NamespacesOptions): void {
  const served = servedNamespaces(options);
  const { defaultNamespace } = options;

  routes.get('/namespaces', 'metadata', async (c) => {
    const names = await served(c.req.raw.signal);
    const allowed = names.filter((name) => access.allows(c.get('caller'), 'metadata', name));
    const list: NamespaceList = {
      namespaces: allowed.map((name) => ({ name })),
      default: allowed.includes(defaultNamespace) ? defaultNamespace : (allowed[0] ?? ''),
    };
    return replyJson(c, list);
  });
}
