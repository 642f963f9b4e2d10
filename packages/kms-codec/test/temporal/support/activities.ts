import { CompleteAsyncError, heartbeat, activityInfo } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

export interface Activities {
  charge(card: string): Promise<string>;
  assess(card: string): Promise<string>;
  refuse(card: string): Promise<void>;
  handOver(card: string): Promise<string>;
  /** Returns text of `length` characters. */
  produce(length: number): Promise<string>;
}

/** @param onHandOver receives the task token of an activity that the test completes */
export function createActivities(onHandOver: (taskToken: Uint8Array) => void = () => undefined): Activities {
  return {
    charge: (card) => {
      heartbeat(`charging ${card}`);
      return Promise.resolve(`charged ${card}`);
    },
    assess: (card) => Promise.resolve(`no risk with ${card}`),
    refuse: (card) => {
      const cause = new Error(`the issuer of ${card} said no`);
      throw ApplicationFailure.create({
        message: `refused ${card}`,
        type: 'Refused',
        nonRetryable: true,
        details: [`details of ${card}`],
        cause,
      });
    },
    produce: (length) => Promise.resolve('x'.repeat(length)),
    handOver: () => {
      onHandOver(activityInfo().taskToken);
      throw new CompleteAsyncError();
    },
  };
}
