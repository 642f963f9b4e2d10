import type { KeyRules } from '@temporal-kms/kms-codec';
import type { TemporalService } from '../temporal/service.ts';

export interface ServedNamespacesOptions {
  readonly rules: Pick<KeyRules, 'namespaces' | 'hasDefault'>;
  readonly defaultNamespace: string;
  readonly temporal: TemporalService;
}

/** Temporal's own; nobody's workflows are in it. */
const SYSTEM = 'temporal-system';

/** Names of the namespaces that this server has keys for, sorted. */
export function servedNamespaces({
  rules,
  defaultNamespace,
  temporal,
}: ServedNamespacesOptions): (signal: AbortSignal) => Promise<string[]> {
  return async (signal) => {
    // A default key serves namespaces that no file names: Temporal knows which there are, where it lets us ask.
    const others = rules.hasDefault ? await temporal.namespaces(signal).catch(() => []) : [];
    const own = rules.hasDefault ? [defaultNamespace] : [];
    return [...new Set([...rules.namespaces, ...own, ...others])]
      .filter((name) => name !== SYSTEM)
      .toSorted();
  };
}
