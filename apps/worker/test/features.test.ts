import { newCanary } from '@temporal-kms/testing/canaries';
import { rawText } from '@temporal-kms/testing/history';
import { runNode } from '@temporal-kms/testing/process';
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import { WorkflowFailedError } from '@temporalio/client';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog, installRuntime } from '../src/log.ts';
import { collect } from '../src/workflows/repair.ts';
import { databaseCells } from './support/database.ts';
import { readEverything } from './support/history.ts';
import {
  cancelRepair,
  completeRepair,
  failRepair,
  resetToLastTask,
  runSchedule,
  signalWithStart,
  startRepair,
  updateWithStart,
} from './support/scenarios.ts';
import { kmsVariables, startStack, taskQueue, type Stack } from './support/stack.ts';

/** Every payload of these tests contains this name. */
const name = newCanary();

let stack: Stack;
const client = () => stack.clients.get('envelope-v2');

beforeAll(async () => {
  installRuntime(createLog('silent'));
  stack = await startStack({ encrypted: true });
});
afterAll(() => stack?.close());

/** Returns the cause of a failed workflow: the error that the activity reported. */
async function causeOf(result: Promise<unknown>): Promise<Error | undefined> {
  const error: unknown = await result.then(
    () => new Error('The workflow completed; a failure was expected.'),
    (failure: unknown) => failure,
  );
  if (!(error instanceof WorkflowFailedError)) throw error;
  return error.cause instanceof ActivityFailure ? error.cause.cause : error.cause;
}

describe('a schedule', () => {
  it('starts runs that read its encrypted input and the previous run’s result', async () => {
    const { description, results } = await runSchedule(client(), name);
    const first = `First report of Corner shop of ${name}`;
    expect(results).toEqual([first, `Report of Corner shop of ${name}, which continues "${first}"`]);
    expect(description.memo).toEqual({ owner: `Schedule of ${name}` });
    expect(description.action).toMatchObject({
      args: [{ shop: `Corner shop of ${name}` }],
      memo: { reader: `Report for ${name}` },
      staticSummary: `Daily report of ${name}`,
      staticDetails: `Print it for ${name}`,
    });
  });
});

describe('a workflow that starts with a message', () => {
  it('decodes the update with which it starts, and a second update', async () => {
    const { answers, result } = await updateWithStart(client(), name);
    expect(answers).toEqual(
      ['Kettle', 'Lamp'].map((article) => `${article} for ${name} is in the basket of ${name}`),
    );
    expect(result).toBe(`${name} takes Kettle for ${name}, Lamp for ${name} and asks : Wrapped for ${name}`);
  });

  it('decodes the signal with which it starts, and a second signal', async () => {
    const asked = `Is it new, ${name}, Is it blue, ${name}`;
    expect(await signalWithStart(client(), name)).toBe(
      `${name} takes  and asks ${asked}: Thanks from ${name}`,
    );
  });
});

describe('an activity that another process completes or fails', () => {
  const collected = `Repaired the clock of ${name}; Neighbour of ${name} has collected it for ${name}`;

  it('completes with the other process’s result', async () => {
    expect(await completeRepair(client(), 'completed', name)).toBe(collected);
  });

  it('can be completed by a process that shares only Cloud KMS with the worker', async () => {
    const { handle, token } = await startRepair(client(), 'completed-elsewhere', name);
    const file = join(import.meta.dirname, 'support', 'complete-activity.ts');
    const { code, stderr } = await runNode(file, {
      args: [stack.address, token.toString('base64'), `Repaired the clock of ${name}`],
      env: kmsVariables(stack.kmsAddress),
    });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    await handle.signal(collect, `Neighbour of ${name}`);
    expect(await handle.result()).toBe(collected);
  });

  it('fails with a message that only the codec can read', async () => {
    const cause = await causeOf(failRepair(client(), 'failed', name));
    expect(cause).toBeInstanceOf(ApplicationFailure);
    expect(cause?.message).toBe(`No spare parts for ${name}`);
  });

  it('is cancelled with details that the workflow reads', async () => {
    const details = `Clock of ${name} goes back unrepaired`;
    expect(await cancelRepair(client(), 'cancelled', name)).toBe(`Cancelled for ${name}: ${details}`);
  });

  it('keeps its result when the workflow is reset', async () => {
    const result = await completeRepair(client(), 'reset', name);
    const before = await client().workflow.getHandle('reset').describe();
    const reset = await resetToLastTask(client(), 'reset');
    expect(reset.runId).not.toBe(before.runId);
    expect(reset.result).toBe(result);
  });
});

describe("Temporal's database", () => {
  it('contains no plaintext after all features in this file were used', async () => {
    const stored = await readEverything(stack.connection, { executions: 10, schedules: 1 });
    expect(stored.length).toBeGreaterThan(50);
    expect(stored.filter(({ value }) => rawText(value).includes(name))).toEqual([]);
    expect(databaseCells(stack.dbFile).includes(taskQueue)).toBe(true);
    expect(databaseCells(stack.dbFile).includes(name)).toBe(false);
  });
});
