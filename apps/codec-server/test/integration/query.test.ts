import { queryFrame, type QueryFrame } from '@temporal-kms/codec-api';
import type { WorkflowHandle } from '@temporalio/client';
import { beforeAll, describe, expect, it } from 'vitest';
import { createTemporalService, type TemporalService } from '../../src/temporal/service.ts';
import { forFile } from '../support/for-file.ts';
import { keptLog } from '../support/kept-log.ts';
import { recordedAudit } from '../support/stack.ts';
import { lines, postTo, type Run, runOf, startStack, valueOf } from '../support/temporal.ts';
import { finish } from '../support/workflows.ts';

const stack = forFile(await startStack());
const SECRET = 'canary-4f07c1';
const ARGUMENT = 'canary-2b91aa';

let handle: WorkflowHandle;
let run: Run;
beforeAll(async () => {
  handle = await stack.start('queried', [SECRET]);
  run = await runOf(handle);
});

async function ask(body: object, app = stack.app, of = run) {
  const response = await postTo(app, of, 'query', body);
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  const frames: QueryFrame[] = await Array.fromAsync(lines(response, queryFrame));
  const [answer, ...rest] = frames;
  if (answer === undefined || 'ok' in answer || answer.type !== 'answer') throw new Error('no answer');
  const results = rest.filter((frame) => 'ok' in frame);
  return { answer, results, values: results.map(valueOf), end: rest.at(-1) };
}

describe('a query', () => {
  it('returns the workflow’s details, query definitions and call stack in decrypted form', async () => {
    const metadata = await ask({ type: '__temporal_workflow_metadata' });
    expect(metadata.answer).toMatchObject({
      outcome: 'answered',
      attributes: { queryResult: { payloads: [{ $payload: '0:0' }] } },
      payloads: [{ ref: '0:0', format: 'envelope-v2', boundToWorkflow: true }],
    });
    expect(metadata.end).toEqual({ type: 'end', reason: 'complete' });
    const { definition, currentDetails } = JSON.parse(metadata.values[0]!);
    expect(currentDetails).toBe(`**${SECRET}** details`);
    expect(definition.queryDefinitions).toContainEqual({ name: 'look', description: 'Repeats its argument' });
    const { values } = await ask({ type: '__stack_trace' });
    expect(JSON.parse(values[0]!)).toMatch(/at queried \(/);
  });

  it('sends its arguments only in encrypted form, and leaves only its name in the audit and nothing in the log', async () => {
    const service = createTemporalService(stack.connection);
    const sent: unknown[] = [];
    const query: TemporalService['query'] = (request, ...more) => {
      sent.push(request.query);
      return service.query(request, ...more);
    };
    const { audit, entries } = recordedAudit();
    const { log, lines: logged } = keptLog();
    const app = stack.replica({ temporal: { ...service, query }, audit, log });
    const { values } = await ask({ type: 'look', arguments: [`"${ARGUMENT}"`] }, app);
    expect(values).toEqual([JSON.stringify(`${SECRET} ${ARGUMENT}`)]);
    expect(sent).toMatchObject([{ queryType: 'look', queryArgs: { payloads: [{}] } }]);
    expect(Buffer.from(JSON.stringify(sent)).includes(ARGUMENT)).toBe(false);
    expect(entries.map(({ event, operation }) => `${event} ${operation}`)).toEqual([
      'intent query',
      'outcome query',
    ]);
    expect(entries[0]).toMatchObject({ ...run, namespace: 'payments', query: 'look' });
    expect(entries[1]?.outcome).toMatchObject({ result: 'complete', payloads: 1 });
    expect(JSON.stringify([entries, logged])).not.toMatch(/canary-/);
  });

  it('reports that the worker’s code failed or does not know the query, without plaintext of the failure', async () => {
    for (const type of ['refuse', 'unknown']) {
      // For an encrypted failure, the TypeScript SDK returns nothing except this message.
      expect((await ask({ type })).answer).toMatchObject({
        outcome: 'failed',
        attributes: { failure: { message: 'Encoded failure' } },
      });
    }
  });

  it('is refused with `no_worker` if no worker polls the task queue', async () => {
    const waiting = await stack.start('queried', [SECRET], { taskQueue: 'no-such-worker' });
    const { audit, entries } = recordedAudit();
    const { log, lines: logged } = keptLog();
    const app = stack.replica({ audit, log });
    const response = await postTo(app, await runOf(waiting), 'query', { type: 'look' });
    expect([response.status, await response.json()]).toMatchObject([504, { error: { code: 'no_worker' } }]);
    expect(entries.at(-1)?.outcome).toMatchObject({ result: 'failed', payloads: 0 });
    expect(logged.join()).not.toContain('Temporal unavailable');
    await waiting.terminate();
  });

  it('is refused for a run that Temporal does not have', async () => {
    const none = { ...run, runId: '0b6e0a2c-54e0-4f5a-9d7a-0e9d7ad4a3aa' };
    const response = await postTo(stack.app, none, 'query', { type: 'look' });
    expect([response.status, await response.json()]).toMatchObject([404, { error: { code: 'not_found' } }]);
  });

  it('is also answered for a closed run, which a worker replays', async () => {
    await handle.signal(finish, 'bye');
    await handle.result();
    const { values } = await ask({ type: 'look', arguments: ['"again"'] });
    expect(values).toEqual([JSON.stringify(`${SECRET} again`)]);
  });
});
