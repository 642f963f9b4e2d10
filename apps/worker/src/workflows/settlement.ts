import { proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';

export interface SettlementInput {
  readonly merchant: string;
  /** The attempt that the bank answers; 0: none. */
  readonly bankOpensAtAttempt: number;
}

const { transferFunds } = proxyActivities<Activities>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '1 minute',
  retry: { initialInterval: '1 second', maximumInterval: '30 seconds' },
});

/** An activity that fails attempt after attempt: pending, with its last failure and heartbeat to be seen. */
export async function settlement({ merchant, bankOpensAtAttempt }: SettlementInput): Promise<string> {
  return transferFunds(merchant, bankOpensAtAttempt);
}
