import type { SignIn } from '@temporal-kms/codec-api';
import {
  type Session,
  SignInFailure,
  type SignInProvider,
  type SessionOptions,
  type SessionState,
  withoutSignIn,
} from './session.ts';
import {
  browserWindows,
  RETURN_PATH,
  SIGNED_OUT_PATH,
  type SignInReturn,
  type SignInWindows,
} from './windows.ts';

export interface StartOptions extends Pick<SessionOptions, 'fetch' | 'onLock' | 'onForget'> {
  readonly signIn: SignIn;
  /** The codec server's URL, to which the page sends the token. */
  readonly apiUrl: string;
  /** The identity provider's answer to this tab's sign-in attempt. */
  readonly returned?: SignInReturn | undefined;
  readonly windows?: SignInWindows;
  readonly provider?: SignInProvider;
}

/**
 * Resolves with this page's session. A freshly loaded page has no token, so it navigates to the provider. The provider
 * checks whether the person is signed in, and navigates back to the same address. The promise stays pending during this
 * navigation.
 */
export async function startSession(options: StartOptions): Promise<Session> {
  const { signIn, apiUrl, returned, windows = browserWindows() } = options;
  if (!signIn.required) return withoutSignIn('open', options.fetch);
  if (!signIn.authorizationCode) return withoutSignIn('external', options.fetch);
  // Loaded on demand, because a server with `AUTH=none` needs no sign-in.
  const [{ createProvider }, { createSession }] = await Promise.all([
    import('./provider.ts'),
    import('./token-session.ts'),
  ]);
  const provider =
    options.provider ?? createProvider(signIn.authorizationCode, `${location.origin}${RETURN_PATH}`);
  const session = (initial: Parameters<typeof createSession>[1]) =>
    createSession({ ...options, provider, windows }, initial);

  if (!isProtected(new URL(apiUrl, location.href))) return session(signedOut('failed', UNPROTECTED));
  try {
    if (returned) return session(await provider.complete(returned.answer, returned.attempt));
    if (location.pathname === SIGNED_OUT_PATH) return session(signedOut('chosen'));
    const { attempt, url } = await provider.begin('none');
    windows.leave(url, attempt, 'replace');
    return await new Promise<never>(() => undefined);
  } catch (error) {
    if (!(error instanceof SignInFailure)) throw error;
    const silent = error.kind === 'needs_person';
    return session(silent ? signedOut('start') : signedOut('failed', error.message));
  }
}

const signedOut = (because: 'start' | 'chosen' | 'failed', message?: string): SessionState => ({
  status: 'signed_out',
  because,
  ...(message !== undefined && { message }),
});

const UNPROTECTED =
  'This page would send your token to the codec server without encryption. Serve the codec server over https.';

/** Returns whether requests to the URL are protected from eavesdropping: https or loopback. */
const isProtected = ({ protocol, hostname }: URL) =>
  protocol === 'https:' ||
  hostname === 'localhost' ||
  hostname === '[::1]' ||
  /^127(\.\d+){3}$/.test(hostname);
