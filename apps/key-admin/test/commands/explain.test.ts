import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEntryLine } from '@temporal-kms/audit';
import { type AuditEntry, reasons } from '@temporal-kms/codec-api';
import { loadKmsCodec } from '@temporal-kms/kms-codec';
import { leaksIn } from '@temporal-kms/testing/canaries';
import { defaultPayloadConverter } from '@temporalio/common';
import proto, { type temporal } from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import {
  afterwards,
  type Cloud,
  KEY,
  startCloud,
  temporalKms,
  temporaryFolder,
  WORKER,
} from '../support/cli.ts';
import { cliShow, encodedJson, NAMESPACE, type Run, SECRET, useHistories } from '../support/histories.ts';
import { startStore } from '../support/stored.ts';

const histories = useHistories();

const why = ['--justification', 'ticket 4711'];
const { CommandType, WorkflowTaskFailedCause } = proto.temporal.api.enums.v1;
let runs = 0;

interface Explanation {
  readonly cloud: Cloud;
  readonly explain: (
    args: readonly string[],
    input?: string | Uint8Array,
    env?: Record<string, string>,
  ) => ReturnType<typeof temporalKms>;
  readonly entries: () => Promise<AuditEntry[]>;
}

async function start(): Promise<Explanation> {
  const cloud = await startCloud();
  await cloud.grant(WORKER, 'roles/cloudkms.cryptoKeyEncrypterDecrypter');
  const auditFile = join(await temporaryFolder(), 'audit.jsonl');
  return {
    cloud,
    explain: async (args, input = '', env = {}) => {
      const variables = {
        AUDIT_FILE: auditFile,
        TEMPORAL_ADDRESS: histories.temporal.address,
        TEMPORAL_NAMESPACE: NAMESPACE,
      };
      const ran = await temporalKms(['explain', ...args], {
        env: { ...cloud.as(WORKER), ...variables, ...env },
        input,
      });
      expect(leaksIn(ran.err, [SECRET])).toEqual([]);
      return ran;
    },
    entries: async () => {
      const lines = (await readFile(auditFile, 'utf8').catch(() => '')).split('\n');
      return lines.flatMap((line) => parseEntryLine(line) ?? []);
    },
  };
}

/** Returns an application failure as a worker with the codec writes it. */
async function failure(cloud: Cloud): Promise<temporal.api.failure.v1.IFailure> {
  const codec = loadKmsCodec({ namespace: NAMESPACE, env: cloud.as(WORKER) });
  afterwards(() => codec.close());
  const attributes = {
    message: `${SECRET} was declined`,
    stack_trace: `Error\n    at capture (/srv/${SECRET}/capture.ts:88:11)`,
  };
  const [encodedAttributes] = await codec.encode([defaultPayloadConverter.toPayload(attributes)]);
  return {
    message: 'Encoded failure',
    encodedAttributes: encodedAttributes!,
    applicationFailureInfo: { type: 'CardDeclined' },
  };
}

/** Starts a run, takes its workflow task as a worker does, and fails the task or the run. */
async function failing(cloud: Cloud, what: 'task' | 'run'): Promise<Run> {
  const run = await histories.start(`explained-${(runs += 1)}`, cloud.as(WORKER));
  const { workflowService } = histories.temporal.connection;
  const cause = await failure(cloud);
  for (;;) {
    const { taskToken, workflowExecution } = await histories.temporal.connection.withDeadline(
      Date.now() + 60_000,
      () =>
        workflowService.pollWorkflowTaskQueue({
          namespace: NAMESPACE,
          taskQueue: { name: 'none' },
          identity: 'worker-7',
        }),
    );
    if (workflowExecution?.workflowId !== run.workflowId) continue;
    if (what === 'task')
      await workflowService.respondWorkflowTaskFailed({
        namespace: NAMESPACE,
        taskToken,
        cause: WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
        failure: cause,
      });
    else
      await workflowService.respondWorkflowTaskCompleted({
        namespace: NAMESPACE,
        taskToken,
        commands: [
          {
            commandType: CommandType.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
            failWorkflowExecutionCommandAttributes: { failure: cause },
          },
        ],
      });
    return run;
  }
}

describe('temporal-kms explain', () => {
  it('reads messages in external storage with --external-storage, and otherwise reports that they were not read', async () => {
    const { cloud, explain, entries } = await start();
    const store = await startStore(NAMESPACE);
    const cause = await failure(cloud);
    const { reference, object } = await store.store(cause.encodedAttributes!);
    const stored = { ...cause, encodedAttributes: reference };
    const { HistoryEvent } = proto.temporal.api.history.v1;
    const history = encodedJson([
      HistoryEvent.fromObject({
        eventId: 1,
        eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED',
        workflowExecutionStartedEventAttributes: {},
      }),
      HistoryEvent.fromObject({
        eventId: 2,
        eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_FAILED',
        workflowExecutionFailedEventAttributes: { failure: stored },
      }),
    ]);
    const read = await explain([...why, '--external-storage', store.file], history);
    expect([read.code, read.out]).toEqual([0, expect.stringContaining(`${SECRET} was declined`)]);
    expect((await entries()).flatMap((entry) => entry.object ?? [])).toMatchObject([{ object }]);
    const unread = await explain([...why, '--json'], history);
    expect([unread.code, unread.out]).toEqual([1, expect.stringContaining('external_reference')]);
    expect(unread.out).not.toContain('driverName');
  });

  it('explains a run in Temporal, and decrypts only the messages that the explanation shows', async () => {
    const { cloud, explain, entries } = await start();
    const run = await failing(cloud, 'task');
    const locked = await explain(['--workflow-id', run.workflowId]);
    expect(locked.code).toBe(0);
    expect(locked.out).toContain(
      `${run.workflowId} / ${run.runId} (order): Running\n  Workflow task fails: CardDeclined (message not decrypted)`,
    );
    expect(locked.out).toContain('1 payload of this card is not decrypted.');
    expect(leaksIn(locked.out, [SECRET])).toEqual([]);
    expect(await entries()).toEqual([]);

    const read = await explain(['--workflow-id', run.workflowId, '--run-id', run.runId, ...why]);
    expect(read.code).toBe(0);
    expect(read.out).toContain(`Workflow task fails: CardDeclined: ${SECRET} was declined`);
    expect(read.out).toContain(`at capture (/srv/${SECRET}/capture.ts:88:11)`);
    const [intent, outcome] = await entries();
    expect(intent).toMatchObject({
      event: 'intent',
      operation: 'decode',
      ...run,
      refs: [expect.stringMatching(/^4:\d+$/)],
      justification: 'ticket 4711',
    });
    expect(intent).not.toHaveProperty('source');
    expect(outcome?.outcome).toMatchObject({ result: 'complete', payloads: 1 });
  });

  it('explains a run in a file, and prints JSON', async () => {
    const { cloud, explain, entries } = await start();
    const run = await failing(cloud, 'run');
    const file = await cliShow(histories, run, 'json');
    const { code, json } = await explain(['-', '--json', ...why], file);
    expect(code).toBe(0);
    expect(json().runs).toEqual([
      expect.objectContaining({
        ...run,
        type: 'order',
        status: 'Failed',
        state: 'failed',
        locked: 0,
        findings: [
          expect.objectContaining({
            rule: 'run-failed',
            cause: expect.objectContaining({
              type: 'CardDeclined',
              message: { status: 'readable', text: `${SECRET} was declined`, encrypted: true },
            }),
          }),
        ],
      }),
    ]);
    expect((await entries())[0]).toMatchObject({ source: 'file', ...run });
    const other = await explain([...why, '--namespace', 'other', '-'], file);
    expect([other.code, leaksIn(other.out, [SECRET])]).toEqual([1, []]);
    expect(other.out).toContain('namespace_mismatch');
  });

  it('shows the reason code of a payload that cannot be decrypted, and exits with 1', async () => {
    const { cloud, explain, entries } = await start();
    const run = await failing(cloud, 'run');
    await cloud.grant(WORKER, 'roles/cloudkms.viewer');
    await cloud.emulator.setVersionState(`${KEY}/cryptoKeyVersions/1`, 'DESTROYED');
    const { code, out } = await explain(['--workflow-id', run.workflowId, ...why]);
    expect(code).toBe(1);
    expect(out).toContain(
      `Failed: CardDeclined (message not readable: key_destroyed, ${reasons.key_destroyed.title}.`,
    );
    expect((await entries()).at(-1)?.outcome).toMatchObject({ payloads: 0, refused: { key_destroyed: 1 } });
  });

  it('decrypts nothing without an audit, and reports a run that does not exist', async () => {
    const { cloud, explain } = await start();
    const run = await failing(cloud, 'run');
    const unaudited = await explain(['--workflow-id', run.workflowId, ...why], '', { AUDIT_FILE: '' });
    expect([unaudited.code, unaudited.out]).toEqual([64, '']);
    const blank = await explain(['--workflow-id', run.workflowId, '--justification', ' ']);
    expect([blank.code, blank.out]).toEqual([64, '']);
    expect((await explain(['--workflow-id', 'no-such'])).code).toBe(66);
    expect((await explain(['-', '--run-id', run.runId], '{}')).code).toBe(64);
    expect((await explain(['-'], '{}')).code).toBe(65);
  });
});
