import { createStore } from 'zustand/vanilla';
import { messageOf } from '../../ui/errors.ts';
import { ApiFailure } from '../server/failure.ts';
import {
  type Session,
  SignInFailure,
  type SessionOptions,
  type SessionState,
  type Tokens,
} from './session.ts';

/**
 * How long before expiry the page renews the token: the share `RENEW_PART` of the token's lifetime, but at most
 * `RENEW_AHEAD` milliseconds.
 */
const RENEW_PART = 0.1;
const RENEW_AHEAD = 60_000;
/** Milliseconds between renewal attempts while the provider is unreachable and the token is still valid. */
const RETRY = 10_000;
/** Maximum delay of `setTimeout`, in milliseconds. */
const MAX_DELAY = 2 ** 31 - 1;

const EXPIRED = 'Your sign-in has expired.';
const REFUSED = 'The codec server does not accept your sign-in.';
const OFFLINE = 'Your sign-in has expired, and the identity provider cannot be reached.';

/**
 * Creates a session that holds one person's tokens in memory. Requests share one renewal and wait for it. If the person
 * must sign in again, requests wait for the new sign-in, and the page then continues where it was.
 */
export function createSession(options: SessionOptions, initial: SessionState | Tokens): Session {
  const { provider, windows, fetch: send = fetch, onLock, onForget } = options;
  let tokens: Tokens | undefined;
  let subject: string | undefined;
  let person = 0;
  /** When the session accepted the tokens, as `performance.now()` returned it. */
  let accepted = 0;
  let renewal: Promise<unknown> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let silentWorks = true;
  const waiting = new Set<() => void>();
  const store = createStore<SessionState>()(() =>
    'status' in initial ? initial : { status: 'signed_in' as const },
  );

  function change(state: SessionState) {
    store.setState(state, true);
    for (const wake of waiting) wake();
  }

  function accept(next: Tokens) {
    const another = subject !== undefined && next.subject !== undefined && next.subject !== subject;
    subject = next.subject ?? subject;
    // A provider that does not rotate refresh tokens returns none on renewal (RFC 6749, section 6).
    const refresh = next.refresh ?? (another ? undefined : tokens?.refresh);
    tokens = { ...next, ...(refresh !== undefined && { refresh }) };
    accepted = performance.now();
    if (another) {
      person += 1;
      onForget?.();
    }
    schedule(next.expiresAt === undefined ? undefined : renewalDelay(next.expiresAt - Date.now()));
    change({ status: 'signed_in' });
  }

  function schedule(delay: number | undefined) {
    clearTimeout(timer);
    if (delay === undefined) return;
    timer = setTimeout(() => void renewOnce().catch(() => undefined), Math.min(delay, MAX_DELAY));
  }

  const isExpired = () => tokens?.expiresAt !== undefined && tokens.expiresAt <= Date.now();

  /**
   * Renews the tokens; simultaneous calls share one renewal. Never rejects: resolves with the error if the renewal
   * failed.
   */
  function renewOnce(): Promise<unknown> {
    renewal ??= tryRenewal().finally(() => {
      renewal = undefined;
    });
    return renewal;
  }

  async function tryRenewal(): Promise<unknown> {
    const before = tokens;
    try {
      const next =
        before?.refresh === undefined ? await renewSilently() : await provider.renew(before.refresh);
      // The person may have signed out or signed in again in the meantime.
      if (tokens === before) accept(next);
      return undefined;
    } catch (error) {
      if (tokens !== before) return undefined;
      // The current token stays valid until it expires, even if the renewal failed.
      if (isExpired()) expire(error);
      else if (isUnreachable(error)) schedule(RETRY);
      else if (before?.expiresAt !== undefined) schedule(before.expiresAt - Date.now());
      return error;
    }
  }

  /**
   * Renews without a refresh token: asks the provider in a hidden frame, where the browser may send the provider's
   * cookie.
   */
  async function renewSilently(): Promise<Tokens> {
    if (!silentWorks) throw new SignInFailure('needs_person', EXPIRED);
    const { attempt, url } = await provider.begin('none');
    const answer = await windows.frame(url, attempt.state);
    if (answer) return provider.complete(answer, attempt);
    // The browser or a policy blocks the frame, so further attempts would fail too.
    silentWorks = false;
    throw new SignInFailure('needs_person', EXPIRED);
  }

  function expire(cause: unknown, message = EXPIRED) {
    if (store.getState().status !== 'signed_in') return;
    clearTimeout(timer);
    onLock?.();
    const retryable = isUnreachable(cause);
    change({ status: 'expired', message: retryable ? OFFLINE : message, retryable });
  }

  /** Resolves with valid tokens, as soon as there are any. @throws ApiFailure when the person has signed out */
  async function current(signal: AbortSignal | null | undefined): Promise<Tokens> {
    for (;;) {
      signal?.throwIfAborted();
      const { status } = store.getState();
      if (status === 'signed_out') throw new ApiFailure('unauthenticated', 'You are signed out.');
      if (status === 'signed_in' && tokens && !isExpired()) return tokens;
      if (status === 'signed_in') await renewOnce();
      else await changed(signal);
    }
  }

  /** Resolves when the state changes or the signal aborts. */
  function changed(signal: AbortSignal | null | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      waiting.add(wake);
      signal?.addEventListener('abort', wake);
    });
  }

  /** Resolves with new tokens after the server refused the given tokens. @throws as `current` */
  async function instead(refused: Tokens, signal: AbortSignal | null | undefined): Promise<Tokens> {
    const cause = tokens === refused ? await renewOnce() : undefined;
    if (tokens === refused) expire(cause);
    return current(signal);
  }

  async function authorized(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
    const used = await current(init.signal);
    const response = await send(input, withBearer(init, used));
    if (response.status !== 401) return response;
    await response.body?.cancel();
    const next = await instead(used, init.signal);
    const repeated = await send(input, withBearer(init, next));
    // The server also refuses the new token, so another renewal would not help. The request fails with the server's
    // reason.
    if (repeated.status === 401) expire(undefined, REFUSED);
    return repeated;
  }

  function forget(because: 'chosen' | 'other_tab') {
    clearTimeout(timer);
    tokens = undefined;
    subject = undefined;
    onLock?.();
    onForget?.();
    change({ status: 'signed_out', because });
  }

  async function leave(): Promise<void> {
    try {
      const { attempt, url } = await provider.begin();
      windows.leave(url, attempt);
    } catch (error) {
      change({ status: 'signed_out', because: 'failed', message: messageOf(error) });
    }
  }

  windows.onSignedOut(() => {
    if (store.getState().status !== 'signed_out') forget('other_tab');
  });
  if (!('status' in initial)) accept(initial);

  return {
    store,
    person: () => person,
    issuer: provider.issuer,
    fetch: authorized,
    renewed: async (opened, signal) => {
      // If the token was renewed while the stream was open, the current token is newer than the stream's token.
      const old = accepted < opened ? tokens : undefined;
      await (old ? instead(old, signal) : current(signal));
    },
    signIn: leave,
    signInAgain: async () => {
      const state = store.getState();
      if (state.status !== 'expired') return;
      if (state.retryable) {
        change({ status: 'signed_in' });
        await renewOnce();
        return;
      }
      // Opens the window before the first `await`, while the browser still treats this as the person's click.
      const popup = windows.open();
      if (!popup) return leave();
      try {
        const { attempt, url } = await provider.begin();
        const answer = await popup.visit(url, attempt.state);
        accept(await provider.complete(answer, attempt));
      } catch (error) {
        popup.close();
        if (store.getState().status === 'expired') {
          change({ status: 'expired', message: messageOf(error), retryable: false });
        }
      }
    },
    signOut: async () => {
      const end = await provider.signOutUrl(windows.signedOutUri).catch(() => undefined);
      forget('chosen');
      windows.announceSignOut();
      // Navigating frees everything that this page holds in memory.
      windows.replace(end ?? windows.signedOutUri);
    },
  };
}

const isUnreachable = (error: unknown) => error instanceof SignInFailure && error.kind === 'unreachable';

const renewalDelay = (left: number) => Math.max(left - Math.min(left * RENEW_PART, RENEW_AHEAD), 0);

function withBearer(init: RequestInit, { bearer }: Tokens): RequestInit {
  const headers = new Headers(init.headers);
  headers.set('authorization', `Bearer ${bearer}`);
  return { ...init, headers };
}
