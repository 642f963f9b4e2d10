import { sleep, workflowInfo } from '@temporalio/workflow';

export interface DailyReportInput {
  readonly shop: string;
}

/** A workflow for a schedule: each run also receives the previous run's result. */
export async function dailyReport({ shop }: DailyReportInput): Promise<string> {
  const { lastResult } = workflowInfo();
  await sleep('4 seconds', { summary: `Wait until ${shop} has counted the money` });
  return typeof lastResult === 'string'
    ? `Report of ${shop}, which continues "${lastResult.slice(0, 200)}"`
    : `First report of ${shop}`;
}
