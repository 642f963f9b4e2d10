import { z } from 'zod/mini';
import type { RunAddress } from '../session/server/addresses.ts';

const pageTabs = ['history', 'now', 'pending', 'relations', 'durations', 'memo', 'metadata'] as const;
export type PageTab = (typeof pageTabs)[number];
export const panes = ['payloads', 'attributes', 'failure', 'raw', 'crypto'] as const;
export type Pane = (typeof panes)[number];

/** Returns the schema of an optional parameter. An invalid value counts as absent. */
const maybe = <T extends z.core.$ZodType>(schema: T) => z.catch(z.optional(schema), undefined);

/**
 * The search parameters of a run's address: which part of the run the page shows, but no payloads. Unknown
 * parameters are dropped.
 */
export const workflowSearch = z.object({
  tab: maybe(z.enum(pageTabs)),
  /** The id of the selected event. The history scrolls to the event, and the inspector shows it. */
  ev: maybe(z.int().check(z.positive())),
  /** Whether to select the first event of a group instead of the group. */
  one: maybe(z.boolean()),
  /** Whether to show the run's input and result in full. */
  io: maybe(z.boolean()),
  pane: maybe(z.enum(panes)),
  view: maybe(z.enum(['groups', 'all'])),
  /** Whether to show workflow tasks among the groups. */
  tasks: maybe(z.boolean()),
  /** Shows only the activities of a type. */
  type: maybe(z.string()),
  /** Whether to dim what is not on the critical path, and list where the time went. */
  path: maybe(z.boolean()),
  /** `false` shows idle time at full length. */
  idle: maybe(z.boolean()),
  /** The part of the run in the waterfall, in milliseconds from the run's start. */
  from: maybe(z.number().check(z.nonnegative())),
  to: maybe(z.number().check(z.nonnegative())),
});
export type WorkflowSearch = z.infer<typeof workflowSearch>;

/** Returns the name of a run's history grid, for `useGridFocus`. */
export const historyGrid = ({ namespace, runId }: Pick<RunAddress, 'namespace' | 'runId'>): string =>
  `run ${namespace} ${runId}`;

/** The search parameters of a comparison of two runs, which specify the second run. */
export const compareSearch = z.object({
  /** The second run's workflow id. Default: the first run's workflow id. */
  with: maybe(z.string()),
  run: maybe(z.string()),
});

interface ComparedRun {
  readonly workflowId: string;
  readonly runId: string;
}

/** Returns the link to the comparison of two runs in a namespace. */
export const comparisonOf = (namespace: string, { workflowId, runId }: ComparedRun, other: ComparedRun) =>
  ({
    to: '/ns/$namespace/workflows/$workflowId/$runId/compare',
    params: { namespace, workflowId, runId },
    search: { run: other.runId, ...(other.workflowId === workflowId ? {} : { with: other.workflowId }) },
  }) as const;

const comparedQuery = maybe(z.string().check(z.maxLength(5_000)));

/** The search parameters of a comparison of two sets of runs: their visibility queries, in which times may be relative. */
export const differsSearch = z.object({ a: comparedQuery, b: comparedQuery });

/** Returns the link to the comparison of two sets of runs in a namespace. */
export const differsOf = (namespace: string, a: string, b: string) =>
  ({ to: '/ns/$namespace/differs', params: { namespace }, search: { a, b } }) as const;
