import {
  continueAsNew,
  defineSignal,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from '../activities.ts';

export interface CourierInput {
  readonly courier: string;
  /** The time between two stops, in milliseconds. */
  readonly intervalMs: number;
  /** The last stop; 0 if the courier drives without end. */
  readonly lastStop: number;
}

export const messageCourier = defineSignal<[message: string]>('messageCourier');

const { locateCourier } = proxyActivities<Activities>({ startToCloseTimeout: '2 minutes' });

/**
 * By default, runs without end, so that its history grows. Continues as new with the number of stops so far.
 */
export async function courier(input: CourierInput, stopsBefore = 0): Promise<string> {
  const { courier: name, intervalMs, lastStop } = input;
  let message = 'nothing special';
  setHandler(messageCourier, (next) => {
    message = next;
  });
  const stops = lastStop === 0 ? Number.POSITIVE_INFINITY : lastStop;
  for (let stop = stopsBefore + 1; stop <= stops; stop++) {
    await locateCourier(name, stop, message);
    await sleep(intervalMs, { summary: `${name} drives to stop ${stop + 1}` });
    if (workflowInfo().historyLength > 1_000) await continueAsNew<typeof courier>(input, stop);
  }
  return `${name} is home after ${stops} stops`;
}
