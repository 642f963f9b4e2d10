import type { WorkflowDescription, WorkflowSummary } from '@temporal-kms/codec-api';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import { at, millisOf, type Outcome, textAt } from '@temporal-kms/histories/events';
import type { Group } from '../events/history.ts';
import { isOpen, outcomeOf } from '../outcome.ts';

/** A run in a family, which consists of a root and all runs below it. */
export interface FamilyRun {
  readonly runId: string;
  /** The id as Temporal stores it. Escape the id before showing it. */
  readonly workflowId: string;
  readonly type: string;
  readonly outcome: Outcome;
  readonly startedAt: number | undefined;
  /** The time is undefined while the run is open, or if the time is unknown. */
  readonly closedAt: number | undefined;
  readonly open: boolean;
  readonly parentRunId: string | undefined;
}

/** Returns a run as Temporal lists it. */
export const fromSummary = (summary: WorkflowSummary): FamilyRun => ({
  runId: summary.runId,
  workflowId: summary.workflowId,
  type: summary.type,
  outcome: outcomeOf(summary.status),
  startedAt: millisOf(summary.startTime),
  closedAt: millisOf(summary.closeTime),
  open: isOpen(summary.status),
  parentRunId: summary.parent?.runId,
});

/** Returns a child as the parent's history shows it, or undefined before the child has started. */
function fromGroup({ events, outcome }: Group, parentRunId: string): FamilyRun | undefined {
  const [head] = events;
  const start = events.find(({ eventName }) => eventName === 'ChildWorkflowExecutionStarted');
  const execution = at(start?.attributes, 'workflowExecution');
  if (!start || !isRecord(execution)) return undefined;
  const { runId, workflowId } = execution;
  if (typeof runId !== 'string' || typeof workflowId !== 'string') return undefined;
  const last = events.at(-1) ?? head;
  return {
    runId,
    workflowId,
    type: textAt(head.attributes, 'workflowType', 'name') ?? '',
    outcome: outcome ?? 'running',
    startedAt: start.at,
    closedAt: outcome === undefined ? undefined : last.at,
    open: outcome === undefined,
    parentRunId,
  };
}

interface FamilySources {
  readonly description: WorkflowDescription;
  readonly groups: readonly Group[];
  /** The runs that a visibility query for the root found. */
  readonly listed: readonly WorkflowSummary[];
}

/** Returns all known runs of the family, by run id. Temporal's list takes precedence over histories. */
export function familyRuns({ description, groups, listed }: FamilySources): Map<string, FamilyRun> {
  const runs = new Map<string, FamilyRun>();
  const self = fromSummary(description.workflow);
  const children = groups
    .filter(({ category }) => category === 'child')
    .flatMap((group) => fromGroup(group, self.runId) ?? []);
  for (const run of [...children, ...listed.map(fromSummary), self]) runs.set(run.runId, run);
  const { parent, root } = description.relations;
  for (const ancestor of [root, parent]) {
    if (!ancestor || runs.has(ancestor.runId)) continue;
    runs.set(ancestor.runId, {
      ...ancestor,
      type: '',
      outcome: 'neutral',
      startedAt: undefined,
      closedAt: undefined,
      open: false,
      parentRunId: ancestor === parent && root?.runId !== parent?.runId ? root?.runId : undefined,
    });
  }
  return runs;
}

export interface FamilyRow {
  readonly run: FamilyRun;
  /** The row's depth in the tree; 1 for the root. */
  readonly level: number;
  /** The number of runs directly below this run. */
  readonly children: number;
  readonly expanded: boolean;
  /** `run 2 of 3`: the run's position among the family's runs with the same workflow id; undefined if there is only one. */
  readonly which: string | undefined;
}

/** Returns the family's rows in tree order, siblings sorted by start. `collapsed` contains run ids. */
export function familyRows(
  runs: ReadonlyMap<string, FamilyRun>,
  collapsed: ReadonlySet<string>,
): FamilyRow[] {
  const below = new Map<string | undefined, FamilyRun[]>();
  for (const run of runs.values()) {
    const parent =
      run.parentRunId !== undefined && runs.has(run.parentRunId) && run.parentRunId !== run.runId
        ? run.parentRunId
        : undefined;
    below.set(parent, [...(below.get(parent) ?? []), run]);
  }
  const sameId = Map.groupBy([...runs.values()].toSorted(byStart), ({ workflowId }) => workflowId);
  const whichOf = (run: FamilyRun) => {
    const own = sameId.get(run.workflowId) ?? [];
    return own.length > 1 ? `run ${own.indexOf(run) + 1} of ${own.length}` : undefined;
  };
  const rows: FamilyRow[] = [];
  const seen = new Set<string>();
  const add = (run: FamilyRun, level: number) => {
    if (seen.has(run.runId)) return;
    seen.add(run.runId);
    const children = below.get(run.runId) ?? [];
    const expanded = !collapsed.has(run.runId);
    rows.push({ run, level, children: children.length, expanded, which: whichOf(run) });
    if (expanded) for (const child of children.toSorted(byStart)) add(child, level + 1);
  };
  for (const run of (below.get(undefined) ?? []).toSorted(byStart)) add(run, 1);
  return rows;
}

const byStart = (a: FamilyRun, b: FamilyRun) => (a.startedAt ?? 0) - (b.startedAt ?? 0);
