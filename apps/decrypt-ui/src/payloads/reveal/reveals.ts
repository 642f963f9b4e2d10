import type { PayloadRef } from '@temporal-kms/codec-api';
import { createStore } from 'zustand/vanilla';
import type { MyAccess } from '../../session/me.tsx';
import type { RunAddress } from '../../session/server/addresses.ts';
import { namespaceScope, type PlaintextCache, runScope } from './plaintext-cache.ts';

/**
 * What a person reveals at once. `search` and `searches`: the places in the payloads of a run, or of all runs of a
 * namespace, that contain a text, but no payload.
 */
export type RevealTarget =
  | PayloadsTarget
  | { readonly kind: 'run' | 'search'; readonly run: RunAddress }
  | { readonly kind: 'namespace' | 'searches'; readonly namespace: string };

/** Payloads of a run. Only the session of the run puts its refs next to its address: other runs have equal refs. */
export interface PayloadsTarget {
  readonly kind: 'payloads';
  readonly run: RunAddress;
  readonly refs: readonly PayloadRef[];
}

/** A reveal that has not ended. */
export interface Grant {
  /** Differs for each reveal: plaintext belongs to the reveal that the server decrypted it for. */
  readonly id: string;
  readonly target: RevealTarget;
  /** For people: `Input`, `event 5`. */
  readonly name: string;
  /** Milliseconds since 1970; Infinity where the namespace reveals automatically. */
  readonly until: number;
  /** For the audit; sent with each request under this reveal. */
  readonly justification?: string;
}

export interface RevealsState {
  readonly access: RevealAccess;
  readonly grants: readonly Grant[];
  /** Namespaces that reveal automatically and that the person has locked. */
  readonly locked: ReadonlySet<string>;
  /** The tab has been hidden for `AWAY`, so the page keeps no plaintext. */
  readonly away: boolean;
}

type RevealAccess = Pick<MyAccess, 'can' | 'reveal'>;

/** The place of a payload. */
export interface PayloadPlace {
  readonly run: RunAddress;
  readonly ref: PayloadRef;
  /** The namespace that it was encrypted in, if it differs: its rule applies too. */
  readonly otherNamespace?: string | undefined;
}

/** Whether a payload may be requested and shown. */
export type PayloadAccess =
  /** The person lacks the permission. */
  | { readonly status: 'refused' }
  /** The person can reveal it. */
  | { readonly status: 'locked' }
  /** `grant` is absent where the namespace reveals automatically. */
  | { readonly status: 'open'; readonly grant?: Grant };

/** How many milliseconds a tab may be hidden before reveals on demand end. */
export const HIDDEN = 60_000;
/** How many milliseconds a tab may be hidden before all plaintext leaves the page. */
export const AWAY = 5 * 60_000;
/** The longest delay of `setTimeout`. */
const MAX_DELAY = 2 ** 31 - 1;

const refusedAccess: PayloadAccess = { status: 'refused' };
const lockedAccess: PayloadAccess = { status: 'locked' };
const openAccess: PayloadAccess = { status: 'open' };

/** Whether the namespace, or the namespace that the payload was encrypted in, decrypts only with a justification. */
export const needsJustification = ({ access }: RevealsState, namespace: string, other?: string): boolean =>
  access.reveal(namespace) === 'on-demand' || (other !== undefined && access.reveal(other) === 'on-demand');

/** Returns whether a payload may be requested and shown now. */
export const accessTo = (state: RevealsState, { run, ref, otherNamespace }: PayloadPlace): PayloadAccess =>
  accessOf(state, { namespace: run.namespace, run, ref }, otherNamespace);

/** What is searched: the payloads of a run, or of runs of the namespace. */
export interface SearchPlace {
  readonly namespace: string;
  readonly run?: RunAddress | undefined;
}

/** Returns whether payloads may be searched now, and the matches shown. */
export const accessToSearch = (state: RevealsState, place: SearchPlace): PayloadAccess =>
  accessOf(state, place, undefined);

/** A payload, or without `ref` a search. */
interface Place extends SearchPlace {
  readonly ref?: PayloadRef;
}

function accessOf(state: RevealsState, place: Place, otherNamespace: string | undefined): PayloadAccess {
  const { access, away, locked, grants } = state;
  const { namespace, ref } = place;
  if (!access.can(namespace, ref === undefined ? 'search' : 'decode')) return refusedAccess;
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

function covers(target: RevealTarget, { namespace, run, ref }: Place): boolean {
  switch (target.kind) {
    case 'namespace':
      return target.namespace === namespace;
    case 'searches':
      return ref === undefined && target.namespace === namespace;
    default:
      if (!run || runScope(target.run) !== runScope(run)) return false;
      if (target.kind === 'payloads') return ref !== undefined && target.refs.includes(ref);
      return target.kind === 'run' || ref === undefined;
  }
}

/** The reveal that ends last, if one has not ended: a timer may be late, for example after the computer slept. */
function latest(grants: readonly Grant[]): Grant | undefined {
  const now = Date.now();
  return grants
    .filter(({ until }) => until > now)
    .reduce<Grant | undefined>(
      (last, grant) => (last && last.until >= grant.until ? last : grant),
      undefined,
    );
}

/** The namespace of a reveal. */
export const namespaceOf = (target: RevealTarget): string =>
  'namespace' in target ? target.namespace : target.run.namespace;

export interface RevealRequest {
  readonly target: RevealTarget;
  readonly name: string;
  /** Absent: until the person locks the payloads. */
  readonly minutes?: number;
  readonly justification?: string;
}

export interface RevealsOptions {
  readonly access: RevealAccess;
  readonly plaintext: PlaintextCache;
}

/**
 * Which payloads are open, for how long and why. It decides for every payload whether the page requests and shows it.
 */
export type Reveals = ReturnType<typeof createReveals>;

/** Counts all reveals of the page, because the cache of plaintext lives longer than the reveals of one person. */
let ids = 0;

export function createReveals({ access, plaintext }: RevealsOptions) {
  const store = createStore<RevealsState>()(() => ({ access, grants: [], locked: new Set(), away: false }));
  const forgetters = new Set<(namespace: string | undefined) => void>();
  /** In memory only, so that a person who continues their work need not type it again. */
  const justifications = new Map<string, string>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let hiding: ReturnType<typeof setTimeout>[] = [];
  let hiddenAt: number | undefined;

  /** Ends reveals, and drops the plaintext that belongs to them. */
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

  /** Drops everything that was decrypted in a namespace, or in all, and the matches of searches. */
  function forget(namespace?: string) {
    plaintext.forget(namespace === undefined ? '' : namespaceScope(namespace));
    for (const listener of forgetters) listener(namespace);
  }

  const elsewhere = (namespace: string) =>
    store.getState().grants.filter(({ target }) => namespaceOf(target) !== namespace);

  /** Ends the reveals on demand; the others have no end. */
  function endOnDemand() {
    keep(store.getState().grants.filter(({ until }) => until === Infinity));
  }

  function goAway() {
    keep(store.getState().grants, { away: true });
    forget();
  }

  return {
    store,
    /** The last justification that the person gave in a namespace. */
    lastJustification: (namespace: string) => justifications.get(namespace) ?? '',
    /**
     * Changes the permissions. What was decrypted under the earlier ones leaves the page; what may still be shown
     * comes back.
     */
    setAccess: (next: RevealAccess) => {
      if (next === store.getState().access) return;
      store.setState({ access: next });
      forget();
    },
    /** Reveals a target until its time expires, or until one of the rules of docs/access.md ends the reveal. */
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
    /** Ends the reveals in a namespace that the person leaves, and drops what was decrypted there. */
    leave(namespace: string) {
      keep(elsewhere(namespace));
      justifications.delete(namespace);
      forget(namespace);
    },
    /** Call when the tab is hidden. Hidden tabs get few timers, so `shown` checks the times again. */
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
     * Ends all reveals: the cache of plaintext was cleared, because the sign-in has expired or the page is put away.
     */
    end() {
      justifications.clear();
      keep([]);
    },
    /** Calls the listener when what was decrypted in a namespace, or in all, must leave the page. */
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
