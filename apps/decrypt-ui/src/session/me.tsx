import type { Me, Permission, Reveal } from '@temporal-kms/codec-api';
import { createContext, type ReactNode, useContext, useMemo } from 'react';

/**
 * The person who uses this page, and what they may do. The page uses these permissions only to decide what to offer;
 * the server authorizes each request.
 */
export interface MyAccess {
  /** The person's e-mail address or OpenID Connect subject; absent if the server needs no sign-in. */
  readonly name?: string;
  /** The namespaces in which the person has a permission. */
  readonly namespaces: Me['namespaces'];
  readonly can: (namespace: string, permission: Permission) => boolean;
  /**
   * Whether the person may see workflows in at least one namespace; false for an auditor who may see only the audit.
   */
  readonly readsWorkflows: boolean;
  /** Returns how the namespace reveals payloads: automatically, or only with a justification. */
  readonly reveal: (namespace: string) => Reveal;
  /** Returns the maximum time for which a justification reveals payloads of the namespace, in minutes. */
  readonly revealMinutes: (namespace: string) => number;
}

/** Maximum number of minutes for which a justification reveals payloads, if the server does not specify this time. */
const REVEAL_MINUTES = 15;

/** Access to a server that needs no sign-in. */
const everything: MyAccess = {
  namespaces: [],
  can: () => true,
  readsWorkflows: true,
  reveal: () => 'automatic',
  revealMinutes: () => REVEAL_MINUTES,
};

const Context = createContext<MyAccess>(everything);

/** Provides `useMe`. If `me` is undefined, the server needs no sign-in, and the person may do everything. */
export function MeProvider({ me, children }: { me: Me | undefined; children: ReactNode }) {
  const access = useMemo(() => (me ? accessOf(me) : everything), [me]);
  return <Context value={access}>{children}</Context>;
}

function accessOf({ name, namespaces }: Me): MyAccess {
  const known = new Map(namespaces.map((each) => [each.name, each]));
  return {
    name,
    namespaces,
    readsWorkflows: namespaces.some(({ permissions }) => permissions.includes('metadata')),
    can: (namespace, permission) => known.get(namespace)?.permissions.includes(permission) ?? false,
    reveal: (namespace) => known.get(namespace)?.reveal ?? 'automatic',
    revealMinutes: (namespace) => known.get(namespace)?.revealMinutes ?? REVEAL_MINUTES,
  };
}

export const useMe = (): MyAccess => useContext(Context);
