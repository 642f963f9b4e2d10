import {
  SignInFailure,
  type SignInFailureKind,
  type SignInProvider,
  type Tokens,
} from '../../src/session/sign-in/session.ts';
import type { SignInWindows } from '../../src/session/sign-in/windows.ts';

/** An identity provider in this process. Tests change its answers. */
export interface FakeProvider extends SignInProvider {
  /** The refresh tokens that renewals used, oldest first. */
  readonly renewals: string[];
  readonly prompts: (string | undefined)[];
  /** Refuses renewals. */
  refuse: SignInFailureKind | undefined;
  /** Refuses codes. */
  refuseCode: boolean;
  subject: string;
  endsSessions: boolean;
  /** Returns the bearer token of the nth set of tokens. */
  bearer: (count: number) => string;
}

const HOUR = 3_600_000;

const refusal = (kind: SignInFailureKind) => new SignInFailure(kind, kind);

export function fakeProvider(lifetime = HOUR / 6): FakeProvider {
  let count = 0;
  const tokens = (subject?: string): Tokens => {
    count += 1;
    return {
      bearer: provider.bearer(count),
      refresh: `refresh-${count}`,
      expiresAt: Date.now() + lifetime,
      ...(subject !== undefined && { subject }),
    };
  };
  const provider: FakeProvider = {
    issuer: 'https://login.example',
    renewals: [],
    prompts: [],
    refuse: undefined,
    refuseCode: false,
    subject: 'ana',
    endsSessions: true,
    bearer: (number) => `token-${number}`,
    begin: (prompt) => {
      provider.prompts.push(prompt);
      const attempt = { state: 'state', nonce: 'nonce', verifier: 'verifier' };
      return Promise.resolve({ attempt, url: 'https://login.example/auth' });
    },
    complete: () =>
      provider.refuseCode ? Promise.reject(refusal('refused')) : Promise.resolve(tokens(provider.subject)),
    renew: (refresh) => {
      provider.renewals.push(refresh);
      return provider.refuse ? Promise.reject(refusal(provider.refuse)) : Promise.resolve(tokens());
    },
    signOutUrl: (returnTo) =>
      Promise.resolve(provider.endsSessions ? `https://login.example/end?to=${returnTo}` : undefined),
  };
  return provider;
}

/** Fake windows, which return an answer that a test sets, and record what the session does with them. */
export interface FakeWindows extends SignInWindows {
  /** What the fake frames and windows answer; undefined if they never answer. */
  answer: string | undefined;
  blocked: boolean;
  frames: number;
  opened: number;
  announced: number;
  readonly left: string[];
  readonly replaced: string[];
  signOutElsewhere: () => void;
}

export function fakeWindows(): FakeWindows {
  const listeners: (() => void)[] = [];
  const windows: FakeWindows = {
    signedOutUri: 'https://page.example/signed-out',
    answer: undefined,
    blocked: false,
    frames: 0,
    opened: 0,
    announced: 0,
    left: [],
    replaced: [],
    signOutElsewhere: () => {
      for (const listener of listeners) listener();
    },
    leave: (url) => void windows.left.push(url),
    replace: (url) => void windows.replaced.push(url),
    open: () => {
      if (windows.blocked) return undefined;
      windows.opened += 1;
      return {
        visit: () =>
          windows.answer === undefined
            ? new Promise<never>(() => undefined)
            : Promise.resolve(new URLSearchParams(windows.answer)),
        close: () => undefined,
      };
    },
    frame: () => {
      windows.frames += 1;
      return Promise.resolve(windows.answer === undefined ? undefined : new URLSearchParams(windows.answer));
    },
    onSignedOut: (listener) => void listeners.push(listener),
    announceSignOut: () => {
      windows.announced += 1;
    },
  };
  return windows;
}
