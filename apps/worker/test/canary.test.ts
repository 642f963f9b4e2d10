import { newCanary } from '@temporal-kms/testing/canaries';
import { payloadsIn, rawText, textOf } from '@temporal-kms/testing/history';
import { WorkflowFailedError, WorkflowUpdateFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog, installRuntime } from '../src/log.ts';
import { catalogue, type SampleName } from '../src/starter/catalogue.ts';
import { remind } from '../src/workflows/approval.ts';
import { addNote, changeAddress, progress, redeemVoucher } from '../src/workflows/order.ts';
import { databaseCells, databaseFiles } from './support/database.ts';
import { readEverything, type Stored } from './support/history.ts';
import { passing, places } from './support/places.ts';
import {
  cancelRepair,
  completeRepair,
  failRepair,
  resetToLastTask,
  runSchedule,
  signalWithStart,
  startRepair,
  untilActivityStarted,
  updateWithStart,
} from './support/scenarios.ts';
import { namespace, startStack, taskQueue, type Stack } from './support/stack.ts';

const expectRejected = (update: Promise<unknown>) =>
  expect(update).rejects.toThrow(WorkflowUpdateFailedError);

/** Runs the samples for a customer `name`, so that every payload that Temporal stores contains the name. */
async function runSamples({ clients }: Stack, name: string): Promise<void> {
  const start = (sample: SampleName, workflowId: string, input: Record<string, unknown>) =>
    catalogue[sample].start(clients.get('envelope-v2'), { workflowId, taskQueue, input });

  const settled: Promise<unknown>[] = [];
  const order = await start('order', 'order', { customer: name, address: `Door 1 of ${name}` });
  // The order is packed ten seconds after its start at the earliest.
  await order.executeUpdate(changeAddress, { args: [`Gate 7 of ${name}`] });
  await expectRejected(order.executeUpdate(changeAddress, { args: [passing.rejectedUpdate(name)] }));
  await expectRejected(order.executeUpdate(redeemVoucher, { args: [`V-${name}`] }));
  expect(await order.query(progress, passing.query(name))).toContain(passing.queryResult(name));
  await order.signal(addNote, `Note from ${name}`);
  settled.push(order.result());

  await start('settlement', 'settlement', { merchant: name });
  await start('loyalty-report', 'loyalty-report', { customer: name });
  const checkout = await start('checkout', 'checkout', { customer: name });
  settled.push(expect(checkout.result()).rejects.toThrow(WorkflowFailedError));
  const subscription = await start('subscription', 'subscription', { customer: name, periods: 2 });
  settled.push(subscription.result());
  const cancelled = await start('approval', 'cancelled', { requester: name });
  const terminated = await start('approval', 'terminated', { requester: name });

  const details = [{ why: `Budget of ${name} is closed` }];
  const withDetails = clients.get('envelope-v2', { terminate: (input, next) => next({ ...input, details }) });
  await withDetails.workflow.getHandle(terminated.workflowId).terminate('see the details');

  await cancelled.signal(remind, `Reminder by ${name}`);
  await untilActivityStarted(cancelled);
  await cancelled.cancel();
  settled.push(expect(cancelled.result()).rejects.toThrow(WorkflowFailedError));
  await Promise.all(settled);
}

/** Uses Temporal features that need more than the start of a sample, such as schedules and resets. */
async function runFeatures({ clients }: Stack, name: string): Promise<void> {
  const client = clients.get('envelope-v2');
  const pending = await startRepair(client, 'repair-pending', name);
  await client.activity.heartbeat(pending.token, `Clock of ${name} lies open`);
  await Promise.all([
    runSchedule(client, name),
    updateWithStart(client, name),
    signalWithStart(client, name),
    completeRepair(client, 'repair-completed', name).then(() => resetToLastTask(client, 'repair-completed')),
    expect(failRepair(client, 'repair-failed', name)).rejects.toThrow(WorkflowFailedError),
    cancelRepair(client, 'repair-cancelled', name),
  ]);
}

/** The canary contains no digits, because the sample accepts every address with a digit. */
const canary = newCanary();

/** Decodes the payloads of stored messages, and returns one text per message. */
async function decodeAll(
  stored: readonly Stored[],
  { codec }: Stack,
): Promise<{ where: string; text: string }[]> {
  return Promise.all(
    stored.map(async ({ where, value }) => {
      const payloads = payloadsIn(value);
      const decoded = codec ? await codec.decode(payloads, { namespace }) : payloads;
      return { where, text: decoded.map(textOf).join('\n') };
    }),
  );
}

describe('a canary in every payload of the samples', () => {
  let encrypted: Stack;
  let control: Stack;
  let encryptedData: Stored[];
  let plainData: Stored[];
  let plainCells: Buffer;
  const logged: string[] = [];
  let decoded: { where: string; text: string }[];

  beforeAll(async () => {
    installRuntime(createLog('trace', { write: (line) => void logged.push(line) }));
    [encrypted, control] = await Promise.all([
      startStack({ encrypted: true }),
      startStack({ encrypted: false }),
    ]);
    await Promise.all([runSamples(encrypted, canary), runSamples(control, canary)]);
    await Promise.all([runFeatures(encrypted, canary), runFeatures(control, canary)]);
    const expected = { executions: 20, schedules: 1 };
    encryptedData = await readEverything(encrypted.connection, expected);
    plainData = await readEverything(control.connection, expected);
    plainCells = databaseCells(control.dbFile);
    decoded = await decodeAll(encryptedData, encrypted);
  });
  afterAll(() => Promise.all([encrypted?.close(), control?.close()]));

  it.each(places)('can be decoded from the place “$place” ($where)', ({ where, text }) => {
    const found = decoded.filter((stored) => stored.where === where && stored.text.includes(text(canary)));
    expect(found).not.toHaveLength(0);
  });

  it.each(places)('is readable in the place “$place” if there is no codec', ({ where, text }) => {
    const found = plainData.filter(
      (stored) => stored.where === where && rawText(stored.value).includes(text(canary)),
    );
    expect(found).not.toHaveLength(0);
    expect(plainCells.includes(text(canary))).toBe(true);
  });

  it('occurs nowhere in raw history', () => {
    expect(encryptedData.length).toBeGreaterThan(100);
    expect(encryptedData.filter(({ value }) => rawText(value).includes(canary))).toEqual([]);
  });

  it("is not in a patch's id, which Core writes after the codec, so that the id stays readable", () => {
    const markers = encryptedData.filter(({ where }) => where === 'MARKER_RECORDED');
    expect(markers.map(({ value }) => rawText(value)).join('\n')).toContain('loyalty-points');
  });

  it("occurs nowhere in Temporal's database or in the database's write-ahead log", async () => {
    const files = await databaseFiles(encrypted.dbFile);
    expect(files.get('temporal.db-wal')?.length).toBeGreaterThan(0);
    expect([...files].filter(([, bytes]) => bytes.includes(canary))).toEqual([]);
    expect(databaseCells(encrypted.dbFile).includes(canary)).toBe(false);
    const unencrypted = await databaseFiles(control.dbFile);
    expect([...unencrypted].filter(([, bytes]) => bytes.includes(canary))).not.toEqual([]);
  });

  it("occurs in no line of the worker's log at any level", () => {
    expect(logged.filter((line) => line.includes('Activity failed'))).not.toHaveLength(0);
    expect(logged.filter((line) => line.includes(canary))).toEqual([]);
  });

  it('is never stored, even without the codec, if only queries and rejected updates contain it', () => {
    for (const text of Object.values(passing)) expect(plainCells.includes(text(canary))).toBe(false);
  });
});
