import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities.ts';

export interface SettlementInput {
  readonly merchant: string;
  /** The number of the attempt that succeeds; 0 if no attempt succeeds. */
  readonly bankOpensAtAttempt: number;
}

const { transferFunds } = proxyActivities<Activities>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '1 minute',
  retry: { initialInterval: '1 second', maximumInterval: '30 seconds' },
});

/** Has a pending activity that fails on every attempt, so Temporal shows a failure and heartbeat details. */
export async function settlement({ merchant, bankOpensAtAttempt }: SettlementInput): Promise<string> {
  return transferFunds(merchant, bankOpensAtAttempt);
}
