import { escapeInvisible, type WorkflowDescription } from '@temporal-kms/codec-api';
import { isRecord } from '@temporal-kms/node-utils/is-record';
import { at, enumAt, numberAt } from '@temporal-kms/histories/events';
import type { RecordedEvent } from './history.ts';

/** How another run relates to the run on the page, as a link's label: `Parent`, `Retry of`. */
export type RunRelation =
  | 'Parent'
  | 'Root'
  | 'Child'
  | 'Continued from'
  | 'Continued as'
  | 'Retry of'
  | 'Retried as'
  | 'Cron run after'
  | 'Next cron run'
  | 'Reset of'
  | 'Reset to'
  | 'First run'
  | 'Sent by'
  | 'Sent to'
  | 'Linked';

/** A reference to another run, found in a history or a description. */
export interface RunLink {
  readonly relation: RunRelation;
  readonly namespace: string;
  /** The id as Temporal stores it. Escape the id before showing it. */
  readonly workflowId: string;
  /**
   * The run id is absent if the history contains only the workflow id. The link then leads to the latest run.
   */
  readonly runId?: string;
  /** The event in the other run that the link refers to. */
  readonly eventId?: number;
}

interface Home {
  readonly namespace: string;
  readonly workflowId: string;
  readonly runId: string;
}

/** Returns an identifier unescaped, for use in an address. */
const idAt = (value: unknown, ...path: readonly string[]) => {
  const found = at(value, ...path);
  return typeof found === 'string' && found !== '' ? found : undefined;
};

function link(
  relation: RunRelation,
  namespace: string,
  execution: unknown,
  eventId?: number,
): RunLink | undefined {
  const workflowId = idAt(execution, 'workflowId');
  if (workflowId === undefined) return undefined;
  const runId = idAt(execution, 'runId');
  return {
    relation,
    namespace,
    workflowId,
    ...(runId === undefined ? {} : { runId }),
    ...(eventId === undefined || eventId === 0 ? {} : { eventId }),
  };
}

const initiators: Readonly<Record<string, readonly [RunRelation, RunRelation]>> = {
  WORKFLOW: ['Continued from', 'Continued as'],
  RETRY: ['Retry of', 'Retried as'],
  CRON_SCHEDULE: ['Cron run after', 'Next cron run'],
};

/**
 * Returns the labels for the earlier and the later run, given the event's initiator, such as
 * `CONTINUE_AS_NEW_INITIATOR_RETRY`.
 */
const initiatorOf = (event: RecordedEvent) =>
  initiators[enumAt('CONTINUE_AS_NEW_INITIATOR_', event.attributes, 'initiator') ?? ''];

/** Returns links to the runs that an event refers to. */
export function eventLinks(event: RecordedEvent, home: Home): RunLink[] {
  const own = attributeLinks(event, home);
  return [...own, ...serverLinks(event)].filter(
    (found): found is RunLink => found !== undefined && !isSame(found, home),
  );
}

const isSame = (found: RunLink, home: Home) =>
  found.runId === home.runId && found.workflowId === home.workflowId && found.namespace === home.namespace;

function attributeLinks(event: RecordedEvent, home: Home): (RunLink | undefined)[] {
  const { attributes, eventName } = event;
  const namespace = idAt(attributes, 'namespace') ?? home.namespace;
  const sameId = (runId: string | undefined) =>
    runId === undefined ? undefined : { workflowId: home.workflowId, runId };
  switch (eventName) {
    case 'WorkflowExecutionStarted': {
      const parentNamespace = idAt(attributes, 'parentWorkflowNamespace') ?? home.namespace;
      const earlier = sameId(idAt(attributes, 'continuedExecutionRunId'));
      return [
        link(
          'Parent',
          parentNamespace,
          at(attributes, 'parentWorkflowExecution'),
          numberAt(attributes, 'parentInitiatedEventId'),
        ),
        link(initiatorOf(event)?.[0] ?? 'Continued from', home.namespace, earlier),
      ];
    }
    case 'StartChildWorkflowExecutionInitiated':
      return [link('Child', namespace, { workflowId: idAt(attributes, 'workflowId') })];
    case 'SignalExternalWorkflowExecutionInitiated':
    case 'RequestCancelExternalWorkflowExecutionInitiated':
      return [link('Sent to', namespace, at(attributes, 'workflowExecution'))];
    case 'WorkflowExecutionSignaled':
    case 'WorkflowExecutionCancelRequested':
      return [
        link(
          'Sent by',
          home.namespace,
          at(attributes, 'externalWorkflowExecution'),
          numberAt(attributes, 'externalInitiatedEventId'),
        ),
      ];
    case 'WorkflowExecutionContinuedAsNew':
      return [
        link(
          initiatorOf(event)?.[1] ?? 'Continued as',
          home.namespace,
          sameId(idAt(attributes, 'newExecutionRunId')),
        ),
      ];
    // With a retry policy or a cron schedule, Temporal starts the next run when this run closes.
    case 'WorkflowExecutionCompleted':
    case 'WorkflowExecutionFailed':
    case 'WorkflowExecutionTimedOut': {
      const isRetry = enumAt('RETRY_STATE_', attributes, 'retryState') === 'IN_PROGRESS';
      const next = sameId(idAt(attributes, 'newExecutionRunId'));
      return [link(isRetry ? 'Retried as' : 'Next cron run', home.namespace, next)];
    }
    case 'WorkflowTaskFailed':
      return enumAt('WORKFLOW_TASK_FAILED_CAUSE_', attributes, 'cause') === 'RESET_WORKFLOW'
        ? [link('Reset of', home.namespace, sameId(idAt(attributes, 'baseRunId')))]
        : [];
    default:
      return eventName.startsWith('ChildWorkflowExecution')
        ? [link('Child', namespace, at(attributes, 'workflowExecution'))]
        : [];
  }
}

/** Returns the links that Temporal itself adds, such as those between the two sides of a Nexus operation. */
function serverLinks({ links = [] }: RecordedEvent): (RunLink | undefined)[] {
  return links.map((entry) => {
    const target = at(entry, 'workflowEvent');
    if (!isRecord(target)) return undefined;
    return link('Linked', idAt(target, 'namespace') ?? '', target, numberAt(target, 'eventRef', 'eventId'));
  });
}

/** Removes duplicate links: a link with a run id replaces the same link without one. */
export function uniqueLinks(links: readonly RunLink[]): RunLink[] {
  const byTarget = new Map<string, RunLink>();
  for (const found of links) {
    const key = JSON.stringify([found.relation, found.namespace, found.workflowId]);
    const known = byTarget.get(key);
    if (!known) byTarget.set(key, found);
    else if (known.runId === undefined) byTarget.set(key, { ...known, ...found });
    else if (found.runId !== undefined && found.runId !== known.runId)
      byTarget.set(`${key} ${found.runId}`, found);
  }
  return [...byTarget.values()];
}

/** Maximum number of groups whose events are searched for links, because a history may have tens of thousands of signals. */
const MAX_SEARCHED = 2000;

interface LinkSources {
  readonly address: Home;
  readonly description: WorkflowDescription;
  readonly groups: readonly { readonly category: string; readonly events: readonly RecordedEvent[] }[];
}

/** Returns links to the run's parent and root, and to earlier and later runs of its chain. */
export function lineage({ address, description, groups }: LinkSources): RunLink[] {
  const { relations } = description;
  const found = groups
    .filter(({ category }) => category === 'workflow')
    .flatMap(({ events }) => events.flatMap((event) => eventLinks(event, address)));
  const reset = groups
    .filter(({ category }) => category === 'task')
    .flatMap(({ events }) => events.filter(({ eventName }) => eventName === 'WorkflowTaskFailed'))
    .flatMap((event) => eventLinks(event, address));
  const { namespace, workflowId } = address;
  const parent = found.some(({ relation }) => relation === 'Parent')
    ? []
    : [link('Parent', namespace, relations.parent)];
  const root =
    relations.root && relations.root.runId !== relations.parent?.runId
      ? [link('Root', namespace, relations.root)]
      : [];
  const resetTo = relations.resetRunId
    ? [link('Reset to', namespace, { workflowId, runId: relations.resetRunId })]
    : [];
  const known = new Set([...found, ...reset].map(({ runId }) => runId));
  const first =
    relations.firstRunId && relations.firstRunId !== address.runId && !known.has(relations.firstRunId)
      ? [link('First run', namespace, { workflowId, runId: relations.firstRunId })]
      : [];
  return uniqueLinks(
    [...parent, ...root, ...found, ...reset, ...first, ...resetTo].filter(
      (one): one is RunLink => one !== undefined && one.relation !== 'Sent by',
    ),
  );
}

/** Returns links to workflows with which this run exchanged signals, cancel requests or Nexus operations. */
export function messageLinks({ address, groups }: LinkSources): { links: RunLink[]; complete: boolean } {
  const relevant = groups.filter(({ category }) => messages.has(category));
  const links = relevant
    .slice(0, MAX_SEARCHED)
    .flatMap(({ events }) => events.flatMap((event) => eventLinks(event, address)))
    .filter(({ relation }) => relation === 'Sent by' || relation === 'Sent to' || relation === 'Linked');
  return { links: uniqueLinks(links), complete: relevant.length <= MAX_SEARCHED };
}

const messages: ReadonlySet<string> = new Set(['workflow', 'external', 'signal', 'update', 'nexus']);

/**
 * Returns the end of a link's run id if several links would have the same text, as links to two attempts of a
 * child would. Uses the end because run ids created at about the same time start with the same characters.
 */
export function runSuffix(found: RunLink, links: readonly RunLink[]): string | undefined {
  const alike = links.filter(
    (other) =>
      other.relation === found.relation &&
      other.namespace === found.namespace &&
      other.workflowId === found.workflowId,
  );
  return alike.length > 1 ? `run …${escapeInvisible(found.runId?.slice(-8) ?? '')}` : undefined;
}

/** Returns a link's text: the workflow id, and the namespace if it differs. */
export const linkText = ({ workflowId, namespace }: RunLink, home: string): string =>
  escapeInvisible(namespace === home || namespace === '' ? workflowId : `${namespace} / ${workflowId}`);
