import { replyJson } from '../http/reply.ts';
import type { Routes } from '../http/routes.ts';
import { namespaceKeys, type NamespaceKeysOptions } from '../keys/namespace-keys.ts';

export function keyRoutes(routes: Routes, options: NamespaceKeysOptions): void {
  routes.get('/namespaces/:namespace/keys', 'metadata', async (c) =>
    replyJson(c, await namespaceKeys(options, c.get('namespace'))),
  );
}
