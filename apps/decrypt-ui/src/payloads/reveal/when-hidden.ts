import type { PlaintextCache } from './plaintext-cache.ts';
import type { Grant, PayloadAccess, Reveals, RevealsState } from './reveals.ts';

/** The reveals and the plaintext cache, whose events end the display of plaintext. */
export interface HiddenWith {
  readonly reveals: Pick<Reveals, 'store' | 'onForget'>;
  readonly plaintext: Pick<PlaintextCache, 'onClear'>;
}

/** Whether the page requests plaintext of a namespace's runs, and for which reveal. */
export interface Opening {
  readonly namespace: string;
  /** Whether the server decrypts payloads. */
  readonly decoded: boolean;
  /** The reveal's id; undefined if the namespace reveals automatically. */
  readonly grant: string | undefined;
}

type AccessTo = (state: RevealsState, namespace: string) => PayloadAccess;

/** Returns whether plaintext of a namespace may be requested now, and for which reveal. */
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

/**
 * Returns whether plaintext may still be shown. The page never shows plaintext of one reveal for another, because the
 * audit would lack the other reveal's justification.
 */
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
