import type { TemporalConfig } from '@temporal-kms/config';
import type { ProtoEvent } from '@temporal-kms/histories/payloads';
import { CliError } from '../cli/cli-error.ts';
import { withTemporal } from '../temporal/connect.ts';
import { ScanError } from '../temporal/scan-source.ts';
import { perSecond, temporalSource } from '../temporal/temporal-source.ts';
import { type RunToExplain, runToExplain } from './read-run.ts';

/** Maximum number of calls to Temporal per second. Only reading the pages of a long history requires this many calls. */
const RPS = 20;

/** The run, and the time of the command. */
interface RunAddress {
  readonly namespace: string;
  readonly workflowId: string;
  /** The run's id; undefined for the latest run. */
  readonly runId: string | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Reads the description and the history of a run.
 * @throws CliError if there is no such run, or if Temporal refuses the call or does not answer
 */
export async function readFromTemporal(
  config: TemporalConfig,
  { namespace, workflowId, runId, now }: RunAddress,
): Promise<RunToExplain> {
  return await withTemporal(config, async (connection) => {
    const source = temporalSource(connection, namespace, perSecond(RPS));
    const listed = { workflowId, isOpen: true, startTime: undefined, closeTime: undefined };
    try {
      const description = await source.describeRun({ ...listed, runId: runId ?? '' });
      const found = description?.workflowExecutionInfo?.execution?.runId;
      if (description === undefined || !found) throw notFound(namespace, workflowId, runId);
      const events: ProtoEvent[] = [];
      for await (const page of source.history({ ...listed, runId: found })) events.push(...page);
      if (events.length === 0) throw notFound(namespace, workflowId, runId);
      return runToExplain({ namespace, workflowId, runId: found, events, description, now });
    } catch (error) {
      if (!(error instanceof ScanError)) throw error;
      throw new CliError(
        error.kind === 'not_permitted' ? 'notPermitted' : 'unavailable',
        error.message,
        [`temporal-kms doctor --app worker --namespace ${namespace}`],
        error,
      );
    }
  });
}

const notFound = (namespace: string, workflowId: string, runId: string | undefined): CliError =>
  new CliError(
    'notFound',
    `The namespace ${namespace} has no workflow ${workflowId}${runId === undefined ? '' : ` with the run ${runId}`}`,
    [`temporal workflow list --namespace ${namespace}`],
  );
