import { type Me, payloadRef, payloadRefOf } from '@temporal-kms/codec-api';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createPlaintextCache, payloadKey, runScope } from '../../../src/payloads/reveal/plaintext-cache.ts';
import {
  accessTo,
  accessToSearch,
  AWAY,
  createReveals,
  HIDDEN,
  type RevealTarget,
} from '../../../src/payloads/reveal/reveals.ts';
import type { RunAddress } from '../../../src/session/server/addresses.ts';
import { encrypted } from '../../fixtures/payloads.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const MINUTE = 60_000;
const run: RunAddress = { namespace: 'cards', workflowId: 'w', runId: 'r' };
const other: RunAddress = { ...run, runId: 'r2' };
const automatic: RunAddress = { ...run, namespace: 'orders' };
const refused: RunAddress = { ...run, namespace: 'hr' };

const granted: Me['namespaces'] = [
  { name: 'cards', permissions: ['metadata', 'decode', 'search'], reveal: 'on-demand' },
  { name: 'orders', permissions: ['metadata', 'decode', 'search'], reveal: 'automatic' },
  { name: 'hr', permissions: ['metadata'], reveal: 'automatic' },
];
const access = {
  can: (namespace: string, permission: Me['namespaces'][number]['permissions'][number]) =>
    granted.some(({ name, permissions }) => name === namespace && permissions.includes(permission)),
  reveal: (namespace: string) => granted.find(({ name }) => name === namespace)?.reveal ?? 'automatic',
};

function setUp() {
  const plaintext = createPlaintextCache();
  const reveals = createReveals({ access, plaintext });
  const state = (ref: string, at = run, otherNamespace?: string) =>
    accessTo(reveals.store.getState(), { run: at, ref: payloadRef.parse(ref), otherNamespace });
  const status = (ref: string, at = run, otherNamespace?: string) => state(ref, at, otherNamespace).status;
  const reveal = (target: RevealTarget, minutes = 5, justification = 'PAY-1') =>
    reveals.reveal({ target, name: 'x', minutes, justification });
  return { plaintext, reveals, state, status, reveal };
}

const payloads = (...refs: string[]): RevealTarget => ({
  kind: 'payloads',
  run,
  refs: refs.map((ref) => payloadRef.parse(ref)),
});

describe('a payload', () => {
  it('is refused without the permission, open if the namespace reveals automatically, and locked otherwise', () => {
    const { status } = setUp();
    expect(status('1:0', refused)).toBe('refused');
    expect(status('1:0', automatic)).toBe('open');
    expect(status('1:0')).toBe('locked');
  });

  it('is locked if the namespace in which it was encrypted reveals payloads on demand', () => {
    const { status, reveals } = setUp();
    expect(status('1:0', automatic, 'cards')).toBe('locked');
    reveals.reveal({
      target: { kind: 'payloads', run: automatic, refs: [payloadRefOf(1, 0)] },
      name: 'Input',
      minutes: 5,
      justification: 'PAY-1',
    });
    expect(status('1:0', automatic, 'cards')).toBe('open');
  });

  it.each<[string, RevealTarget, [boolean, boolean, boolean]]>([
    ['this payload', payloads('1:0'), [true, false, false]],
    ['the payloads of an event', payloads('1:0', '1:1'), [true, true, false]],
    ['the run', { kind: 'run', run }, [true, true, false]],
    ['the namespace', { kind: 'namespace', namespace: 'cards' }, [true, true, true]],
    ['a search', { kind: 'search', run }, [false, false, false]],
    ['searches', { kind: 'searches', namespace: 'cards' }, [false, false, false]],
  ])('is opened by a reveal of %s only if the reveal covers it', (_, target, expected) => {
    const { status, reveal } = setUp();
    reveal(target);
    expect([status('1:0'), status('1:1'), status('1:0', other)].map((each) => each === 'open')).toEqual(
      expected,
    );
  });

  it('is locked again when its reveal ends, but not earlier', () => {
    const { status, reveal } = setUp();
    reveal(payloads('1:0'));
    vi.advanceTimersByTime(5 * MINUTE - 1);
    expect(status('1:0')).toBe('open');
    vi.advanceTimersByTime(1);
    expect(status('1:0')).toBe('locked');
  });

  it('is locked when its reveal ends even if the timer is late, for example because the computer slept', () => {
    const { status, reveal } = setUp();
    reveal(payloads('1:0'));
    vi.setSystemTime(Date.now() + 6 * MINUTE);
    expect(status('1:0')).toBe('locked');
  });

  it('stays open until the last of its reveals ends, under the justification of that reveal', () => {
    const { state, reveal } = setUp();
    reveal(payloads('1:0'), 15, 'PAY-1');
    reveal({ kind: 'run', run }, 5, 'PAY-2');
    expect(state('1:0')).toMatchObject({ grant: { justification: 'PAY-1' } });
    expect(state('2:0')).toMatchObject({ grant: { justification: 'PAY-2' } });
    vi.advanceTimersByTime(5 * MINUTE);
    expect(state('1:0').status).toBe('open');
    expect(state('2:0').status).toBe('locked');
  });
});

describe('plaintext in the cache', () => {
  it('is removed when the reveal for which it was decrypted ends', () => {
    const { plaintext, reveals, reveal } = setUp();
    reveal(payloads('1:0'), 5);
    reveal(payloads('2:0'), 15);
    const [first, second] = reveals.store.getState().grants;
    for (const [ref, grant] of [
      [payloadRefOf(1, 0), first],
      [payloadRefOf(2, 0), second],
    ] as const) {
      const answer = encrypted('secret').answer(ref);
      if (answer.ok) plaintext.set(payloadKey(runScope(run), ref, grant!.id), answer);
    }
    const both = plaintext.bytes;
    vi.advanceTimersByTime(5 * MINUTE);
    expect(plaintext.bytes).toBe(both / 2);
    reveals.lock('cards');
    expect(plaintext.bytes).toBe(0);
  });

  it('is never used for another reveal, because ids are not reused, even after the pages are rendered again', () => {
    const [first, second] = [setUp(), setUp()];
    for (const { reveal } of [first, second]) reveal({ kind: 'run', run });
    const id = ({ reveals }: typeof first) => reveals.store.getState().grants[0]!.id;
    expect(id(first)).not.toBe(id(second));
  });
});

describe('the person', () => {
  it('can lock a namespace’s payloads at once, and show automatically revealed payloads again', () => {
    const { status, reveals, reveal } = setUp();
    reveal({ kind: 'run', run });
    reveals.lock('cards');
    expect(status('1:0')).toBe('locked');
    expect(status('1:0', automatic)).toBe('open');

    reveals.lock('orders');
    expect(status('1:0', automatic)).toBe('locked');
    reveals.reveal({
      target: { kind: 'payloads', run: automatic, refs: [payloadRefOf(1, 0)] },
      name: 'Input',
    });
    expect([status('1:0', automatic), status('2:0', automatic)]).toEqual(['open', 'locked']);
    reveals.reveal({ target: { kind: 'namespace', namespace: 'orders' }, name: 'all' });
    expect(status('2:0', automatic)).toBe('open');
  });

  it('ends a namespace’s reveals, and discards its last justification, when the person leaves the namespace', () => {
    const { status, reveals, reveal } = setUp();
    reveal({ kind: 'namespace', namespace: 'cards' });
    expect(reveals.lastJustification('cards')).toBe('PAY-1');
    reveals.leave('orders');
    expect(status('1:0')).toBe('open');
    reveals.leave('cards');
    expect(status('1:0')).toBe('locked');
    expect(reveals.lastJustification('cards')).toBe('');
  });
});

describe('a hidden tab', () => {
  it('keeps reveals that required a justification, but only for a minute', () => {
    const { status, reveals, reveal } = setUp();
    reveal({ kind: 'run', run });
    reveals.hidden();
    vi.advanceTimersByTime(HIDDEN - 1);
    reveals.shown();
    expect(status('1:0')).toBe('open');
    reveals.hidden();
    vi.advanceTimersByTime(HIDDEN);
    expect(status('1:0')).toBe('locked');
  });

  it('keeps no plaintext after five minutes, but shows automatically revealed payloads again on return', () => {
    const { status, reveals } = setUp();
    const forgotten: unknown[] = [];
    reveals.onForget((namespace) => forgotten.push(namespace));
    reveals.hidden();
    vi.advanceTimersByTime(AWAY - 1);
    expect(status('1:0', automatic)).toBe('open');
    vi.advanceTimersByTime(1);
    expect(status('1:0', automatic)).toBe('locked');
    expect(forgotten).toEqual([undefined]);
    reveals.shown();
    expect(status('1:0', automatic)).toBe('open');
  });

  it('ends reveals and drops plaintext in time even if the browser runs no timers', () => {
    const { status, reveals, reveal } = setUp();
    const forgotten: unknown[] = [];
    reveals.onForget((namespace) => forgotten.push(namespace));
    reveal({ kind: 'run', run }, 15);
    reveals.hidden();
    vi.setSystemTime(Date.now() + AWAY);
    reveals.shown();
    expect(status('1:0')).toBe('locked');
    expect(forgotten).toEqual([undefined]);
  });
});

it('ends all reveals when the sign-in ends', () => {
  const { status, reveals, reveal } = setUp();
  reveal({ kind: 'namespace', namespace: 'cards' });
  reveals.end();
  expect(status('1:0')).toBe('locked');
  expect(reveals.lastJustification('cards')).toBe('');
});

it('permits a search while searches, the run or the namespace are revealed, but not while only a payload is', () => {
  const { reveals, reveal } = setUp();
  const search = (at = run) =>
    accessToSearch(reveals.store.getState(), { namespace: at.namespace, run: at }).status;
  expect([search(), search(automatic), search(refused)]).toEqual(['locked', 'open', 'refused']);
  reveal(payloads('1:0'));
  expect(search()).toBe('locked');
  for (const target of [
    { kind: 'search', run },
    { kind: 'run', run },
    { kind: 'searches', namespace: 'cards' },
    { kind: 'namespace', namespace: 'cards' },
  ] as const) {
    reveals.lock('cards');
    reveal(target);
    expect(search()).toBe('open');
  }
});
