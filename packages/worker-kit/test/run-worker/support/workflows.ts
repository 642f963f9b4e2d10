import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from './activities.ts';

const { ping } = proxyActivities<Activities>({
  startToCloseTimeout: '5 seconds',
  retry: { initialInterval: '100 milliseconds', maximumInterval: '1 second' },
});
const { ping: pingOnce } = proxyActivities<Activities>({
  // The timeout is longer than an activity takes on a busy machine.
  startToCloseTimeout: '1 minute',
  retry: { maximumAttempts: 1 },
});
const { die } = proxyActivities<Activities>({
  startToCloseTimeout: '2 seconds',
  retry: { maximumAttempts: 1 },
});
const { stick } = proxyActivities<Activities>({ startToCloseTimeout: '1 hour' });

export const echo = (text: string): Promise<string> => ping(text);

/** Ends the worker (see the activity `die`). */
export async function kill(): Promise<void> {
  await die().catch(() => undefined);
}

/** Waits for an activity that never ends. */
export const wait = (): Promise<void> => stick();

/** Runs `chains` chains of 10 activities with one attempt each, and returns how many activities failed. */
export async function burst(chains: number): Promise<number> {
  let failed = 0;
  const chain = async (): Promise<void> => {
    for (let step = 0; step < 10; step++) {
      await pingOnce('step').catch(() => {
        failed += 1;
      });
    }
  };
  await Promise.all(Array.from({ length: chains }, chain));
  return failed;
}
