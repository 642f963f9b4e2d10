import { z } from 'zod/mini';
import { basePath } from '../../base-path.ts';

/**
 * The path to which the identity provider sends the browser back. The application has no page at this path:
 * `takeReturn` removes the path from the address bar.
 */
export const RETURN_PATH = `${basePath}sign-in`;
/** The path after a sign-out. At any other path, the application would sign the person in again. */
export const SIGNED_OUT_PATH = `${basePath}signed-out`;

/**
 * The `sessionStorage` key of a sign-in attempt: state, nonce, PKCE verifier, and the address to return to. The entry
 * contains no token, and the page removes the entry as soon as the page loads again.
 */
const ATTEMPT = 'decrypt-ui.sign-in';
/** The name contains the base path: dashboards at different base paths of one origin use different codec servers. */
const CHANNEL = `decrypt-ui.sign-in ${basePath}`;

/** The secrets of one authorization request, against which its answer is checked. */
export interface Attempt {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

const storedAttempt = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  returnTo: z.string().check(z.regex(/^\/(?!\/)/)),
});

/** The provider's answer to a sign-in attempt by this tab. */
export interface SignInReturn {
  readonly kind: 'answer';
  readonly answer: URLSearchParams;
  readonly attempt: Attempt;
}

/** The provider's answer to a sign-in attempt by another page of this origin, which opened this window or frame. */
export interface RelayedReturn {
  readonly kind: 'relay';
  readonly search: string;
}

/**
 * Removes the provider's answer from the address bar, and the attempt from `sessionStorage`. Returns both, or
 * only the answer if another page began the attempt. Call this function before anything else: an address with
 * a code must not be logged, bookmarked or sent on.
 */
export function takeReturn(): SignInReturn | RelayedReturn | undefined {
  const attempt = takeAttempt();
  if (location.pathname !== RETURN_PATH) return undefined;
  const { search } = location;
  const answer = new URLSearchParams(search);
  const own = attempt !== undefined && answer.get('state') === attempt.state;
  history.replaceState(null, '', own ? attempt.returnTo : basePath);
  if (own) return { kind: 'answer', answer, attempt };
  return answer.has('state') ? { kind: 'relay', search } : undefined;
}

function takeAttempt(): z.infer<typeof storedAttempt> | undefined {
  try {
    const text = sessionStorage.getItem(ATTEMPT);
    sessionStorage.removeItem(ATTEMPT);
    return storedAttempt.safeParse(JSON.parse(text ?? 'null')).data;
  } catch {
    // If the browser forbids storage, the answer matches no attempt.
    return undefined;
  }
}

const message = z.union([
  z.object({ answer: z.string() }),
  z.object({ received: z.string() }),
  z.object({ signedOut: z.literal(true) }),
]);
type Message = z.infer<typeof message>;

/**
 * Opens the channel between the pages of this origin and base path. The channel's messages carry the provider's answers
 * (each bound to one page's verifier) and sign-outs, but never tokens.
 */
function openChannel(onMessage: (message: Message) => void): BroadcastChannel {
  const channel = new BroadcastChannel(CHANNEL);
  channel.addEventListener('message', ({ data }) => {
    const parsed = message.safeParse(data);
    if (parsed.success) onMessage(parsed.data);
  });
  return channel;
}

function post(channel: BroadcastChannel, sent: Message): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel reaches only this origin
  channel.postMessage(sent);
}

/** Milliseconds within which the page that began an attempt must accept the answer. */
const RELAY = 3000;

/** Passes the provider's answer to the page that began the attempt. Resolves with false if no page accepts it. */
export function relayReturn({ search }: RelayedReturn): Promise<boolean> {
  const state = new URLSearchParams(search).get('state');
  return new Promise((resolve) => {
    const channel = openChannel((got) => {
      if ('received' in got && got.received === state) end(true);
    });
    const end = (taken: boolean) => {
      clearTimeout(timer);
      channel.close();
      resolve(taken);
    };
    const timer = setTimeout(() => end(false), RELAY);
    post(channel, { answer: search });
  });
}

/** The browser windows and the navigation that a session uses. */
export interface SignInWindows {
  readonly signedOutUri: string;
  /** Navigates to an authorization request. The provider navigates back, and `takeReturn` reads the answer. */
  leave(url: string, attempt: Attempt, how?: 'assign' | 'replace'): void;
  replace(url: string): void;
  /** Opens a window; call this function in a click handler. Returns undefined if the browser blocks the window. */
  open(): SignInPopup | undefined;
  /** Sends an authorization request in a hidden frame. Resolves with the answer, or undefined if none arrives. */
  frame(url: string, state: string): Promise<URLSearchParams | undefined>;
  onSignedOut(listener: () => void): void;
  announceSignOut(): void;
}

interface SignInPopup {
  /** Opens an authorization request in the window. Resolves with the answer, however long the person takes. */
  visit(url: string, state: string): Promise<URLSearchParams>;
  close(): void;
}

/** Time limit, in milliseconds, for a provider's answer in a hidden frame, where the person cannot interact. */
const FRAME = 8000;

/** Returns the browser's real windows. Call this function once per page. */
export function browserWindows(): SignInWindows {
  const expected = new Map<string, (answer: URLSearchParams) => void>();
  const signedOut = new Set<() => void>();
  const channel = openChannel((got) => {
    if ('signedOut' in got) for (const listener of signedOut) listener();
    if (!('answer' in got)) return;
    const answer = new URLSearchParams(got.answer);
    const state = answer.get('state') ?? '';
    const take = expected.get(state);
    if (!take) return;
    expected.delete(state);
    post(channel, { received: state });
    take(answer);
  });
  const answerTo = (state: string) =>
    new Promise<URLSearchParams>((resolve) => {
      expected.set(state, resolve);
    });

  return {
    signedOutUri: `${location.origin}${SIGNED_OUT_PATH}`,
    leave: (url, { state, nonce, verifier }, how = 'assign') => {
      const { pathname, search, hash } = location;
      const returnTo = pathname === SIGNED_OUT_PATH ? basePath : `${pathname}${search}${hash}`;
      sessionStorage.setItem(ATTEMPT, JSON.stringify({ state, nonce, verifier, returnTo }));
      location[how](url);
    },
    replace: (url) => location.replace(url),
    open: () => {
      const popup = window.open('about:blank', '_blank', 'popup,width=520,height=720');
      if (!popup) return undefined;
      // Stops the provider's page from navigating this page.
      popup.opener = null;
      return {
        visit: async (url, state) => {
          const answer = answerTo(state);
          popup.location.replace(url);
          return answer;
        },
        close: () => popup.close(),
      };
    },
    frame: async (url, state) => {
      const frame = document.createElement('iframe');
      frame.hidden = true;
      frame.title = 'Sign-in';
      frame.src = url;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), FRAME);
      });
      const answer = answerTo(state);
      document.body.append(frame);
      try {
        return await Promise.race([answer, late]);
      } finally {
        clearTimeout(timer);
        expected.delete(state);
        frame.remove();
      }
    },
    onSignedOut: (listener) => void signedOut.add(listener),
    announceSignOut: () => post(channel, { signedOut: true }),
  };
}
