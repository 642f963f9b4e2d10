import type { Permission } from '@temporal-kms/codec-api';
import { type Access, openAccess } from '../../src/access/access.ts';

type Permissions = Readonly<Record<string, readonly Permission[]>>;

/** Returns an `Access` in which every caller is `ana`, who has exactly these permissions per namespace. */
export const ana = (may: Permissions, onDemand: readonly string[] = []): Access => ({
  authenticate: () => ({ name: 'ana' }),
  allows: (_, permission, namespace) => may[namespace ?? '']?.includes(permission) ?? false,
  signIn: () => undefined,
  reveal: (namespace) => (onDemand.includes(namespace) ? 'on-demand' : 'automatic'),
  revealMinutes: () => 15,
});

/** An `Access` in which every namespace reveals payloads on demand. */
export const onDemandAccess: Access = { ...openAccess, reveal: () => 'on-demand' };

/** Returns an `Access` whose callers' sign-in expires after `ms` milliseconds. */
export const signedInFor = (ms: number): Access => ({
  ...openAccess,
  authenticate: () => ({ name: 'ana', expiresAt: Date.now() + ms }),
});

/** Options for a caller who may read every namespace. */
export const anyNamespace = { authorizeNamespace: () => undefined, recordObject: () => Promise.resolve() };
