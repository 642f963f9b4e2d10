import type { Me } from '@temporal-kms/codec-api';
import type { Session, SessionState } from '../../src/session/sign-in/session.ts';
import { createSession } from '../../src/session/sign-in/token-session.ts';
import { fixtureToken } from '../fixtures/people.ts';
import { type SessionActions, uniqueNamespace } from './render-app.tsx';
import { fakeProvider, fakeWindows } from './sign-in.ts';

export const person = (namespaces: Me['namespaces'], name = 'ana.king@example.com'): Me => ({
  name,
  namespaces,
});
export const inNamespace = (name: string, permissions: Me['namespaces'][number]['permissions']) =>
  ({ name, permissions, reveal: 'automatic' }) as const;

/** A namespace that no other test uses. */
export const newNamespace = () => uniqueNamespace('signed-in');

/** Returns a session whose tokens identify `me` to the fixture server, or a session in the given state. */
export function sessionOf(me: Me | undefined, state?: SessionState) {
  const provider = fakeProvider();
  const windows = fakeWindows();
  provider.bearer = () => (me ? fixtureToken(me) : 'expired');
  const bearer = me ? fixtureToken(me) : 'expired';
  const make = (actions: SessionActions): Session =>
    createSession(
      { ...actions, provider, windows },
      state ?? { bearer, refresh: 'refresh-0', subject: 'ana', expiresAt: Date.now() + 3_600_000 },
    );
  return { provider, windows, make };
}

/** Returns a session of a person who has these permissions in a new namespace. */
export function personWith(
  permissions: Me['namespaces'][number]['permissions'],
  reveal: 'automatic' | 'on-demand' = 'automatic',
) {
  const namespace = newNamespace();
  return { namespace, ...sessionOf(person([{ name: namespace, permissions, reveal }])) };
}

const expired = () =>
  Response.json({ error: { code: 'unauthenticated', message: 'expired' } }, { status: 401 });

/**
 * Returns a session that a test can end. After the end, the server refuses the session's tokens, and the provider
 * issues no new tokens.
 */
export function expiring({ make, provider, windows }: ReturnType<typeof sessionOf>) {
  let isRefused = false;
  return {
    make: (actions: SessionActions): Session =>
      make({
        ...actions,
        fetch: (input, init) => (isRefused ? Promise.resolve(expired()) : actions.fetch(input, init)),
      }),
    expire: () => {
      provider.refuse = 'refused';
      isRefused = true;
    },
    /** Lets the person sign in again. */
    permit: () => {
      provider.refuse = undefined;
      isRefused = false;
      windows.answer = 'code=1';
    },
  };
}

/** Returns a person who needs a justification to see the namespace's payloads. */
export const onDemand = (namespace: string, more: Me['namespaces'] = []): Me =>
  person([
    {
      name: namespace,
      permissions: ['metadata', 'decode', 'search'],
      reveal: 'on-demand',
      revealMinutes: 15,
    },
    ...more,
  ]);
