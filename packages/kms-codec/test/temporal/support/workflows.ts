import {
  condition,
  continueAsNew,
  createNexusServiceClient,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  upsertMemo,
} from '@temporalio/workflow';
import type { Activities } from './activities.ts';
import { shipping } from './service.ts';

const { charge, refuse, handOver, produce } = proxyActivities<Activities>({
  startToCloseTimeout: '1 minute',
  retry: { maximumAttempts: 2, initialInterval: '50 ms' },
  summary: 'a summary of card 4111',
});
const { assess } = proxyLocalActivities<Activities>({ startToCloseTimeout: '1 minute' });

export async function order(card: string): Promise<string> {
  upsertMemo({ note: `a memo of ${card}` });
  const risk = await assess(card);
  return `${await charge(card)}, ${risk}`;
}

export async function parent(card: string): Promise<string> {
  return await executeChild(order, { args: [card], memo: { note: `a child's memo of ${card}` } });
}

export async function refused(card: string): Promise<void> {
  await refuse(card);
}

export async function handedOver(card: string): Promise<string> {
  return await handOver(card);
}

export const add = defineSignal<[string]>('add');
export const cards = defineQuery<string[], [string]>('cards');
export const replace = defineUpdate<string, [string]>('replace');
export const finish = defineSignal('finish');

export async function conversation(card: string): Promise<string[]> {
  let held = [card];
  let finished = false;
  setHandler(add, (another) => void held.push(another));
  setHandler(cards, (prefix) => held.map((one) => `${prefix} ${one}`));
  setHandler(replace, (another) => {
    held = [another];
    return `replaced by ${another}`;
  });
  setHandler(finish, () => void (finished = true));
  await condition(() => finished);
  return held;
}

export async function countdown(runs: number, card: string): Promise<string> {
  if (runs > 1) await continueAsNew<typeof countdown>(runs - 1, card);
  return `the last run had ${card}`;
}

export async function caller(endpoint: string, operation: 'quote' | 'ship', card: string): Promise<string> {
  const client = createNexusServiceClient({ service: shipping, endpoint });
  return await client.executeOperation(operation, card, { scheduleToCloseTimeout: '2 minutes' });
}

export async function elsewhere(queue: string, card: string, maximumAttempts = 2): Promise<string> {
  const remote = proxyActivities<Activities>({
    taskQueue: queue,
    startToCloseTimeout: '1 minute',
    retry: { maximumAttempts, initialInterval: '20 ms', maximumInterval: '1 s' },
  });
  return await remote.charge(card);
}

/** Runs one activity on another worker, and fails with that activity's failure. */
export async function refusedElsewhere(queue: string, card: string): Promise<void> {
  const remote = proxyActivities<Activities>({ taskQueue: queue, startToCloseTimeout: '1 minute' });
  await remote.refuse(card);
}

export async function large(bytes: number): Promise<number> {
  return (await produce(bytes)).length;
}
