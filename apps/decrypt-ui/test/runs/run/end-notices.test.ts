import { afterEach, expect, test, vi } from 'vitest';
import { createStore } from 'zustand/vanilla';
import { endNoticesOf } from '../../../src/runs/run/end-notices.ts';
import type { RunState } from '../../../src/runs/run/run-session.ts';
import { createSession } from '../../../src/session/sign-in/token-session.ts';
import { FixtureRun } from '../../fixtures/run.ts';
import { fakeProvider, fakeWindows } from '../../support/sign-in.ts';

const shown = vi.fn();
afterEach(() => {
  vi.unstubAllGlobals();
  shown.mockClear();
});

function setUp(permission: () => Promise<string> = async () => 'granted') {
  class Notice extends EventTarget {
    static requestPermission = permission;
    constructor(title: string) {
      super();
      shown(title);
    }
  }
  vi.stubGlobal('Notification', Notice);
  const provider = fakeProvider();
  const windows = fakeWindows();
  const session = createSession({ provider, windows }, { status: 'expired', message: '', retryable: false });
  const run = new FixtureRun({ workflowId: 'order-1' });
  const seen = new Map();
  const store = createStore<RunState>()(() => ({
    description: run.description,
    failure: undefined,
    attemptsSeen: seen,
    failuresSeen: seen,
  }));
  const used = { count: 0 };
  const use = () => {
    used.count += 1;
    return () => (used.count -= 1);
  };
  const notices = endNoticesOf({ get: () => ({ store }), use }, session);
  return {
    notices,
    used,
    address: { namespace: 'n', workflowId: 'order-1', runId: run.runId },
    signIn: async (subject: string) => {
      provider.subject = subject;
      windows.answer = 'code=1';
      await session.signInAgain();
    },
    expire: () => session.store.setState({ status: 'expired', message: '', retryable: false }, true),
    signOutElsewhere: windows.signOutElsewhere,
    close: () => {
      run.close('Completed', 10);
      store.setState({ description: run.description });
    },
  };
}

test('keeps following a run when the same person signs in again', async () => {
  const { notices, used, address, signIn, expire, close } = setUp();
  await signIn('ana');
  await notices.add(address);
  expire();
  await signIn('ana');
  expect(used.count).toBe(1);
  close();
  expect(shown.mock.calls).toEqual([['order-1']]);
  expect(used.count).toBe(0);
});

test.each([
  [
    'another person signs in',
    async ({ expire, signIn }: ReturnType<typeof setUp>) => {
      expire();
      await signIn('bo');
    },
  ],
  [
    'the person signs out in another tab',
    async ({ signOutElsewhere }: ReturnType<typeof setUp>) => signOutElsewhere(),
  ],
])('stops following runs, and reports no end, once %s', async (_, change) => {
  const set = setUp();
  await set.signIn('ana');
  await set.notices.add(set.address);
  await change(set);
  expect(set.used.count).toBe(0);
  expect(set.notices.store.getState().runs.size).toBe(0);
  set.close();
  expect(shown).not.toHaveBeenCalled();
});

test('follows no run if another person signs in while the permission prompt is open', async () => {
  const prompt = Promise.withResolvers<string>();
  const { notices, used, address, signIn, expire } = setUp(() => prompt.promise);
  await signIn('ana');
  const added = notices.add(address);
  expire();
  await signIn('bo');
  prompt.resolve('granted');
  await added;
  expect(used.count).toBe(0);
});
