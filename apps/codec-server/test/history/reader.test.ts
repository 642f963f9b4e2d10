import { describe, expect, it } from 'vitest';
import { HistoryReader, type Run } from '../../src/history/reader.ts';
import { HttpError } from '../../src/errors.ts';
import type { TemporalService } from '../../src/temporal/service.ts';
import { never } from '../support/memory.ts';
import { pageOf } from '../support/planted-run.ts';
import { noTemporal } from '../support/stack.ts';

const run: Run = { namespace: 'n', workflowId: 'w', runId: 'r' };

/**
 * A growing history that is read like a history in Temporal: a token names the next event, and a page has
 * `pageSize` events.
 */
function growing(length: number, pageSize = 2, eventBytes = 0) {
  const state = { length, closed: false, requestedTokens: [] as (string | undefined)[], epoch: 'a' };
  const history: TemporalService['history'] = async ({ nextPageToken, maximumPageSize }) => {
    const token =
      nextPageToken === undefined || nextPageToken === null
        ? undefined
        : Buffer.from(nextPageToken).toString();
    state.requestedTokens.push(token);
    const [epoch, at] = token?.split(' ') ?? [state.epoch, '1'];
    if (epoch !== state.epoch) throw new HttpError(400, 'bad_request', 'Invalid NextPageToken.');
    const first = Number(at);
    const last = Math.min(first + Math.min(pageSize, maximumPageSize ?? 0) - 1, state.length);
    const events = Array.from({ length: last - first + 1 }, (_, n) => ({
      eventId: first + n,
      eventType: 17,
      taskId: 1,
      ...(eventBytes > 0 && {
        workflowExecutionSignaledEventAttributes: {
          input: { payloads: [{ data: Buffer.alloc(eventBytes) }] },
        },
      }),
    }));
    const more = last < state.length || !state.closed;
    return pageOf(events, more ? Buffer.from(`${state.epoch} ${last + 1}`) : undefined);
  };
  return { state, service: { ...noTemporal, history } };
}

const reader = (service: TemporalService, maxBytes = 1_000_000) => new HistoryReader(service, { maxBytes });
const ids = async (from: number, of: HistoryReader) =>
  (await of.read(run, from, never)).events.map(({ eventId }) => Number(eventId));

describe('HistoryReader', () => {
  it('reads each page of a history from Temporal once', async () => {
    const { service, state } = growing(600, 256);
    const one = reader(service);
    expect((await ids(600, one)).at(-1)).toBe(600);
    expect(state.requestedTokens).toEqual([undefined, 'a 257', 'a 513']);
    expect((await ids(300, one))[0]).toBe(300);
    expect(await ids(1, one)).toHaveLength(256);
    expect(state.requestedTokens).toHaveLength(3);
  });

  it('continues at the end of an open run’s history, and merges small pages', async () => {
    const { service, state } = growing(2);
    const one = reader(service);
    await ids(1, one);
    for (state.length = 3; state.length < 10; state.length += 1)
      expect(await ids(state.length, one)).toEqual([state.length]);
    expect(state.requestedTokens.slice(1)).toEqual(['a 3', 'a 4', 'a 5', 'a 6', 'a 7', 'a 8', 'a 9']);
    expect(await ids(1, one)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(state.requestedTokens).toHaveLength(8);
  });

  it('does not merge pages with large events', async () => {
    const { service } = growing(3, 1, 300_000);
    const one = reader(service, 10_000_000);
    for (const from of [1, 2, 3]) expect(await ids(from, one)).toEqual([from]);
    expect(await ids(1, one)).toEqual([1]);
  });

  it('requests no events from Temporal beyond the end of a closed run', async () => {
    const { service, state } = growing(2);
    state.closed = true;
    const one = reader(service);
    expect(await one.read(run, 1, never)).toMatchObject({ complete: true });
    expect(await one.read(run, 3, never)).toEqual({ events: [], transient: [], complete: true });
    expect(state.requestedTokens).toHaveLength(1);
  });

  it('returns no events if none arrived during the wait, and continues reading later', async () => {
    const { service, state } = growing(2);
    const one = reader(service);
    await ids(1, one);
    expect(await one.read(run, 3, never)).toEqual({ events: [], transient: [], complete: false });
    state.length = 3;
    expect(await ids(3, one)).toEqual([3]);
  });

  it('starts over when Temporal rejects a token', async () => {
    const { service, state } = growing(6);
    const one = reader(service, 1);
    await ids(5, one);
    state.epoch = 'b';
    expect(await ids(5, one)).toEqual([5, 6]);
    expect(state.requestedTokens.slice(-3)).toEqual([undefined, 'b 3', 'b 5']);
  });

  it('reads a page only once for concurrent callers', async () => {
    const { service, state } = growing(2);
    const one = reader(service);
    await Promise.all([ids(1, one), ids(2, one), ids(1, one)]);
    expect(state.requestedTokens).toEqual([undefined]);
  });
});

/**
 * A history that is read backwards. The event `end` ended a workflow task, and the pages have at most
 * `largest` events.
 */
function backwards(length: number, end: number, largest = length) {
  const sizes: number[] = [];
  const historyReverse: TemporalService['historyReverse'] = async ({ nextPageToken, maximumPageSize }) => {
    const size = maximumPageSize ?? 0;
    sizes.push(size);
    if (size > largest) throw new HttpError(500, 'too_large', 'larger than max');
    const from = nextPageToken?.length ? Number(Buffer.from(nextPageToken)) : length;
    const events = Array.from({ length: Math.min(size, from) }, (_, n) => ({
      eventId: from - n,
      eventType: from - n === end ? WORKFLOW_TASK_FAILED : SIGNALED,
      taskId: 1,
    }));
    return pageOf(events, from > size ? Buffer.from(String(from - size)) : undefined);
  };
  const history = async () => pageOf([{ eventId: length, eventType: SIGNALED, taskId: 1 }], undefined);
  return { sizes, of: reader({ ...noTemporal, history, historyReverse }) };
}
const [WORKFLOW_TASK_FAILED, SIGNALED] = [9, 26];

describe('lastTaskEnd', () => {
  it('reads a history backwards to the end of its latest workflow task', async () => {
    const { sizes, of } = backwards(1_000, 989);
    expect(Number((await of.lastTaskEnd(run, never))?.eventId)).toBe(989);
    expect(sizes).toEqual([8, 32]);
  });

  it('reads larger pages if the latest workflow task ended long ago', async () => {
    const { sizes, of } = backwards(10_010, 10);
    expect(Number((await of.lastTaskEnd(run, never))?.eventId)).toBe(10);
    expect(sizes.slice(0, 5)).toEqual([8, 32, 128, 256, 256]);
    expect(sizes).toHaveLength(42);
  });

  it('returns undefined if no workflow task has ended', async () => {
    expect(await backwards(10, 0).of.lastTaskEnd(run, never)).toBeUndefined();
  });

  it('reads smaller pages after Temporal has failed to send a page', async () => {
    const { sizes, of } = backwards(10, 9, 1);
    expect(Number((await of.lastTaskEnd(run, never))?.eventId)).toBe(9);
    expect(sizes).toEqual([8, 2, 1, 1]);
  });
});

describe('lastTasks', () => {
  it('returns the last event and the workflow task events shortly before it, with one call', async () => {
    const { sizes, of } = backwards(1_000, 995);
    expect((await of.lastTasks(run, never)).map(({ eventId }) => Number(eventId))).toEqual([995, 1_000]);
    expect(sizes).toEqual([8]);
  });

  it('reads only the last event if Temporal fails to send the page', async () => {
    const { sizes, of } = backwards(1_000, 995, 1);
    expect((await of.lastTasks(run, never)).map(({ eventId }) => Number(eventId))).toEqual([1_000]);
    expect(sizes).toEqual([8]);
  });
});

it('never returns another run’s cached pages', async () => {
  const { service, state } = growing(2);
  const one = reader(service);
  await ids(1, one);
  for (const other of [{ namespace: 'm' }, { workflowId: 'v' }, { runId: 's' }])
    await one.read({ ...run, ...other }, 1, never);
  expect(state.requestedTokens).toEqual([undefined, undefined, undefined, undefined]);
});

it('reads a run in smaller pages after Temporal has failed to send a page', async () => {
  const { service } = growing(20, 256);
  const sizes: (number | null | undefined)[] = [];
  const heavy: TemporalService['history'] = async (request, signal) => {
    sizes.push(request.maximumPageSize);
    if ((request.maximumPageSize ?? 0) > 4) throw new HttpError(500, 'too_large', 'larger than max');
    return service.history(request, signal);
  };
  const one = reader({ ...service, history: heavy });
  expect(await ids(1, one)).toEqual([1, 2, 3, 4]);
  expect((await ids(9, one))[0]).toBe(9);
  expect(sizes).toEqual([256, 64, 16, 4, 4, 4]);
});
