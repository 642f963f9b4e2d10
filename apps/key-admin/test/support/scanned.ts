import { randomUUID } from 'node:crypto';
import { type NeededKey, scanReport, type ScanReport } from '@temporal-kms/codec-api';
import { loadKmsCodec } from '@temporal-kms/kms-codec';
import { newCanary } from '@temporal-kms/testing/canaries';
import type { Connection } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import proto from '@temporalio/proto';
import { startCloud, temporalKms, temporaryFolder, variables } from './cli.ts';
import type { Temporal } from './temporal.ts';

const RUNNING = proto.temporal.api.enums.v1.WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING;

export const seconds = (value: number) => proto.google.protobuf.Duration.fromObject({ seconds: value });

/** The plaintext of every payload. */
export const canary = newCanary();
export const plain = (): Payload => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(JSON.stringify(canary)),
});

/** Creates a namespace and a key, and returns functions with which a test fills and scans the namespace. */
export async function startNamespace({ connection, address }: Temporal, retentionDays = 1) {
  const namespace = `scan-${randomUUID()}`;
  const { workflowService } = connection;
  await workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: seconds(retentionDays * 86_400),
  });
  for (;;) {
    const found = await workflowService.listWorkflowExecutions({ namespace }).catch(() => undefined);
    if (found !== undefined) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const cloud = await startCloud();
  const env = { ...variables, KMS_EMULATOR_HOST: cloud.emulator.address };
  const encrypt = async (format: 'envelope-v2' | 'envelope' | 'direct' = 'envelope-v2'): Promise<Payload> => {
    // Uses a new codec, whose key is wrapped under the current primary version.
    const codec = loadKmsCodec({ namespace, env: { ...env, KMS_FORMAT: format } });
    const [message] = await codec.encode([plain()], { type: 'workflow', namespace, workflowId: 'any' });
    await codec.close();
    return message!;
  };
  const started: string[] = [];
  const start = async (workflowId: string, payload: Payload, fields: object = {}): Promise<string> => {
    const runId = await startUnlisted(connection, namespace, workflowId, payload, fields);
    started.push(runId);
    return runId;
  };
  const terminate = (workflowId: string, details?: Payload) =>
    workflowService.terminateWorkflowExecution({
      namespace,
      workflowExecution: { workflowId },
      ...(details && { details: { payloads: [details] } }),
    });
  /**
   * Waits until Temporal's lists, which lag behind the runs' histories, contain each run that `start` has
   * started, with closed runs shown as closed.
   */
  const untilListed = async (): Promise<void> => {
    await untilRunsListed(connection, namespace, started);
    for (;;) {
      const { executions } = await workflowService.listWorkflowExecutions({
        namespace,
        query: "ExecutionStatus = 'Running'",
        pageSize: 1_000,
      });
      const described = await Promise.all(
        executions.map(({ execution }) =>
          workflowService
            .describeWorkflowExecution({ namespace, execution: execution! })
            .catch(() => ({ workflowExecutionInfo: undefined })),
        ),
      );
      if (described.every(({ workflowExecutionInfo }) => workflowExecutionInfo?.status === RUNNING)) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const state = await temporaryFolder();
  const scan = async (
    ...more: string[]
  ): Promise<{ code: number; report: ScanReport; out: string; err: string }> => {
    await untilListed();
    const args = ['scan', '--namespace', namespace, '--state', state, '--settle', '0', '--json', ...more];
    const ran = await temporalKms(args, { env: { ...env, TEMPORAL_ADDRESS: address } });
    return { ...ran, report: scanReport.parse(ran.json()) };
  };
  return { namespace, cloud, env, encrypt, start, terminate, untilListed, scan, state };
}

/** Starts a run that no worker executes, waits until Temporal's lists contain the run, and returns its id. */
export async function startRun(
  connection: Connection,
  namespace: string,
  workflowId: string,
  payload: Payload,
): Promise<string> {
  const runId = await startUnlisted(connection, namespace, workflowId, payload);
  await untilRunsListed(connection, namespace, [runId]);
  return runId;
}

async function untilRunsListed(
  { workflowService }: Connection,
  namespace: string,
  runIds: readonly string[],
): Promise<void> {
  for (;;) {
    const { executions } = await workflowService.listWorkflowExecutions({ namespace, pageSize: 1_000 });
    const listed = new Set(executions.map(({ execution }) => execution?.runId));
    if (runIds.every((runId) => listed.has(runId))) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function startUnlisted(
  { workflowService }: Connection,
  namespace: string,
  workflowId: string,
  payload: Payload,
  fields: object = {},
): Promise<string> {
  const { runId } = await workflowService.startWorkflowExecution({
    namespace,
    workflowId,
    workflowType: { name: 'any' },
    taskQueue: { name: 'none' },
    input: { payloads: [payload] },
    requestId: randomUUID(),
    ...fields,
  });
  return runId;
}

/**
 * Creates a paused schedule for a workflow whose id is the schedule's id with the prefix `of-`, and waits until
 * Temporal lists the schedule.
 */
export async function createSchedule(
  { workflowService }: Connection,
  namespace: string,
  scheduleId: string,
  input: readonly Payload[],
  memo?: Payload,
  ownMemo?: Payload,
): Promise<void> {
  await workflowService.createSchedule({
    ...(ownMemo && { memo: { fields: { team: ownMemo } } }),
    namespace,
    scheduleId,
    requestId: randomUUID(),
    schedule: {
      spec: { cronString: ['0 12 * * *'] },
      state: { paused: true, notes: 'kept' },
      action: {
        startWorkflow: {
          workflowId: `of-${scheduleId}`,
          workflowType: { name: 'any' },
          taskQueue: { name: 'none' },
          input: { payloads: [...input] },
          ...(memo && { memo: { fields: { note: memo } } }),
        },
      },
    },
  });
  for (;;) {
    const { schedules } = await workflowService.listSchedules({ namespace, maximumPageSize: 1_000 });
    if (schedules.some((one) => one.scheduleId === scheduleId)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Returns the numbers of histories and payloads for each key version and place. */
export const needs = (keys: readonly NeededKey[]) =>
  Object.fromEntries(
    keys.map(({ key, version, places }) => [
      `${key?.split('/').at(-1)} ${version ?? '-'}`,
      Object.fromEntries(
        Object.entries(places).map(([place, { histories, payloads }]: any) => [place, [histories, payloads]]),
      ),
    ]),
  );
