import { proxyActivities } from '@temporalio/workflow';

const { echo } = proxyActivities<{ echo(text: string): Promise<string> }>({
  startToCloseTimeout: '1 minute',
});

/** The inputs and results of the workflow and its activity are the same text. */
export async function keep(text: string): Promise<string> {
  return await echo(text);
}
