import type { Client, WorkflowHandle, WorkflowStartOptions } from '@temporalio/client';
import { approval } from '../workflows/approval.ts';
import { basket } from '../workflows/basket.ts';
import { checkout } from '../workflows/checkout.ts';
import { courier } from '../workflows/courier.ts';
import { dailyReport } from '../workflows/daily-report.ts';
import { loyaltyReport } from '../workflows/loyalty-report.ts';
import { order } from '../workflows/order.ts';
import { priceList } from '../workflows/price-list.ts';
import { repair } from '../workflows/repair.ts';
import { settlement } from '../workflows/settlement.ts';
import { stocktake } from '../workflows/stocktake.ts';
import { subscription } from '../workflows/subscription.ts';

/** Options that a sample sets in addition to its input. */
type SampleOptions = Partial<
  Pick<
    WorkflowStartOptions,
    'memo' | 'staticSummary' | 'staticDetails' | 'priority' | 'taskQueue' | 'workflowRunTimeout'
  >
>;

interface SampleDefinition<Input extends object> {
  readonly description: string;
  readonly workflow: (input: Input) => Promise<unknown>;
  readonly input: Input;
  readonly options?: (input: Input) => SampleOptions;
}

export interface StartRequest {
  readonly workflowId: string;
  readonly taskQueue: string;
  /** Fields that replace fields of the sample's default input; see `withInput`. */
  readonly input?: Readonly<Record<string, unknown>> | undefined;
  readonly options?: SampleOptions | undefined;
}

export interface Sample {
  readonly description: string;
  /** The default input. */
  readonly input: object;
  /** @throws WorkflowExecutionAlreadyStartedError if Temporal still stores a workflow with the id */
  start(client: Client, request: StartRequest): Promise<WorkflowHandle>;
}

function defineSample<Input extends object>(definition: SampleDefinition<Input>): Sample {
  const { description, workflow, input: defaults, options } = definition;
  return {
    description,
    input: defaults,
    start: (client, { workflowId, taskQueue, input, options: more }) => {
      const merged = withInput(defaults, input ?? {});
      return client.workflow.start<(input: Input) => Promise<unknown>>(workflow, {
        workflowId,
        taskQueue,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        args: [merged],
        ...options?.(merged),
        ...more,
      });
    },
  };
}

/**
 * Returns the defaults with some fields replaced.
 *
 * @throws Error if the sample has no such field, or if the field's JSON type differs from the default's
 */
function withInput<Input extends object>(defaults: Input, given: Readonly<Record<string, unknown>>): Input {
  const known = new Map<string, unknown>(Object.entries(defaults));
  for (const [name, value] of Object.entries(given)) {
    const standard = known.get(name);
    if (standard === undefined) {
      throw new Error(`The input has no field ${name}. Its fields are ${[...known.keys()].join(', ')}.`);
    }
    if (standard !== null && jsonType(value) !== jsonType(standard)) {
      throw new Error(`The input's field ${name} must be of type ${jsonType(standard)}.`);
    }
  }
  return { ...defaults, ...given };
}

const jsonType = (value: unknown) =>
  Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;

const items = [
  { sku: 'kettle', quantity: 1, cents: 4_900 },
  { sku: 'coffee-mill', quantity: 2, cents: 7_250 },
];

/** Every sample that the starter knows by name. The people in the samples are invented. */
export const catalogue = {
  order: defineSample({
    description: 'completes in seconds: signal, query, updates, retries, timer, memo, child workflow',
    workflow: order,
    input: { customer: 'Mira Lindqvist', address: 'Harbour Street 4, Malmö', items },
    options: ({ customer }) => ({
      memo: { greeting: `Card inside: for ${customer}` },
      staticSummary: `Order of ${customer}`,
      staticDetails: `Leave it with the neighbours of ${customer}`,
    }),
  }),
  checkout: defineSample({
    description: 'fails with nested causes in a child workflow and an activity',
    workflow: checkout,
    input: { customer: 'Tomás Ferreira', cents: 12_900 },
    options: ({ customer }) => ({ staticSummary: `Checkout of ${customer}` }),
  }),
  subscription: defineSample({
    description: 'continues as new for each billing period; its memo shows the progress',
    workflow: subscription,
    input: { customer: 'Aiko Tanaka', periods: 4 },
    options: ({ customer }) => ({ memo: { standing: `${customer} has paid nothing yet` } }),
  }),
  courier: defineSample({
    description: 'runs without end: a new event every few seconds',
    workflow: courier,
    input: { courier: 'Joanna Kowalska', intervalMs: 5_000, lastStop: 0 },
    options: ({ courier: name }) => ({ staticSummary: `Tour of ${name}` }),
  }),
  settlement: defineSample({
    description: 'stays open, with a pending activity that fails on every attempt',
    workflow: settlement,
    input: { merchant: 'Okafor Books', bankOpensAtAttempt: 0 },
  }),
  approval: defineSample({
    description: 'waits for an update that approves the request; has current details and queries',
    workflow: approval,
    input: { requester: 'Hanna Berg', cents: 250_000 },
    options: ({ requester }) => ({ staticSummary: `${requester} asks for approval` }),
  }),
  'loyalty-report': defineSample({
    description: 'a bug in workflow code: its workflow task fails until the code is corrected',
    workflow: loyaltyReport,
    input: { customer: 'Elif Aydın', membership: null },
  }),
  stocktake: defineSample({
    description: 'thousands of events, at low priority',
    workflow: stocktake,
    input: { warehouse: 'Northgate', shelves: 1_200, counters: 40 },
    options: () => ({ priority: { priorityKey: 5 } }),
  }),
  basket: defineSample({
    description: 'a basket that starts together with its first update or signal',
    workflow: basket,
    input: { customer: 'Ines Rocha' },
  }),
  repair: defineSample({
    description: 'an activity that another process completes by its task token',
    workflow: repair,
    input: { customer: 'Goran Petrov', article: 'kettle' },
  }),
  'daily-report': defineSample({
    description: "made for a schedule: each run continues the previous run's result",
    workflow: dailyReport,
    input: { shop: 'Northgate' },
  }),
  'price-list': defineSample({
    description: 'payloads large enough for external storage',
    workflow: priceList,
    input: { supplier: 'Miller Tools', articles: 8_000 },
  }),
} satisfies Record<string, Sample>;

export type SampleName = keyof typeof catalogue;

export const isSampleName = (name: string): name is SampleName => Object.hasOwn(catalogue, name);
