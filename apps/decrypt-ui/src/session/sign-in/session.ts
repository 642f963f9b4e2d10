import { createStore, type StoreApi } from 'zustand/vanilla';
import type { Attempt, SignInWindows } from './windows.ts';

/** What a provider returned. Nothing outside of this folder holds it, and it is in memory only. */
export interface Tokens {
  /** The token that the codec server accepts. */
  readonly bearer: string;
  /** Milliseconds since 1970; absent: the provider did not name it. */
  readonly expiresAt?: number;
  readonly refresh?: string;
  /** The person, from the ID token; absent after a renewal without one. */
  readonly subject?: string;
}

/** `needs_person`: it works with the person only; `unreachable`: it may work later; `refused`: anything else. */
export type SignInFailureKind = 'needs_person' | 'unreachable' | 'refused';

/** A sign-in or renewal without a result. `message` is for the person and contains no token. */
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
  /** Returns the address of an authorization request, and the secrets that its answer must match. */
  begin(prompt?: 'none'): Promise<{ readonly attempt: Attempt; readonly url: string }>;
  complete(answer: URLSearchParams, attempt: Attempt): Promise<Tokens>;
  renew(refresh: string): Promise<Tokens>;
  /** Returns the address that ends the person's session with the provider, if it has one. */
  signOutUrl(returnTo: string): Promise<string | undefined>;
}

export type SessionState =
  /** The codec server needs no token (`AUTH=none`). */
  | { readonly status: 'open' }
  /** It needs a token and offers no sign-in to pages: a proxy in front of it adds the token. */
  | { readonly status: 'external' }
  | { readonly status: 'signed_in' }
  /** The token cannot be renewed without the person. The page stays, without plaintext, and its requests wait. */
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
  /** Called when plaintext must leave the page: on expiry and on sign-out. */
  readonly onLock?: () => void;
  /** Called when everything that the person has loaded must leave the page. */
  readonly onForget?: () => void;
}

export interface Session {
  readonly store: StoreApi<SessionState>;
  /** Changes when another person signs in, who must not see what the previous person loaded. */
  readonly person: () => number;
  /** The identity provider, for texts; absent where the page cannot sign in. */
  readonly issuer?: string;
  /** Sends a request with the token, renews the token once after a 401, and repeats the request once. */
  readonly fetch: typeof fetch;
  /**
   * Resolves when there is a token that is newer than a stream, which ended because its token expired; absent where the
   * page has no token.
   *
   * @param opened when the stream was opened, in milliseconds of `performance.now()`
   * @throws as `fetch`
   */
  readonly renewed?: (opened: number, signal: AbortSignal) => Promise<void>;
  /** Leaves the page for the provider and returns to the address at which the person is now. */
  readonly signIn: () => Promise<void>;
  /** Signs in again without leaving the page: call it from a click, because it may open a window. */
  readonly signInAgain: () => Promise<void>;
  readonly signOut: () => Promise<void>;
}

const nothing = () => Promise.resolve();

/** The session of a server that needs no token, or whose proxy adds the token. */
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
