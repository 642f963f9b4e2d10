import { createStore, type StoreApi } from 'zustand/vanilla';
import type { Attempt, SignInWindows } from './windows.ts';

/**
 * The tokens that a provider returned. Only the code in this folder has access to tokens, and keeps them only in
 * memory.
 */
export interface Tokens {
  /** The token that the codec server accepts. */
  readonly bearer: string;
  /** When the token expires, in milliseconds since 1970; absent if the provider did not specify this time. */
  readonly expiresAt?: number;
  readonly refresh?: string;
  /** The person's subject (`sub`), from the ID token; absent after a renewal that returned no ID token. */
  readonly subject?: string;
}

/**
 * `needs_person`: the provider requires the person to interact. `unreachable`: a retry may succeed. `refused`:
 * anything else.
 */
export type SignInFailureKind = 'needs_person' | 'unreachable' | 'refused';

/** A failed sign-in or renewal. `message` is for the person and contains no token. */
export class SignInFailure extends Error {
  override readonly name = 'SignInFailure';
  readonly kind: SignInFailureKind;

  constructor(kind: SignInFailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** An identity provider. @throws SignInFailure from every method */
export interface SignInProvider {
  readonly issuer: string;
  /** Returns the URL of an authorization request, and the secrets against which its answer is checked. */
  begin(prompt?: 'none'): Promise<{ readonly attempt: Attempt; readonly url: string }>;
  complete(answer: URLSearchParams, attempt: Attempt): Promise<Tokens>;
  renew(refresh: string): Promise<Tokens>;
  /** Returns the URL that ends the person's session with the provider; undefined if the provider has no such URL. */
  signOutUrl(returnTo: string): Promise<string | undefined>;
}

export type SessionState =
  /** The codec server needs no token (`AUTH=none`). */
  | { readonly status: 'open' }
  /** The codec server needs a token but offers no sign-in to pages: a proxy in front of the server adds the token. */
  | { readonly status: 'external' }
  | { readonly status: 'signed_in' }
  /** The token expired and could not be renewed. The page stays open without plaintext, and its requests wait. */
  | { readonly status: 'expired'; readonly message: string; readonly retryable: boolean }
  | {
      readonly status: 'signed_out';
      readonly because: 'start' | 'chosen' | 'other_tab' | 'failed';
      readonly message?: string;
    };

export interface SessionOptions {
  readonly provider: SignInProvider;
  readonly windows: SignInWindows;
  /** Sends the requests to the codec server. */
  readonly fetch?: typeof fetch;
  /** Called when the page must drop plaintext: on expiry and on sign-out. */
  readonly onLock?: () => void;
  /** Called when the page must drop everything that the person has loaded. */
  readonly onForget?: () => void;
}

export interface Session {
  readonly store: StoreApi<SessionState>;
  /** Returns a number that changes when another person signs in, so that the page can discard what it has loaded. */
  readonly person: () => number;
  /** The identity provider's issuer, for display; absent if the page offers no sign-in. */
  readonly issuer?: string;
  /** Sends a request with the token. After a 401, renews the token and repeats the request, once. */
  readonly fetch: typeof fetch;
  /**
   * Waits for a newer token, after a stream ended because its token expired; absent if the page has no token.
   *
   * @param opened when the stream was opened, as `performance.now()` returned it
   * @throws as `fetch`
   */
  readonly renewed?: (opened: number, signal: AbortSignal) => Promise<void>;
  /** Navigates to the provider, which returns the person to the current address. */
  readonly signIn: () => Promise<void>;
  /**
   * Signs in again, in a window or, if the browser blocks the window, by leaving the page. Call this method
   * in a click handler, because browsers block other windows.
   */
  readonly signInAgain: () => Promise<void>;
  readonly signOut: () => Promise<void>;
}

const nothing = () => Promise.resolve();

/** Returns the session for a server that needs no token or gets the token from a proxy. */
export function withoutSignIn(status: 'open' | 'external', send: typeof fetch = fetch): Session {
  return {
    store: createStore<SessionState>()(() => ({ status })),
    person: () => 0,
    fetch: send,
    signIn: nothing,
    signInAgain: nothing,
    signOut: nothing,
  };
}
