import type { Connection } from '@temporalio/client';
import { CliError } from '../cli/cli-error.ts';
import { duration, type Output } from '../cli/output.ts';
import { grpcCode, INVALID_ARGUMENT, NOT_FOUND } from '../google/errors.ts';
import {
  type ListedRun,
  type NamespaceDescription,
  ScanError,
  type ScanSource,
} from '../temporal/scan-source.ts';
import { perSecond, temporalSource } from '../temporal/temporal-source.ts';
import { clearValues } from './clear-values.ts';
import type { Findings } from './findings.ts';

const EVENT = 'temporal.api.history.v1.HistoryEvent';
const RUN = 'temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse';
const SCHEDULE = 'temporal.api.workflowservice.v1.DescribeScheduleResponse';

/**
 * Number of runs or schedules between two lines of progress. At the default rate, reading this many takes a few
 * seconds.
 */
const PROGRESS_EVERY = 100;

export interface LookOptions {
  readonly namespace: string;
  /** A visibility query; empty for all runs. */
  readonly query: string;
  /** Maximum number of calls to Temporal per second. */
  readonly rps: number;
  readonly withPayloads: boolean;
}

/** Number of histories and schedules that a command searched. */
export interface Looked {
  histories: number;
  schedules: number;
}

/**
 * Searches a namespace's histories, the pending work of its open runs, and its schedules.
 * @throws CliError if Temporal refuses a call or does not answer
 */
export async function lookInNamespace(
  connection: Connection,
  { namespace, query, rps, withPayloads }: LookOptions,
  findings: Findings,
  { progress }: Pick<Output, 'progress'>,
): Promise<Looked> {
  const source = temporalSource(connection, namespace, perSecond(rps));
  const looked: Looked = { histories: 0, schedules: 0 };
  try {
    progress(`${namespace}: ${retentionText(await source.describe())}`);
    for await (const runs of source.runs(query)) {
      for (const run of runs) {
        // oxlint-disable-next-line no-await-in-loop -- The rate of calls is limited.
        await lookInRun(source, run, { namespace, withPayloads }, findings);
        looked.histories += 1;
        if (looked.histories % PROGRESS_EVERY === 0) progress(`${namespace}: runs: ${looked.histories}`);
      }
    }
    progress(`${namespace}: runs: ${looked.histories}`);
    for await (const ids of source.schedules()) {
      for (const scheduleId of ids) {
        const place = { source: namespace, scheduleId };
        findings.add([{ kind: 'schedule id', path: ['scheduleId'], text: scheduleId }], place);
        // oxlint-disable-next-line no-await-in-loop -- The rate of calls is limited.
        const description = await source.describeSchedule(scheduleId);
        if (description) findings.add(clearValues(SCHEDULE, description, withPayloads), place);
        looked.schedules += 1;
        if (looked.schedules % PROGRESS_EVERY === 0) progress(`${namespace}: schedules: ${looked.schedules}`);
      }
    }
    progress(`${namespace}: schedules: ${looked.schedules}`);
  } catch (error) {
    if (!(error instanceof ScanError)) throw error;
    throw searchError(error, namespace, query);
  }
  return looked;
}

function searchError(error: ScanError, namespace: string, query: string): CliError {
  const { cause } = error;
  const code = grpcCode(cause);
  const details: unknown = cause instanceof Error ? Reflect.get(cause, 'details') : undefined;
  // Temporal's message quotes only the query.
  if (code === INVALID_ARGUMENT && query !== '' && typeof details === 'string')
    return new CliError(
      'usage',
      `Temporal refuses the query: ${details}`,
      [`--query 'StartTime > "2030-01-01T00:00:00Z"'`],
      error,
    );
  const exit = error.kind === 'not_permitted' ? 'notPermitted' : 'unavailable';
  return new CliError(
    code === NOT_FOUND ? 'notFound' : exit,
    error.message,
    [`temporal-kms doctor --app worker --namespace ${namespace}`],
    error,
  );
}

const retentionText = ({ retentionSeconds }: Pick<NamespaceDescription, 'retentionSeconds'>): string =>
  `reading histories, which Temporal keeps for ${duration(retentionSeconds * 1000)} after they end`;

async function lookInRun(
  source: ScanSource,
  run: ListedRun,
  { namespace, withPayloads }: Pick<LookOptions, 'namespace' | 'withPayloads'>,
  findings: Findings,
): Promise<void> {
  const { workflowId, runId } = run;
  const place = { source: namespace, workflowId, runId };
  findings.add([{ kind: 'workflow id', path: ['workflowId'], text: workflowId }], place);
  for await (const events of source.history(run))
    for (const event of events)
      findings.add(clearValues(EVENT, event, withPayloads), {
        ...place,
        eventId: Number(event.eventId ?? 0),
      });
  if (!run.isOpen) return;
  // Reads the description too, because no event contains the failures of attempts that Temporal retries.
  const description = await source.describeRun(run);
  const { pendingActivities = [], pendingNexusOperations = [], callbacks = [] } = description ?? {};
  findings.add(
    clearValues(RUN, { pendingActivities, pendingNexusOperations, callbacks }, withPayloads),
    place,
  );
}
