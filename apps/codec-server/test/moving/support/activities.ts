import { Context, heartbeat } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

/** Whether a test's workers run before or after the move. */
export type Generation = 'before' | 'after';

/**
 * The activities of the order workflow. Packing succeeds only after the move, and uses details from a heartbeat
 * that was sent before the move.
 */
export const activitiesOf = (generation: Generation) => ({
  pay: async (customer: string): Promise<string> => `${customer} paid`,
  weigh: async (customer: string): Promise<string> => `weighed for ${customer}`,
  pack: async (customer: string): Promise<string> => {
    const { heartbeatDetails } = Context.current().info;
    if (generation === 'after') return `packed for ${customer} in ${heartbeatDetails}`;
    heartbeat(`the box of ${customer}`);
    throw ApplicationFailure.retryable(`no tape for ${customer}`);
  },
  refund: async (customer: string): Promise<string> => {
    throw ApplicationFailure.nonRetryable(`no refund for ${customer}`);
  },
});

export type Activities = ReturnType<typeof activitiesOf>;

/** Returns the result of a customer's order. */
export const resultFor = (customer: string): string[] => [
  `${customer} paid`,
  `weighed for ${customer}`,
  `packed for ${customer} in the box of ${customer}`,
  `first note of ${customer}`,
  `second note of ${customer}`,
  `shipped to ${customer}`,
  `no refund for ${customer}`,
];
