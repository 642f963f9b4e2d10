import type { NamespaceList } from '@temporal-kms/codec-api';
import type { KeyRules } from '@temporal-kms/kms-codec';
import type { Access } from '../access/access.ts';
import { replyJson } from '../http/context.ts';
import type { Routes } from '../http/routes.ts';
import type { TemporalService } from '../temporal/service.ts';

export interface NamespacesOptions {
  readonly access: Access;
  readonly rules: Pick<KeyRules, 'namespaces' | 'hasDefault'>;
  readonly defaultNamespace: string;
  readonly temporal: TemporalService;
}

/** Temporal's own; nobody's workflows are in it. */
const SYSTEM = 'temporal-system';

export function namespaceRoutes(
  routes: Routes,
  { access, rules, defaultNamespace, temporal }: NamespacesOptions,
): void {
  routes.get('/namespaces', 'metadata', async (c) => {
    // A default key serves namespaces that no file names: Temporal knows which there are, where it lets us ask.
    const others = rules.hasDefault ? await temporal.namespaces(c.req.raw.signal).catch(() => []) : [];
    const own = rules.hasDefault ? [defaultNamespace] : [];
    const names = [...new Set([...rules.namespaces, ...own, ...others])]
      .filter((name) => name !== SYSTEM)
      .toSorted();
    const allowed = names.filter((name) => access.allows(c.get('caller'), 'metadata', name));
    const list: NamespaceList = {
      namespaces: allowed.map((name) => ({ name })),
      default: allowed.includes(defaultNamespace) ? defaultNamespace : (allowed[0] ?? ''),
    };
    return replyJson(c, list);
  });
}
