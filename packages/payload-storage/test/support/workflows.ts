import { proxyActivities } from '@temporalio/workflow';

const { echo } = proxyActivities<{ echo(text: string): Promise<string> }>({
  startToCloseTimeout: '1 minute',
});

/** The workflow's and an activity's input and result are the same text. */
export async function keep(text: string): Promise<string> {
  return await echo(text);
}
