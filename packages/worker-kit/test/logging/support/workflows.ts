import {
  createNexusServiceClient,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  log,
  proxyActivities,
  proxyLocalActivities,
  proxySinks,
  setHandler,
  sleep,
  condition,
  ApplicationFailure,
  type Sinks,
} from '@temporalio/workflow';
import type { Activities } from './activities.ts';
import { vault } from './service.ts';

const once = { startToCloseTimeout: '30 seconds', retry: { maximumAttempts: 1 } } as const;
const { charge, garble, beat, chat, crash } = proxyActivities<Activities>({
  ...once,
  heartbeatTimeout: '10 seconds',
});
const { charge: chargeLocally } = proxyLocalActivities<Activities>(once);

export interface Ledger extends Sinks {
  ledger: { note(text: string): void };
}
const { ledger } = proxySinks<Ledger>();

export const ask = defineQuery<string, [string]>('ask');
export const change = defineUpdate<string, [string]>('change');
export const poke = defineSignal<[string]>('poke');
export const finish = defineSignal('finish');

/** Fails with its activity's error. */
export async function failingActivity(secret: string): Promise<string> {
  return await charge(secret);
}

export async function failingLocalActivity(secret: string): Promise<string> {
  return await chargeLocally(secret);
}

export async function unreadableInput(secret: string): Promise<string> {
  return await garble(secret);
}

export async function failingHeartbeat(secret: string): Promise<void> {
  await beat(secret);
}

export async function failingChild(secret: string): Promise<string> {
  return await executeChild(failingActivity, { args: [secret] });
}

/** Fails with a nested cause and details. */
export async function failing(secret: string): Promise<void> {
  const cause = new AggregateError([new TypeError(`first ${secret}`), new Error(`second ${secret}`)], secret);
  throw ApplicationFailure.create({
    message: `failed for ${secret}`,
    type: 'OrderFailed',
    details: [{ secret }],
    cause: new Error(`because of ${secret}`, { cause }),
  });
}

/** Has a bug, so its workflow task fails. */
export async function failingTask(secret: string): Promise<void> {
  await sleep(1);
  throw new RangeError(`a bug with ${secret}`);
}

export async function rejectedPromise(secret: string): Promise<void> {
  void Promise.reject(new Error(`rejected for ${secret}`));
  await sleep(10_000);
}

export async function failingSink(secret: string): Promise<void> {
  ledger.note(secret);
  await sleep(1);
}

export async function talkative(secret: string): Promise<string> {
  log.info(`the workflow says ${secret}`, { secret, nested: { secret }, error: new Error(secret) });
  log.error(secret, { workflowInfo: { memo: secret } });
  return await chat(secret);
}

export async function callingNexus(endpoint: string, secret: string): Promise<string> {
  const client = createNexusServiceClient({ service: vault, endpoint });
  return await client.executeOperation('open', secret, { scheduleToCloseTimeout: '1 minute' });
}

export async function conversation(secret: string): Promise<string> {
  let finished = false;
  setHandler(ask, (text) => {
    throw new Error(`no answer to ${text} from ${secret}`);
  });
  setHandler(
    change,
    (text) => {
      throw ApplicationFailure.nonRetryable(`no change to ${text}`, 'ChangeFailed', text);
    },
    {
      validator: (text) => {
        if (text.startsWith('invalid')) throw new Error(`invalid: ${text}`);
      },
    },
  );
  setHandler(poke, (text) => {
    throw ApplicationFailure.nonRetryable(`poked with ${text}`, 'Poked', text);
  });
  setHandler(finish, () => void (finished = true));
  await condition(() => finished);
  return secret;
}

/** Ends the process, unless a handler catches the unhandled rejection. */
export async function crashing(secret: string): Promise<void> {
  await crash(secret);
}
