import { scheduleDescription, scheduleList } from '@temporal-kms/codec-api';
import type { ScheduleHandle } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onDemandAccess } from '../support/callers.ts';
import { forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { post, recordedAudit } from '../support/stack.ts';
import {
  eventually,
  get,
  NAMESPACE,
  resultsOf,
  startStack,
  TASK_QUEUE,
  valueOf,
} from '../support/temporal.ts';

const stack = forFile(await startStack());
const SECRET = 'canary-8c21f0';
const ID = 'daily report/eu';
const SCHEDULES = `/api/namespaces/${NAMESPACE}/schedules`;
const path = (id = ID) => `${SCHEDULES}/${encodeURIComponent(id)}`;

let handle: ScheduleHandle;
beforeAll(async () => {
  handle = await stack.client.schedule.create({
    scheduleId: ID,
    spec: { calendars: [{ hour: 9, minute: 30, dayOfWeek: 'MONDAY' }] },
    action: {
      type: 'startWorkflow',
      workflowType: 'child',
      args: [`${SECRET} input`],
      taskQueue: TASK_QUEUE,
      workflowId: 'report',
      memo: { of: `${SECRET} action` },
    },
    memo: { owner: `${SECRET} memo` },
    state: { paused: true, note: 'until Friday' },
  });
});
afterAll(() => handle.delete());

const describeIt = async (app = stack.app) =>
  scheduleDescription.parse(await (await get(app, path())).json());

describe('a schedule', () => {
  it('is listed with its rule, state and next runs, but without payloads', async () => {
    await eventually(async () => {
      const text = await (await get(stack.app, SCHEDULES)).text();
      expect(text).not.toContain('canary');
      expect(scheduleList.parse(JSON.parse(text)).schedules).toMatchObject([
        {
          scheduleId: ID,
          info: {
            workflowType: { name: 'child' },
            paused: true,
            notes: 'until Friday',
            spec: { structuredCalendar: [{ hour: [{ start: 9 }], dayOfWeek: [{ start: 1 }] }] },
          },
        },
      ]);
    });
    expect(await (await get(stack.app, '/api/namespaces/orders/schedules')).json()).toEqual({
      schedules: [],
    });
  });

  it('is described with placeholders for its payloads, and decrypting them writes audit entries with the schedule’s id', async () => {
    const { audit, entries } = recordedAudit();
    const { log, lines: logged } = keptLog();
    const app = stack.replica({ audit, log });
    const { details, payloads } = await describeIt(app);
    expect(JSON.stringify(details)).not.toMatch(/canary|conflictToken/);
    expect(payloads.map(({ path: at }) => at)).toEqual([
      'schedule.action.startWorkflow.input.payloads[0]',
      'schedule.action.startWorkflow.memo.fields.of',
      'memo.fields.owner',
    ]);
    const refs = payloads.map(({ ref }) => ref);
    const results = await resultsOf(await post(app, `${path()}/payloads:decode`, { refs }));
    const values = new Map(results.map((result) => [result.ref, valueOf(result)]));
    expect(refs.map((ref) => values.get(ref))).toEqual(
      ['input', 'action', 'memo'].map((what) => JSON.stringify(`${SECRET} ${what}`)),
    );
    expect(entries).toMatchObject([
      { event: 'intent', operation: 'decode', scheduleId: ID, refs },
      { event: 'outcome', scheduleId: ID, outcome: { result: 'complete', payloads: 3 } },
    ]);
    expect(JSON.stringify([entries, logged])).not.toContain('canary');
  });

  it('is not decrypted without a justification where the namespace reveals payloads on demand', async () => {
    const { audit, entries } = recordedAudit();
    const app = stack.replica({ access: onDemandAccess, audit });
    const { payloads } = await describeIt(app);
    const response = await post(app, `${path()}/payloads:decode`, { refs: [payloads[0]!.ref] });
    const answer = [response.status, await response.json()];
    expect(answer).toMatchObject([403, { error: { code: 'justification_required' } }]);
    expect(entries).toMatchObject([{ event: 'denied', scheduleId: ID }]);
  });

  it('returns `event_not_found` for a ref that it no longer contains, and refuses a ref of an event', async () => {
    const gone = await post(stack.app, `${path()}/payloads:decode`, { refs: ['0:1'] });
    expect(await resultsOf(gone)).toMatchObject([{ ref: '0:1', ok: false, reason: 'event_not_found' }]);
    const event = await post(stack.app, `${path()}/payloads:decode`, { refs: ['1:0'] });
    expect([event.status, await event.json()]).toMatchObject([400, { error: { code: 'bad_request' } }]);
  });

  it('is not found under another id or in another namespace', async () => {
    for (const other of [path('other'), path().replace(NAMESPACE, 'orders')]) {
      const response = await get(stack.app, other);
      expect([response.status, await response.json()]).toMatchObject([
        404,
        { error: { code: 'not_found', message: expect.stringContaining('this schedule') } },
      ]);
    }
  });

  it('is not listed for a page token that Temporal did not issue', async () => {
    const response = await get(stack.app, `${SCHEDULES}?pageToken=bm90LWEtdG9rZW4`);
    expect([response.status, await response.json()]).toMatchObject([400, { error: { code: 'bad_request' } }]);
  });
});
