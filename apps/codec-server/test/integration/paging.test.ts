import { setTimeout as sleep } from 'node:timers/promises';
import { decodeFrame, type DecodeFrame, type HistoryEvent, type HistoryFrame } from '@temporal-kms/codec-api';
import { beforeAll, describe, expect, it } from 'vitest';
import { HttpError } from '../../src/errors.ts';
import { createTemporalService } from '../../src/temporal/service.ts';
import { forFile } from '../support/for-file.ts';
import {
  decode,
  eventually,
  frames,
  get,
  history,
  lines,
  postTo,
  type Run,
  runOf,
  runPath,
  type Stack,
  startStack,
  valueOf,
} from '../support/temporal.ts';
import { change, finish } from '../support/workflows.ts';

const stack = forFile(await startStack());

const SECRET = 'canary-5d20aa';

function countingReplica(counted: () => void, maxHistoryBytes?: number): Stack['app'] {
  const temporal = createTemporalService(stack.connection);
  const counting: typeof temporal.history = (request, signal) => {
    counted();
    return temporal.history(request, signal);
  };
  return stack.replica({
    temporal: { ...temporal, history: counting },
    ...(maxHistoryBytes === undefined ? {} : { maxHistoryBytes }),
  });
}

/** Waits until the workflow `everywhere` needs nothing but the signal to complete. */
const settled = (run: Run): Promise<void> =>
  eventually(async () => {
    const events = await history(stack.app, run);
    const child = events.findIndex(({ eventName }) => eventName === 'ChildWorkflowExecutionCompleted');
    expect(events.slice(child + 1).map(({ eventName }) => eventName)).toContain('WorkflowTaskCompleted');
  });

describe('a long history', () => {
  let run: Run;
  beforeAll(async () => {
    const handle = await stack.start('ticks', [250]);
    run = await runOf(handle);
    await handle.result();
  });

  it('is streamed page by page, with the same events wherever a request starts', async () => {
    const response = await get(stack.replica(), `${runPath(run)}/history`);
    const collected = await Array.fromAsync(frames(response));
    const pages = collected.filter((frame) => frame.type === 'events');
    expect(pages.length).toBeGreaterThan(2);
    const all = pages.flatMap(({ events }) => events);
    expect(all.length).toBeGreaterThan(1_000);
    expect(all.map(({ eventId }) => eventId)).toEqual(all.map((_, index) => index + 1));
    expect(collected.at(-1)).toEqual({ type: 'end', reason: 'complete', after: all.length });
    for (const after of [1, 500, 777, all.length - 1, all.length]) {
      expect(await history(stack.app, run, `?after=${after}`)).toEqual(all.slice(after));
    }
    const beyond = await get(stack.app, `${runPath(run)}/history?after=${all.length + 1}`);
    expect(beyond.status).toBe(400);
  });

  it('ends with the reason `limit` if the caller requests only some events', async () => {
    const all = await history(stack.app, run);
    for (const after of [0, 777]) {
      const answer = await get(stack.app, `${runPath(run)}/history?after=${after}&limit=100`);
      expect(await Array.fromAsync(frames(answer))).toEqual([
        { type: 'events', events: all.slice(after, after + 100) },
        { type: 'end', reason: 'limit', after: after + 100 },
      ]);
    }
  });

  it.each([
    ['is read from the nearest cached page and not from the beginning', undefined, 0],
    ['is read again from Temporal page by page if the cache has evicted pages', 1, 1],
  ])('%s', async (_, maxHistoryBytes, reread) => {
    let calls = 0;
    const app = countingReplica(() => (calls += 1), maxHistoryBytes);
    const events = await history(app, run);
    const whole = calls;
    calls = 0;
    const last = events.findLast(({ eventName }) => eventName === 'ActivityTaskScheduled')!;
    expect(valueOf((await decode(app, run, [last.payloads[0]!.ref]))[0])).toBe('"tick 250"');
    expect([whole > 2, calls]).toEqual([true, reread]);
  });
});

describe('payloads that exceed what one request holds in memory', () => {
  const MiB = 1024 * 1024;
  let run: Run;
  let refs: string[];
  beforeAll(async () => {
    const handle = await stack.start('everywhere', [SECRET], { taskQueue: 'no-worker' });
    run = await runOf(handle);
    for (let n = 0; n < 12; n++) await handle.signal(finish, String(n).repeat(MiB).slice(0, MiB));
    refs = (await history(stack.app, run)).flatMap((event) => event.payloads.map(({ ref }) => ref));
    expect(refs).toHaveLength(13);
  });

  it.each([
    ['are read twice and decoded completely', undefined],
    ['are read twice from Temporal and decoded completely if no page is cached', 1],
  ])('%s', async (_, maxHistoryBytes) => {
    const app = countingReplica(() => undefined, maxHistoryBytes);
    const results = await decode(app, run, refs);
    expect(results.map(({ ref }) => ref).toSorted()).toEqual(refs.toSorted());
    expect(
      results.map((result) => valueOf(result).length).filter((length) => length === MiB + 2),
    ).toHaveLength(12);
  });

  it('are only partly decoded if Temporal becomes unavailable, and an end frame with an error follows', async () => {
    const temporal = createTemporalService(stack.connection);
    let down = false;
    const failing: typeof temporal.history = async (request, signal) => {
      if (down) throw new HttpError(503, 'temporal_unavailable', 'down');
      return temporal.history(request, signal);
    };
    const app = stack.replica({ temporal: { ...temporal, history: failing }, maxHistoryBytes: 1 });
    const all: DecodeFrame[] = [];
    for await (const frame of lines(await postTo(app, run, 'payloads:decode', { refs }), decodeFrame)) {
      down = true;
      all.push(frame);
    }
    const results = all.slice(0, -1);
    expect(results.every((frame) => 'ok' in frame && frame.ok)).toBe(true);
    expect(all.at(-1)).toMatchObject({ type: 'end', reason: 'error' });
    expect(results.length).toBeGreaterThan(0);
    expect(results.length).toBeLessThan(13);
  });
});

describe('a running workflow’s live history', () => {
  it('contains the existing events, then each new event, and an end frame when the run closes', async () => {
    const handle = await stack.start('everywhere', [SECRET]);
    const run = await runOf(handle);
    await handle.executeUpdate(change, { args: ['x'] });
    const stream = frames(await get(stack.app, `${runPath(run)}/history?live=true`));
    const seen: HistoryEvent[] = [];
    let signalled = false;
    let end: HistoryFrame | undefined;
    for await (const frame of stream) {
      if (frame.type === 'events') seen.push(...frame.events);
      if (frame.type === 'end') end = frame;
      if (!signalled && seen.some(({ eventName }) => eventName === 'ChildWorkflowExecutionCompleted')) {
        signalled = true;
        await handle.signal(finish, 'now');
      }
    }
    const durable = seen.filter((event) => event.durable);
    expect(durable.map(({ eventId }) => eventId)).toEqual(durable.map((_, index) => index + 1));
    expect(durable.map(({ eventName }) => eventName)).toContain('WorkflowExecutionSignaled');
    expect(durable.at(-1)!.eventName).toBe('WorkflowExecutionCompleted');
    expect(end).toEqual({ type: 'end', reason: 'complete', after: durable.length });
    expect(await history(stack.replica(), run)).toEqual(durable);
  });

  it('continues after the last event of an interrupted stream', async () => {
    const handle = await stack.start('everywhere', [SECRET]);
    const run = await runOf(handle);
    await settled(run);
    const before = (await history(stack.app, run)).filter(({ durable }) => durable);
    const rest = frames(
      await get(stack.replica(), `${runPath(run)}/history?live=true&after=${before.length}`),
    );
    await handle.signal(finish, 'now');
    const events: HistoryEvent[] = [];
    for await (const frame of rest) if (frame.type === 'events') events.push(...frame.events);
    expect(events.find(({ durable }) => durable)?.eventId).toBe(before.length + 1);
    expect(events.at(-1)!.eventName).toBe('WorkflowExecutionCompleted');
  });

  it('cancels the call to Temporal when the client disconnects', async () => {
    const handle = await stack.start('everywhere', [SECRET]);
    const run = await runOf(handle);
    await settled(run);
    const polls: AbortSignal[] = [];
    const temporal = createTemporalService(stack.connection);
    const watched: typeof temporal.history = (request, signal) => {
      if (request.nextPageToken?.length) polls.push(signal);
      return temporal.history(request, signal);
    };
    const server = await stack.serve({ temporal: { ...temporal, history: watched } });
    const client = new AbortController();
    const url = `http://127.0.0.1:${server.port}${runPath(run)}/history?live=true`;
    const reader = (await fetch(url, { signal: client.signal })).body!.getReader();
    await reader.read();
    // Temporal answers a poll early while the workflow still has tasks. For a moment afterwards, no poll is
    // open.
    await eventually(async () => {
      const poll = polls.at(-1);
      await sleep(1_000);
      expect([poll !== undefined, poll]).toEqual([true, polls.at(-1)]);
    });
    client.abort();
    await eventually(async () => expect(polls.at(-1)!.aborted).toBe(true));
    await server.close(0);
    await handle.terminate();
  });

  it('ends with a shutdown frame when the server stops', async () => {
    const handle = await stack.start('everywhere', [SECRET]);
    const run = await runOf(handle);
    const stopping = new AbortController();
    const app = stack.replica({ stopping: stopping.signal });
    const stream = frames(await get(app, `${runPath(run)}/history?live=true`));
    const first = await stream.next();
    expect(first.value).toMatchObject({ type: 'events' });
    setTimeout(() => stopping.abort(), 200);
    const rest = await Array.fromAsync(stream);
    expect(rest.at(-1)).toMatchObject({ type: 'end', reason: 'shutdown', after: expect.any(Number) });
    await handle.terminate();
  });

  it('marks the events of a failing workflow task as not durable', async () => {
    const handle = await stack.start('stuck', []);
    const run = await runOf(handle);
    const events = await eventually(async () => {
      const all = await history(stack.replica(), run);
      expect(all.some(({ durable }) => !durable)).toBe(true);
      return all;
    });
    const passing = events.filter(({ durable }) => !durable).map(({ eventName }) => eventName);
    expect(passing).toEqual(['WorkflowTaskScheduled', 'WorkflowTaskStarted'].slice(0, passing.length));
    expect(events.findLast(({ durable }) => durable)!.eventName).toBe('WorkflowTaskFailed');
    await handle.terminate();
  });
});

it('rejects a list’s page token that Temporal did not issue', async () => {
  for (const token of ['YWJj', 'W0ZpbHRlcmVkXQ', 'AAEC']) {
    const response = await get(stack.app, `/api/namespaces/payments/workflows?pageToken=${token}`);
    expect([token, response.status]).toEqual([token, 400]);
  }
});
