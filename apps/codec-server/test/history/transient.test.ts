import { searchFrame } from '@temporal-kms/codec-api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../support/lines.ts';
import { appWith, HOST, type Kms, noTemporal, plain, startKms } from '../support/stack.ts';
import { lines } from '../support/temporal.ts';
import { RUN } from '../support/routes.ts';

// A workflow task in progress: the server appends its events when it answers clients, and may later store other events
// under the same ids.
const headers = { host: HOST, 'content-type': 'application/json' };
const failure = { encodedAttributes: plain('needle') };

let kms: Kms;
let app: ReturnType<typeof appWith>;
beforeAll(async () => {
  kms = await startKms();
  const events = [
    { eventId: 1, eventType: 26, taskId: 1 },
    { eventId: 2, eventType: 9, taskId: 2, workflowTaskFailedEventAttributes: { failure } },
    { eventId: 3, eventType: 5 },
    { eventId: 4, eventType: 9, workflowTaskFailedEventAttributes: { failure } },
  ];
  const response: any = { history: { events }, rawHistory: [], nextPageToken: Buffer.from('more') };
  const described: any = { workflowExecutionInfo: { historyLength: 2 } };
  app = appWith(kms, {
    temporal: { ...noTemporal, history: async () => response, describe: async () => described },
  });
});
afterAll(() => kms.close());

const post = (path: string, body: object): Promise<Response> | Response =>
  app.request(`${RUN}/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });

describe('an event that may still be replaced', () => {
  it.each(['encoded', 'decoded', 'readable'])('is left out of the export (%s)', async (form) => {
    const { events }: any = await (await post('history:export', { form })).json();
    expect(events.map(({ eventId }: any) => eventId)).toEqual(['1', '2']);
  });

  it.each(['newest_first', 'oldest_first'])('is not searched (%s)', async (order) => {
    const frames = await collect(lines(await post('history:search', { text: 'needle', order }), searchFrame));
    expect(frames.filter(({ type }) => type === 'hit')).toMatchObject([{ ref: '2:0', pointer: '' }]);
    expect(frames.at(-1)).toMatchObject({ reason: 'complete', events: 2 });
  });

  it('cannot be decoded, because its ref may later name another payload', async () => {
    expect((await post('payloads:decode', { refs: ['4:0'] })).status).toBe(400);
  });
});
