import {
  ApplicationFailure,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  upsertMemo,
} from '@temporalio/workflow';

interface Activities {
  echo(value: string): Promise<string>;
  fails(detail: string): Promise<void>;
}
const { echo } = proxyActivities<Activities>({ startToCloseTimeout: '1m' });
const { fails: failsOnce } = proxyActivities<Activities>({
  startToCloseTimeout: '1m',
  retry: { initialInterval: '1h' },
});
const local = proxyLocalActivities<Activities>({ startToCloseTimeout: '1m' });

export const finish = defineSignal<[string]>('finish');
export const look = defineQuery<string, [string]>('look');
export const refuse = defineQuery<string>('refuse');
export const change = defineUpdate<string, [string]>('change');

/** Puts its argument into the payloads of many kinds of events, and then waits for `finish`. */
export async function everywhere(secret: string): Promise<string> {
  let finished: string | undefined;
  setHandler(finish, (value) => {
    finished = value;
  });
  setHandler(look, (value) => `${secret} ${value}`);
  setHandler(change, async (value) => `${secret} ${value}`);
  patched('a-change');
  upsertMemo({ changed: `${secret} upserted` });
  await sleep(1, { summary: `${secret} timer` });
  await echo(`${secret} activity`);
  await local.echo(`${secret} local`);
  await executeChild(child, { args: [`${secret} child`], memo: { parent: `${secret} child memo` } });
  await condition(() => finished !== undefined);
  return `${secret} result`;
}

export async function child(value: string): Promise<string> {
  return `${value} done`;
}

/**
 * Waits for an activity that has failed and is retried after an hour, and for a child workflow that waits for
 * `finish`.
 */
export async function pending(secret: string): Promise<void> {
  await Promise.all([failsOnce(secret), executeChild(waiting, { args: [secret] })]);
}

export async function waiting(_secret: string): Promise<void> {
  let finished = false;
  setHandler(finish, () => {
    finished = true;
  });
  await condition(() => finished);
}

/** Responds to queries, and waits for `finish`. */
export async function queried(secret: string): Promise<void> {
  let finished = false;
  setCurrentDetails(`**${secret}** details`);
  setHandler(look, (value) => `${secret} ${value}`, { description: 'Repeats its argument' });
  setHandler(refuse, () => {
    throw new Error(`${secret} refused`);
  });
  setHandler(finish, () => {
    finished = true;
  });
  await condition(() => finished);
}

/** Waits for an activity in a task queue. */
export async function elsewhere(taskQueue: string): Promise<void> {
  await proxyActivities<Activities>({ taskQueue, startToCloseTimeout: '1m' }).echo('elsewhere');
}

/** Fails with a failure and a cause, each with details. */
export async function fails(secret: string): Promise<void> {
  const inner = ApplicationFailure.create({
    message: `${secret} inner`,
    details: [`${secret} inner detail`],
  });
  throw ApplicationFailure.create({
    message: `${secret} outer`,
    details: [`${secret} outer detail`],
    nonRetryable: true,
    cause: inner,
  });
}

/** Runs activities one at a time. Each activity takes about six events in three batches. */
export async function ticks(count: number): Promise<void> {
  for (let n = 1; n <= count; n++) await echo(`tick ${n}`);
}

/** Fails every workflow task after the first. */
export async function stuck(): Promise<void> {
  await sleep(1);
  throw new Error('This workflow task fails by design.');
}
