import { searchFrame } from '@temporal-kms/codec-api';
import { describe, expect, it } from 'vitest';
import { forFile } from '../support/for-file.ts';
import { pageOf, temporalWith } from '../support/planted-run.ts';
import { appWith, plain, post, startKms } from '../support/stack.ts';
import { lines } from '../support/temporal.ts';
import { RUN } from '../support/routes.ts';

// The run has a workflow task in progress. Temporal appends the task's events to responses, and may later
// store other events under the same ids.
const failure = { encodedAttributes: plain('needle') };

const kms = forFile(await startKms());
const events = [
  { eventId: 1, eventType: 26, taskId: 1 },
  { eventId: 2, eventType: 9, taskId: 2, workflowTaskFailedEventAttributes: { failure } },
  { eventId: 3, eventType: 5 },
  { eventId: 4, eventType: 9, workflowTaskFailedEventAttributes: { failure } },
];
const description: any = { workflowExecutionInfo: { historyLength: 2 } };
const temporal = temporalWith(events, {
  describe: async () => description,
  history: async () => pageOf(events, Buffer.from('more')),
});
const app = appWith(kms, { temporal });

const postRun = (what: string, body: object) => post(app, `${RUN}/${what}`, body);

describe('an event that may still be replaced', () => {
  it.each(['encoded', 'decoded', 'readable'])('is left out of an export in the form %s', async (form) => {
    const exported: any = await (await postRun('history:export', { form })).json();
    expect(exported.events.map(({ eventId }: any) => eventId)).toEqual(['1', '2']);
  });

  it.each(['newest_first', 'oldest_first'])('is not searched in the order %s', async (order) => {
    const frames = await Array.fromAsync(
      lines(await postRun('history:search', { text: 'needle', order }), searchFrame),
    );
    expect(frames.filter(({ type }) => type === 'hit')).toMatchObject([{ ref: '2:0', pointer: '' }]);
    expect(frames.at(-1)).toMatchObject({ reason: 'complete', events: 2 });
  });

  it('has payloads that callers cannot decode, because their refs may later name other payloads', async () => {
    expect((await postRun('payloads:decode', { refs: ['4:0'] })).status).toBe(400);
  });
});
