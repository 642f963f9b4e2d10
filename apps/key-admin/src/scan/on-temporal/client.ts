import { randomUUID } from 'node:crypto';
import { cryptoKeyId } from '@temporal-kms/kms-codec';
import {
  Client,
  type Connection,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
} from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { CliError } from '../../cli/cli-error.ts';
import { quote } from '../../cli/quote.ts';
import { grpcCode, NOT_FOUND } from '../../google/errors.ts';
import type { BeforeRuns, RemoteRuns, RunsFound } from '../remote-runs.ts';
import type { ScanSource } from '../../temporal/scan-source.ts';
import {
  PROGRESS_QUERY,
  SCAN_WORKFLOW,
  type ScanInput,
  type ScanStatus,
  type ScanWorkflow,
  workflowIdOf,
} from './contract.ts';
import { forgetScan, isUsable, keepScan, otherSettings, readKeptScan } from './kept-scan.ts';
import { ownPayloads } from './own-payloads.ts';
import { findWorkflowIds } from './workflow-ids.ts';

/** Milliseconds between lines of progress. */
const PROGRESS_MS = 5_000;
const QUERY_MS = 10_000;

export interface TemporalScanOptions {
  readonly connection: Connection;
  /** The namespace in which the workflows run. */
  readonly home: string;
  readonly taskQueue: string;
  /** The namespace to scan. */
  readonly namespace: string;
  readonly namespaceId: string;
  readonly retentionSeconds: number;
  readonly source: ScanSource;
  /** The crypto keys that the configuration lists for the namespace. */
  readonly keys: readonly string[];
  readonly rps: number;
  readonly settleMs: number;
  /** The file that keeps the scan until the scan has ended. */
  readonly file: string;
  readonly progress: (text: string) => void;
}

/**
 * Scans the runs of a namespace in a workflow. If the command is killed, the next command waits for the same workflow.
 */
export function runsOnTemporal(options: TemporalScanOptions): RemoteRuns {
  const {
    connection,
    home,
    taskQueue,
    namespace,
    namespaceId,
    retentionSeconds,
    keys,
    rps,
    settleMs,
    file,
    progress,
  } = options;
  const client = new Client({ connection, namespace: home, dataConverter: { payloadCodecs: [ownPayloads] } });
  const workflowId = workflowIdOf(namespaceId);
  const keyIds = keys.map(cryptoKeyId);
  const settings = { keyIds, settleMs, rps, taskQueue };
  const terminateLine = `temporal workflow terminate --namespace ${quote(home)} --workflow-id ${workflowId}`;
  let isStarted = false;

  return {
    async resume() {
      const kept = await readKeptScan(file);
      const found = kept && (await scanInTemporal());
      if (kept === undefined || found?.scanId !== kept.scanId) return undefined;
      if (!found.isRunning && !isUsable(kept, settings, Date.now())) return undefined;
      const other = found.isRunning ? otherSettings(kept, settings) : undefined;
      if (other !== undefined)
        throw new CliError(
          'failed',
          `A scan of the namespace ${namespace} with different options is in progress. Run the command with ${other}, or end that scan.`,
          [terminateLine],
        );
      isStarted = true;
      const started = new Date(kept.before.started).toISOString();
      progress(`the scan continues: it started at ${started} on the task queue ${kept.taskQueue}`);
      return kept.before;
    },

    async run(before) {
      if (!isStarted) await start(before);
      const handle: WorkflowHandle<ScanWorkflow> = client.workflow.getHandle(workflowId);
      const { listedUntil, part } = await withProgress(handle);
      return { listedUntil, part: await findWorkflowIds(part, options.source) };
    },

    end: () => forgetScan(file),
  };

  /** Returns the scan whose workflow is running or has completed. */
  async function scanInTemporal(): Promise<{ scanId: string; isRunning: boolean } | undefined> {
    const { workflowService } = connection;
    const request = { namespace: home, execution: { workflowId }, maximumPageSize: 1 };
    try {
      const { status } = await client.workflow.getHandle(workflowId).describe();
      if (status.name !== 'RUNNING' && status.name !== 'COMPLETED') return undefined;
      const { history } = await workflowService.getWorkflowExecutionHistory(request);
      const [payload] = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
      const input: Partial<ScanInput> | undefined =
        payload && defaultPayloadConverter.fromPayload<ScanInput>(payload);
      return input?.scanId === undefined
        ? undefined
        : { scanId: input.scanId, isRunning: status.name === 'RUNNING' };
    } catch (error) {
      if (grpcCode(error) === NOT_FOUND || isNotFound(error)) return undefined;
      throw error;
    }
  }

  async function start(before: BeforeRuns): Promise<void> {
    const scanId = randomUUID();
    // Writes the file before it starts the workflow, because without the file, the workflow's result would be
    // useless.
    await keepScan(file, { form: 1, scanId, before, ...settings });
    const input: ScanInput = { scanId, namespace, namespaceId, retentionSeconds, keyIds, rps, settleMs };
    try {
      await client.workflow.start<ScanWorkflow>(SCAN_WORKFLOW, {
        workflowId,
        taskQueue,
        args: [input],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'FAIL',
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      await forgetScan(file);
      throw new CliError(
        'failed',
        `A scan of the namespace ${namespace} is in progress with another state folder. Wait for it, or end it.`,
        [terminateLine],
        error,
      );
    }
  }

  async function withProgress(handle: WorkflowHandle<ScanWorkflow>): Promise<RunsFound> {
    let hasEnded = false;
    let polling: Promise<void> | undefined;
    const poll = async (): Promise<void> => {
      const text = await statusText(handle);
      if (!hasEnded) progress(text);
      polling = undefined;
    };
    const timer = setInterval(() => void (polling ??= poll()), PROGRESS_MS);
    try {
      return await handle.result();
    } catch (error) {
      if (!(error instanceof WorkflowFailedError)) throw error;
      throw new CliError(
        'failed',
        `The workflow ${workflowId} in the namespace ${home} did not complete. Run the command again to start a new scan.`,
        [`temporal workflow describe --namespace ${quote(home)} --workflow-id ${workflowId}`],
        error,
      );
    } finally {
      hasEnded = true;
      clearInterval(timer);
      // Without this wait, the SDK would retry a failed query on a connection that the caller has closed.
      await polling;
    }
  }

  async function statusText(handle: WorkflowHandle<ScanWorkflow>): Promise<string> {
    try {
      const status = await connection.withDeadline(Date.now() + QUERY_MS, () =>
        handle.query<ScanStatus>(PROGRESS_QUERY),
      );
      const { stage, runs, shardsDone, shardsRunning } = status;
      return `${stages[stage]}: ${runs} counted, ${shardsDone} shards done, ${shardsRunning} in progress`;
    } catch {
      return `no worker answers: start scan workers for the task queue ${taskQueue} in the namespace ${home}`;
    }
  }
}

const stages = { first: 'runs', settled: 'new runs', newest: 'newest runs' } as const;

const isNotFound = (error: unknown): boolean =>
  error instanceof Error && error.name === 'WorkflowNotFoundError';
