import type { PlaintextCache } from './plaintext-cache.ts';
import type { Grant, PayloadAccess, Reveals, RevealsState } from './reveals.ts';

/** What decides how long plaintext of several runs is shown. */
export interface HiddenWith {
  readonly reveals: Pick<Reveals, 'store' | 'onForget'>;
  readonly plaintext: Pick<PlaintextCache, 'onClear'>;
}

/** How plaintext of a namespace's runs is requested. */
export interface Opening {
  readonly namespace: string;
  /** Whether the server decrypts payloads. */
  readonly decoded: boolean;
  /** The reveal's id; undefined if the namespace reveals automatically. */
  readonly grant: string | undefined;
}

type AccessTo = (state: RevealsState, namespace: string) => PayloadAccess;

/** Returns how plaintext of a namespace may be requested and shown now. */
export function openingOf(
  { reveals }: Pick<HiddenWith, 'reveals'>,
  accessTo: AccessTo,
  namespace: string,
): Opening {
  const access = accessTo(reveals.store.getState(), namespace);
  const decoded = access.status === 'open';
  return { namespace, decoded, grant: decoded ? access.grant?.id : undefined };
}

/** Returns the reveal for which plaintext was requested, unless the reveal has ended. */
export const grantOf = ({ grants }: RevealsState, { grant }: Opening): Grant | undefined =>
  grants.find(({ id, until }) => id === grant && until > Date.now());

/** Plaintext of one reveal is never shown for another: the audit would lack the other's justification. */
export const mayShow = (state: RevealsState, accessTo: AccessTo, opening: Opening): boolean =>
  !opening.decoded ||
  (accessTo(state, opening.namespace).status === 'open' &&
    (opening.grant === undefined || grantOf(state, opening) !== undefined));

/** Calls `hide` when the page may no longer show the plaintext that it holds. */
export function whenHidden(
  { reveals, plaintext }: HiddenWith,
  accessTo: AccessTo,
  held: () => Opening | undefined,
  hide: () => void,
): void {
  const forget = (namespace?: string) => {
    const now = held();
    if (now?.decoded && (namespace === undefined || namespace === now.namespace)) hide();
  };
  plaintext.onClear(forget);
  reveals.onForget(forget);
  reveals.store.subscribe((state) => {
    const now = held();
    if (now && !mayShow(state, accessTo, now)) hide();
  });
}
