import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createSession } from '../../src/session/sign-in/token-session.ts';
import { fakeProvider, fakeWindows } from '../support/sign-in.ts';

const MINUTE = 60_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

interface Setting {
  /** Whether the provider issues refresh tokens. */
  readonly refresh?: boolean;
  /** Whether the server accepts a token. */
  readonly accepts?: (token: string) => boolean;
}

function setUp({ refresh = true, accepts = () => true }: Setting = {}) {
  const provider = fakeProvider();
  const windows = fakeWindows();
  const sent: string[] = [];
  const calls = { lock: 0, forget: 0 };
  const send: typeof fetch = (_, init) => {
    const token = new Headers(init?.headers).get('authorization')?.replace('Bearer ', '') ?? '';
    sent.push(token);
    init?.signal?.throwIfAborted();
    return Promise.resolve(new Response('', { status: accepts(token) ? 200 : 401 }));
  };
  const tokens = { bearer: 'token-0', subject: 'ana', expiresAt: Date.now() + 10 * MINUTE };
  const session = createSession(
    { provider, windows, fetch: send, onLock: () => (calls.lock += 1), onForget: () => (calls.forget += 1) },
    refresh ? { ...tokens, refresh: 'refresh-0' } : tokens,
  );
  return { session, provider, windows, sent, calls, status: () => session.store.getState().status };
}

const ask = async (session: { fetch: typeof fetch }, signal?: AbortSignal) =>
  (await session.fetch('https://codec.example/api/me', signal ? { signal } : {})).status;

describe('a request', () => {
  it('carries the token', async () => {
    const { session, sent } = setUp();
    expect(await ask(session)).toBe(200);
    expect(sent).toEqual(['token-0']);
  });

  it('is repeated once with a renewed token after a 401', async () => {
    const { session, sent } = setUp({ accepts: (token) => token !== 'token-0' });
    expect(await ask(session)).toBe(200);
    expect(sent).toEqual(['token-0', 'token-1']);
  });

  it('shares one renewal with all other requests', async () => {
    const { session, provider } = setUp({ accepts: (token) => token !== 'token-0' });
    expect(await Promise.all(Array.from({ length: 20 }, () => ask(session)))).toEqual(Array(20).fill(200));
    expect(provider.renewals).toEqual(['refresh-0']);
  });

  it('is not repeated a second time, and fails with the server’s response', async () => {
    const { session, sent, status, calls } = setUp({ accepts: () => false });
    expect(await ask(session)).toBe(401);
    expect(sent).toEqual(['token-0', 'token-1']);
    expect(status()).toBe('expired');
    expect(calls.lock).toBe(1);
  });

  it('waits while the person must sign in again, and continues afterwards', async () => {
    const { session, provider, windows, sent, status } = setUp({ accepts: (token) => token !== 'token-0' });
    provider.refuse = 'refused';
    const answer = ask(session);
    await vi.waitFor(() => expect(status()).toBe('expired'));
    const other = ask(session);
    expect(sent).toEqual(['token-0']);
    windows.answer = 'code=1';
    await session.signInAgain();
    expect(await Promise.all([answer, other])).toEqual([200, 200]);
    expect(status()).toBe('signed_in');
  });

  it('stops waiting when it is aborted', async () => {
    const { session, provider, status } = setUp({ accepts: () => false });
    provider.refuse = 'refused';
    const abort = new AbortController();
    const answer = ask(session, abort.signal);
    await vi.waitFor(() => expect(status()).toBe('expired'));
    abort.abort();
    await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('fails when the person signs out while it waits', async () => {
    const { session, provider, status } = setUp({ accepts: () => false });
    provider.refuse = 'refused';
    const answer = ask(session);
    await vi.waitFor(() => expect(status()).toBe('expired'));
    const failed = expect(answer).rejects.toMatchObject({ code: 'unauthenticated' });
    await session.signOut();
    await failed;
  });
});

describe('the token', () => {
  it('is renewed a minute before it expires, without a request', async () => {
    const { provider, session, sent } = setUp();
    await vi.advanceTimersByTimeAsync(9 * MINUTE + 1000);
    expect(provider.renewals).toEqual(['refresh-0']);
    await ask(session);
    expect(sent).toEqual(['token-1']);
  });

  it('is renewed with the refresh token that the provider returned last', async () => {
    const { provider } = setUp();
    await vi.advanceTimersByTimeAsync(30 * MINUTE);
    expect(provider.renewals.slice(0, 3)).toEqual(['refresh-0', 'refresh-1', 'refresh-2']);
  });

  it('is renewed in a hidden frame if there is no refresh token', async () => {
    const { provider, windows, status } = setUp({ refresh: false });
    windows.answer = 'code=1';
    await vi.advanceTimersByTimeAsync(9 * MINUTE + 1000);
    expect(provider.prompts).toEqual(['none']);
    expect(windows.frames).toBe(1);
    expect(status()).toBe('signed_in');
  });

  it('is used until it expires if the session cannot renew it, and then the session locks plaintext', async () => {
    const { provider, status, calls, session } = setUp();
    provider.refuse = 'refused';
    await vi.advanceTimersByTimeAsync(9.9 * MINUTE);
    expect(status()).toBe('signed_in');
    expect(calls.lock).toBe(0);
    await vi.advanceTimersByTimeAsync(0.2 * MINUTE);
    expect(session.store.getState()).toMatchObject({ status: 'expired', retryable: false });
    expect(calls).toEqual({ lock: 1, forget: 0 });
  });

  it('is renewed later if the provider cannot be reached at first', async () => {
    const { provider, status } = setUp();
    provider.refuse = 'unreachable';
    await vi.advanceTimersByTimeAsync(9.5 * MINUTE);
    provider.refuse = undefined;
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(provider.renewals.length).toBeGreaterThan(1);
    expect(status()).toBe('signed_in');
  });

  it('can be renewed without opening a sign-in window once the provider is reachable again', async () => {
    const { provider, session, windows, status } = setUp();
    provider.refuse = 'unreachable';
    await vi.advanceTimersByTimeAsync(11 * MINUTE);
    expect(session.store.getState()).toMatchObject({ status: 'expired', retryable: true });
    provider.refuse = undefined;
    await session.signInAgain();
    expect(status()).toBe('signed_in');
    expect(windows.opened).toBe(0);
  });

  it('is renewed for a stream only if it has not been renewed since the stream was opened', async () => {
    const { provider, session } = setUp();
    const { signal } = new AbortController();
    await vi.advanceTimersByTimeAsync(1000);
    const opened = performance.now();
    await session.renewed?.(opened, signal);
    expect(provider.renewals).toHaveLength(1);
    await session.renewed?.(opened, signal);
    expect(provider.renewals).toHaveLength(1);
  });

  it('is not in the state, or in any other place where a caller of the session could read it', async () => {
    const { session } = setUp();
    await ask(session);
    const seen = JSON.stringify([session, session.store.getState(), Object.entries(session)]);
    expect(seen).not.toMatch(/token-0|refresh-0/);
  });
});

/** Returns a session whose token has expired and cannot be renewed. */
async function expired() {
  const set = setUp();
  set.provider.refuse = 'refused';
  await vi.advanceTimersByTimeAsync(11 * MINUTE);
  return set;
}

describe('signing in again', () => {
  it('keeps everything that was loaded before if the same person signs in', async () => {
    const { session, windows, calls, status } = await expired();
    windows.answer = 'code=1';
    await session.signInAgain();
    expect(status()).toBe('signed_in');
    expect(calls.forget).toBe(0);
    expect(session.person()).toBe(0);
  });

  it('discards what the previous person loaded if another person signs in', async () => {
    const { session, provider, windows, calls } = await expired();
    provider.subject = 'bo';
    windows.answer = 'code=1';
    await session.signInAgain();
    expect(calls.forget).toBe(1);
    expect(session.person()).toBe(1);
  });

  it('navigates to the provider if the browser blocks the window', async () => {
    const { session, windows } = await expired();
    windows.blocked = true;
    await session.signInAgain();
    expect(windows.left).toEqual(['https://login.example/auth']);
  });

  it('states why the provider refused, and can be tried again', async () => {
    const { session, provider, windows, status } = await expired();
    windows.answer = 'error=access_denied';
    provider.refuseCode = true;
    await session.signInAgain();
    expect(session.store.getState()).toMatchObject({ status: 'expired', message: 'refused' });
    provider.refuseCode = false;
    await session.signInAgain();
    expect(status()).toBe('signed_in');
  });
});

describe('signing out', () => {
  it('removes plaintext and everything loaded, ends the session with the provider, and notifies other tabs', async () => {
    const { session, windows, calls, status } = setUp();
    await session.signOut();
    expect(calls).toEqual({ lock: 1, forget: 1 });
    expect(status()).toBe('signed_out');
    expect(windows.announced).toBe(1);
    expect(windows.replaced).toEqual(['https://login.example/end?to=https://page.example/signed-out']);
    await expect(ask(session)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('works even if the provider cannot end sessions', async () => {
    const { session, provider, windows } = setUp();
    provider.endsSessions = false;
    await session.signOut();
    expect(windows.replaced).toEqual(['https://page.example/signed-out']);
  });

  it('also happens when another tab signs out, but keeps the address', () => {
    const { session, windows, calls } = setUp();
    windows.signOutElsewhere();
    expect(session.store.getState()).toEqual({ status: 'signed_out', because: 'other_tab' });
    expect(calls).toEqual({ lock: 1, forget: 1 });
    expect(windows.replaced).toEqual([]);
  });

  it('stops all renewals of the token', async () => {
    const { session, provider } = setUp();
    await session.signOut();
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    expect(provider.renewals).toEqual([]);
  });
});
