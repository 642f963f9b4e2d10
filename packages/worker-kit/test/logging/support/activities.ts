import { ApplicationFailure } from '@temporalio/common';
import { heartbeat, log } from '@temporalio/activity';

export type Activities = typeof activities;

export const activities = {
  charge: async (secret: string): Promise<string> => {
    const looped: Error & { details?: unknown } = new Error(`loops with ${secret}`);
    looped.cause = new AggregateError([new Error(secret), looped], `all with ${secret}`);
    looped.details = { secret };
    throw ApplicationFailure.create({
      message: `refused ${secret}\n    at ${secret} (/${secret}.js:1:1)`,
      type: 'ChargeRefused',
      details: [secret, { secret }],
      cause: looped,
    });
  },
  garble: (secret: string): Promise<string> => Promise.resolve(secret),
  beat: async (secret: string): Promise<void> => {
    const beats = {
      toJSON: () => {
        throw new SyntaxError(`no JSON of ${secret}`);
      },
    };
    heartbeat(beats);
    await new Promise((resolve) => setTimeout(resolve, 300));
    throw new Error(`beaten ${secret}`);
  },
  chat: (secret: string): Promise<string> => {
    log.warn(`the activity says ${secret}`, { secret, error: new Error(secret), list: [secret] });
    log.debug(secret, { workflowId: { secret }, attempt: secret });
    return Promise.resolve('said');
  },
  crash: async (secret: string): Promise<void> => {
    void Promise.reject(new Error(`rejected for ${secret}`, { cause: secret }));
    await new Promise((resolve) => setTimeout(resolve, 5_000));
  },
};
