import type { Reader } from './reader.ts';

/** The facts about the sample data that the tasks need. */
export interface Facts {
  /** An event in the middle of the long run, and a text in the event's payload. */
  readonly event: { readonly id: number; readonly text: string };
  /** The line of code that threw the root cause of the failed checkout. */
  readonly line: string;
  readonly runs: Readonly<Record<'order' | 'long', string>>;
}

/** The steps from the list of workflows to the answer, or `undefined` if the page does not contain the answer. */
export type Steps = ((reader: Reader, facts: Facts) => Promise<void>) | undefined;

export interface Task {
  /** The goal of the person, in words. */
  readonly name: string;
  readonly phone?: boolean;
  /** The namespace whose list of workflows the person sees first. Default: `default`. */
  readonly namespace?: string;
}

export const tasks = {
  rootCause: { name: 'A failed checkout: its root cause' },
  stackTrace: { name: 'The line of code of that cause' },
  failedChild: { name: 'The child workflow that failed, and why' },
  pending: { name: 'Why an activity is pending' },
  stuck: { name: 'Why a workflow is stuck' },
  mentions: { name: 'Which run mentions a person' },
  compare: { name: 'What differs between the inputs of two runs' },
  export: { name: 'A history, decrypted, as a file' },
  middle: { name: 'The payload of an event in the middle of 3,800 events' },
  unreadable: { name: 'Why a payload cannot be read' },
  failed: { name: 'The activity that failed in a run of 68 events' },
  link: { name: 'A link to an event, opened by someone else' },
  keyboard: { name: 'The input of a run, with the keyboard only' },
  waits: { name: 'What a run waits for, in the words of its workflow' },
  noWorker: { name: 'Whether any worker polls the task queue of a run' },
  build: { name: 'Which worker, with which build, polls the task queue of a run' },
  slow: { name: 'Why an order was slower than others', namespace: 'shop' },
  sameCause: { name: 'How many orders failed with the same cause', namespace: 'shop' },
  differs: { name: 'What failed orders have in common', namespace: 'shop' },
  phone: { name: 'A failed checkout: its root cause, on a phone', phone: true },
} as const satisfies Readonly<Record<string, Task>>;

export type TaskId = keyof typeof tasks;

/** The answers that the sample data of `pnpm dev` contains, by task. */
export const answers = {
  rootCause: 'Issuer: card of Tomás Ferreira is blocked',
  child: 'Card of Tomás Ferreira was not authorized',
  pending: 'Bank of Okafor Books is closed',
  stuck: 'Elif Aydın has no membership to report on',
  failed: 'activity Heartbeat timeout',
  input: 'Mira Lindqvist',
  waits: 'Accounts can approve it',
  build: '1.5.0',
  /** How the inputs of order-1001 and order-1002 differ. */
  differences: [
    ['Mira Lindqvist', 'Harbour Street 4, Malmö'],
    ['Pavel Novák', 'Bridge Road 17, Brno'],
  ],
} as const;
