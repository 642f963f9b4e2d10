import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type DecodeResult, payloadRefOf } from '@temporal-kms/codec-api';
import { QueryClient } from '@tanstack/react-query';
import { createPlaintextCache } from '../../../src/payloads/reveal/plaintext-cache.ts';
import { createReveals } from '../../../src/payloads/reveal/reveals.ts';
import type { WorkflowSearch } from '../../../src/runs/run-params.ts';
import { createRunSessions } from '../../../src/runs/run/run-sessions.ts';
import { openTestPort } from '../../fixtures/history.ts';
import { encrypted } from '../../fixtures/payloads.ts';
import { FixtureRun } from '../../fixtures/run.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const address = { namespace: 'n', workflowId: 'w', runId: 'r' };
const SIGNALS = 50;

/** Returns the sessions of a run whose events are signals with encrypted inputs. The run's page is not rendered. */
function setUp(reveal: 'automatic' | 'on-demand' = 'automatic') {
  const run = new FixtureRun({ workflowId: 'w' });
  for (let index = 0; index < SIGNALS; index += 1) {
    const input = { payloads: [encrypted(`signal ${index}`)] };
    run.add('WorkflowExecutionSignaled', index, { signalName: 's', input });
  }
  const requests: (readonly string[])[] = [];
  async function* decode(_: unknown, refs: readonly string[]): AsyncGenerator<DecodeResult> {
    requests.push(refs);
    for (const ref of refs) yield encrypted('text').answer(ref);
  }
  const plaintext = createPlaintextCache();
  const sessions = createRunSessions({
    api: {
      decode,
      search: () => {
        throw new Error('No test searches.');
      },
      describe: async () => run.description,
      history: async () => {
        const frames = [{ type: 'events', events: run.events }, { type: 'heartbeat' }];
        const text = frames.map((frame) => `${JSON.stringify(frame)}\n`).join('');
        return new ReadableStream<Uint8Array<ArrayBuffer>>({
          start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
        });
      },
    },
    queries: new QueryClient(),
    plaintext,
    reveals: createReveals({ plaintext, access: { can: () => true, reveal: () => reveal } }),
    openPort: openTestPort,
  });
  const preload = (search: WorkflowSearch, count: number) => sessions.preload(address, { search, count });
  return { sessions, requests, preload };
}

test('requests, before the page renders, only the payloads of rows that fit into the window', async () => {
  const { requests, preload } = setUp();
  preload({}, 3);
  await vi.advanceTimersByTimeAsync(300);
  expect(requests).toEqual([['1:0', '2:0', '3:0']]);
});

test('does not request the payloads again when the rows are rendered', async () => {
  const { sessions, requests, preload } = setUp();
  preload({}, 2);
  await vi.advanceTimersByTimeAsync(100);
  const leave = sessions.use(address);
  const { decoder } = sessions.get(address).payloads;
  const hide = [payloadRefOf(1, 0), payloadRefOf(2, 0), payloadRefOf(3, 0)].map((ref) => decoder.view(ref));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(requests).toEqual([['1:0', '2:0'], ['3:0']]);
  expect(decoder.state(payloadRefOf(1, 0)).status).toBe('answered');
  for (const stop of [...hide, leave]) stop();
});

test.each([
  ['another tab', { tab: 'pending' }],
  ['an event', { ev: 40 }],
] as const)('requests nothing before the page renders if the page opens at %s', async (_, search) => {
  const { requests, preload } = setUp();
  preload(search, 3);
  await vi.advanceTimersByTimeAsync(300);
  expect(requests).toEqual([]);
});

test('does not request locked payloads', async () => {
  const { requests, preload } = setUp('on-demand');
  preload({}, 3);
  await vi.advanceTimersByTimeAsync(300);
  expect(requests).toEqual([]);
});
