import { approval } from '../workflows/approval.ts';
import { checkout } from '../workflows/checkout.ts';
import { courier } from '../workflows/courier.ts';
import { loyaltyReport } from '../workflows/loyalty-report.ts';
import { order } from '../workflows/order.ts';
import { settlement } from '../workflows/settlement.ts';
import { stocktake } from '../workflows/stocktake.ts';
import { subscription } from '../workflows/subscription.ts';
import { defineSample, type Sample } from './sample.ts';

const items = [
  { sku: 'kettle', quantity: 1, cents: 4_900 },
  { sku: 'coffee-mill', quantity: 2, cents: 7_250 },
];

/** Every sample that can be started by name. The people in it are invented. */
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
    description: 'fails, with causes three deep across a child workflow and an activity',
    workflow: checkout,
    input: { customer: 'Tomás Ferreira', cents: 12_900 },
    options: ({ customer }) => ({ staticSummary: `Checkout of ${customer}` }),
  }),
  subscription: defineSample({
    description: 'continues as new for each billing period, its memo saying how far it is',
    workflow: subscription,
    input: { customer: 'Aiko Tanaka', periods: 4 },
    options: ({ customer }) => ({ memo: { standing: `${customer} has paid nothing yet` } }),
  }),
  courier: defineSample({
    description: 'runs on and on: a new event every few seconds',
    workflow: courier,
    input: { courier: 'Joanna Kowalska', intervalMs: 5_000, lastStop: 0 },
    options: ({ courier: name }) => ({ staticSummary: `Tour of ${name}` }),
  }),
  settlement: defineSample({
    description: 'stays open with a pending activity that fails, attempt after attempt',
    workflow: settlement,
    input: { merchant: 'Okafor Books', bankOpensAtAttempt: 0 },
  }),
  approval: defineSample({
    description: 'waits until it is cancelled, terminated or timed out',
    workflow: approval,
    input: { requester: 'Hanna Berg', cents: 250_000 },
    options: ({ requester }) => ({ staticSummary: `${requester} asks for an approval` }),
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
} satisfies Record<string, Sample>;

export type SampleName = keyof typeof catalogue;

export const isSampleName = (name: string): name is SampleName => Object.hasOwn(catalogue, name);
