import type { Permission } from '@temporal-kms/codec-api';
import type { Access } from '../../src/access/access.ts';

/** Returns an access in which every caller is `ana` with exactly these permissions. */
export const ana = (may: readonly [Permission, string][], onDemand: readonly string[] = []): Access => ({
  authenticate: () => ({ name: 'ana' }),
  allows: (_, permission, namespace) => may.some(([one, where]) => one === permission && where === namespace),
  signIn: () => undefined,
  reveal: (namespace) => (onDemand.includes(namespace) ? 'on-demand' : 'automatic'),
  revealMinutes: () => 15,
});

/** The options for a caller who may read every namespace. */
export const anyNamespace = { authorizeNamespace: () => undefined };
