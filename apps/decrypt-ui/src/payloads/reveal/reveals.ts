import { type PayloadRef, payloadRefOf } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import type { MyAccess } from '../../session/me.tsx';
import type { RunAddress } from '../../session/server/addresses.ts';
import { namespaceScope, type PlaintextCache, runScope } from './plaintext-cache.ts';

/**
 * What one reveal covers. `search` covers the search matches in a run's payloads, and `searches` those in all
 * runs of a namespace; neither covers a whole payload. `causes` covers the messages and stack traces with which
 * runs of a namespace failed.
 */
export type RevealTarget =
  | PayloadsTarget
  | { readonly kind: 'run' | 'search'; readonly run: RunAddress }
  | { readonly kind: 'namespace' | 'searches' | 'causes'; readonly namespace: string };

/** Payloads of a run. Only the run's session may combine refs with the address, because other runs have the same refs. */
export interface PayloadsTarget {
  readonly kind: 'payloads';
  readonly run: RunAddress;
  readonly refs: readonly PayloadRef[];
}

/** A reveal that has not ended. */
export interface Grant {
  /** Unique for each reveal: plaintext belongs to the reveal for which the server decrypted it. */
  readonly id: string;
  readonly target: RevealTarget;
  /** The reveal's name on the page: `Input`, `event 5`. */
  readonly name: string;
  /** When the reveal ends, in milliseconds since 1970; Infinity if the namespace reveals automatically. */
  readonly until: number;
  /** The justification for the audit, sent with each request for this reveal. */
  readonly justification?: string;
}

export interface RevealsState {
  readonly access: RevealAccess;
  readonly grants: readonly Grant[];
  /** Namespaces that reveal automatically but that the person has locked. */
  readonly locked: ReadonlySet<string>;
  /** Whether the tab has been hidden for at least `AWAY` milliseconds. If so, the page keeps no plaintext. */
  readonly away: boolean;
}

type RevealAccess = Pick<MyAccess, 'can' | 'reveal'>;

/** The run that contains a payload, and the payload's ref in the run. */
export interface PayloadPlace {
  readonly run: RunAddress;
  readonly ref: PayloadRef;
  /**
   * The namespace in which the payload was encrypted, if it differs from the run's namespace. The rule of that
   * namespace also applies.
   */
  readonly otherNamespace?: string | undefined;
}

/** Whether the page may request and show a payload. */
export type PayloadAccess =
  /** The person lacks the permission. */
  | { readonly status: 'refused' }
  /** The person can reveal the payload. */
  | { readonly status: 'locked' }
  /** `grant` is absent if the namespace reveals automatically. */
  | { readonly status: 'open'; readonly grant?: Grant };

/** Milliseconds for which a tab may be hidden before reveals with a time limit end. */
export const HIDDEN = 60_000;
/** Milliseconds for which a tab may be hidden before the page drops all plaintext. */
export const AWAY = 5 * 60_000;
/** Maximum delay of `setTimeout`, in milliseconds. */
const MAX_DELAY = 2 ** 31 - 1;

const refusedAccess: PayloadAccess = { status: 'refused' };
const lockedAccess: PayloadAccess = { status: 'locked' };
const openAccess: PayloadAccess = { status: 'open' };

/** Returns whether the namespace, or the namespace in which the payload was encrypted, decrypts only with a justification. */
export const needsJustification = ({ access }: RevealsState, namespace: string, other?: string): boolean =>
  access.reveal(namespace) === 'on-demand' || (other !== undefined && access.reveal(other) === 'on-demand');

/** Returns whether the page may request and show a payload now. */
export const accessTo = (state: RevealsState, { run, ref, otherNamespace }: PayloadPlace): PayloadAccess =>
  accessOf(state, { namespace: run.namespace, run, ref }, otherNamespace);

/** What a search covers: the payloads of a run, or of runs of the namespace. */
export interface SearchPlace {
  readonly namespace: string;
  readonly run?: RunAddress | undefined;
}

/** Returns whether the page may search payloads and show the matches now. */
export const accessToSearch = (state: RevealsState, place: SearchPlace): PayloadAccess =>
  accessOf(state, place, undefined);

/** Returns whether the payloads of all runs in the namespace may be requested and shown now. */
export const accessToNamespace = (state: RevealsState, namespace: string): PayloadAccess =>
  accessOf(state, { namespace, ref: NO_PAYLOAD }, undefined);

/** No history contains this payload, so only a reveal of the whole run or namespace covers it. */
export const NO_PAYLOAD = payloadRefOf(0, 0);

/** Returns whether the failures of a namespace's runs may be requested and shown now. */
export const accessToCauses = (state: RevealsState, namespace: string): PayloadAccess =>
  accessOf(state, { namespace, causes: true }, undefined);

/** Returns whether any plaintext of the namespace may be requested and shown now. */
export const isAnyOpen = (state: RevealsState, namespace: string): boolean =>
  state.grants.some(({ target }) => namespaceOf(target) === namespace) ||
  accessToNamespace(state, namespace).status === 'open' ||
  accessToSearch(state, { namespace }).status === 'open';

/** A payload (`ref`), the failures of runs (`causes`) or, if both are absent, a search. */
interface Place extends SearchPlace {
  readonly ref?: PayloadRef;
  readonly causes?: true;
}

const isSearch = ({ ref, causes }: Place): boolean => ref === undefined && causes === undefined;

function accessOf(state: RevealsState, place: Place, otherNamespace: string | undefined): PayloadAccess {
  const { access, away, locked, grants } = state;
  const { namespace } = place;
  if (!access.can(namespace, isSearch(place) ? 'search' : 'decode')) return refusedAccess;
  const justified = needsJustification(state, namespace, otherNamespace);
  if (!justified && away) return lockedAccess;
  if (!justified && !locked.has(namespace)) return openAccess;
  const grant = latest(
    grants.filter(
      ({ target, justification }) => (!justified || justification !== undefined) && covers(target, place),
    ),
  );
  return grant ? { status: 'open', grant } : lockedAccess;
}

function covers(target: RevealTarget, place: Place): boolean {
  const { namespace, run, ref } = place;
  switch (target.kind) {
    case 'namespace':
      return target.namespace === namespace;
    case 'searches':
      return isSearch(place) && target.namespace === namespace;
    case 'causes':
      return place.causes === true && target.namespace === namespace;
    default:
      if (!run || runScope(target.run) !== runScope(run)) return false;
      if (target.kind === 'payloads') return ref !== undefined && target.refs.includes(ref);
      return target.kind === 'run' || ref === undefined;
  }
}

/**
 * Returns the reveal that ends last. Ignores reveals that have ended, because a timer may be late, for
 * example after the computer slept.
 */
function latest(grants: readonly Grant[]): Grant | undefined {
  const now = Date.now();
  return grants
    .filter(({ until }) => until > now)
    .reduce<Grant | undefined>(
      (last, grant) => (last && last.until >= grant.until ? last : grant),
      undefined,
    );
}

/** Returns a reveal's namespace. */
export const namespaceOf = (target: RevealTarget): string =>
  'namespace' in target ? target.namespace : target.run.namespace;

export interface RevealRequest {
  readonly target: RevealTarget;
  readonly name: string;
  /** How long the reveal lasts. If absent, the reveal has no time limit. */
  readonly minutes?: number;
  readonly justification?: string;
}

export interface RevealsOptions {
  readonly access: RevealAccess;
  readonly plaintext: PlaintextCache;
}

/** Tracks which payloads are open, for how long and why. Decides for every payload whether the page requests and shows it. */
export type Reveals = ReturnType<typeof createReveals>;

/** Number of reveals by anyone who used this page, because the plaintext cache outlives one person's reveals. */
let ids = 0;

export function createReveals({ access, plaintext }: RevealsOptions) {
  const store = createStore<RevealsState>()(() => ({ access, grants: [], locked: new Set(), away: false }));
  const forgetters = new Set<(namespace: string | undefined) => void>();
  /**
   * The last justification in each namespace, so that a person who continues their work need not type it again.
   * Kept only in memory.
   */
  const justifications = new Map<string, string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hiding: ReturnType<typeof setTimeout>[] = [];
  let hiddenAt: number | undefined;

  /** Keeps the given reveals, ends all others, and drops the plaintext of those that ended. */
  function keep(grants: readonly Grant[], more: Partial<RevealsState> = {}) {
    const before = store.getState().grants;
    for (const { id } of before) {
      if (!grants.some((grant) => grant.id === id)) plaintext.forgetGrant(id);
    }
    store.setState({ ...more, grants });
    clearTimeout(timer);
    const next = Math.min(...grants.map(({ until }) => until));
    if (Number.isFinite(next))
      timer = setTimeout(expire, Math.min(Math.max(next - Date.now(), 0), MAX_DELAY));
  }

  function expire() {
    const now = Date.now();
    keep(store.getState().grants.filter(({ until }) => until > now));
  }

  /** Drops cached plaintext and search matches of a namespace, or of all namespaces. */
  function forget(namespace?: string) {
    plaintext.forget(namespace === undefined ? '' : namespaceScope(namespace));
    for (const listener of forgetters) listener(namespace);
  }

  const elsewhere = (namespace: string) =>
    store.getState().grants.filter(({ target }) => namespaceOf(target) !== namespace);

  /** Ends the reveals that required a justification, which are those with a time limit. */
  function endOnDemand() {
    keep(store.getState().grants.filter(({ until }) => until === Infinity));
  }

  function goAway() {
    keep(store.getState().grants, { away: true });
    forget();
  }

  return {
    store,
    /** Returns the last justification that the person gave in a namespace. */
    lastJustification: (namespace: string) => justifications.get(namespace) ?? '',
    /**
     * Changes the permissions, and drops cached plaintext and search matches. Keeps payloads in view that are
     * still open.
     */
    setAccess: (next: RevealAccess) => {
      if (next === store.getState().access) return;
      store.setState({ access: next });
      forget();
    },
    /** Reveals a target until its time expires or a rule in docs/access.md ends the reveal. */
    reveal({ target, name, minutes, justification }: RevealRequest) {
      const namespace = namespaceOf(target);
      const state = store.getState();
      if (justification !== undefined) justifications.set(namespace, justification);
      const unlocks = target.kind === 'namespace' && !needsJustification(state, namespace);
      if (unlocks) {
        keep(elsewhere(namespace), { locked: without(state.locked, namespace) });
        return;
      }
      ids += 1;
      const until = minutes === undefined ? Infinity : Date.now() + minutes * 60_000;
      const grant = {
        id: String(ids),
        target,
        name,
        until,
        ...(justification !== undefined && { justification }),
      };
      keep([...state.grants, grant]);
    },
    /** Hides every payload of a namespace until the person reveals it again. */
    lock(namespace: string) {
      const state = store.getState();
      keep(elsewhere(namespace), { locked: new Set([...state.locked, namespace]) });
      forget(namespace);
    },
    /**
     * Call when the person leaves a namespace. Ends the namespace's reveals and drops what was decrypted in
     * it.
     */
    leave(namespace: string) {
      keep(elsewhere(namespace));
      justifications.delete(namespace);
      forget(namespace);
    },
    /** Call when the tab is hidden. Browsers delay timers in hidden tabs, so `shown` checks the times again. */
    hidden() {
      hiddenAt ??= Date.now();
      for (const known of hiding) clearTimeout(known);
      hiding = [setTimeout(endOnDemand, HIDDEN), setTimeout(goAway, AWAY)];
    },
    shown() {
      for (const known of hiding) clearTimeout(known);
      const time = hiddenAt === undefined ? 0 : Date.now() - hiddenAt;
      hiddenAt = undefined;
      if (time >= HIDDEN) endOnDemand();
      if (time >= AWAY && !store.getState().away) goAway();
      expire();
      if (store.getState().away) store.setState({ away: false });
    },
    /**
     * Ends all reveals. Call when the plaintext cache was cleared, because the sign-in expired or the page entered
     * the back/forward cache.
     */
    end() {
      justifications.clear();
      keep([]);
    },
    /** Calls the listener when the page must drop what was decrypted in a namespace, or in all namespaces. */
    onForget(listener: (namespace: string | undefined) => void): () => void {
      forgetters.add(listener);
      return () => forgetters.delete(listener);
    },
    /** Stops all timers. */
    stop() {
      clearTimeout(timer);
      for (const known of hiding) clearTimeout(known);
    },
  };
}

const without = (names: ReadonlySet<string>, name: string) =>
  new Set([...names].filter((other) => other !== name));
