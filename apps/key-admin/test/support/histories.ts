import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readHistory } from '@temporal-kms/testing/history';
import { KmsCodecPlugin, loadKmsCodec } from '@temporal-kms/kms-codec';
import { eventJson, payloadToJson, type ProtoEvent } from '@temporal-kms/histories/payloads';
import { Client, type WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';
import { afterwards } from './cli.ts';
import { type Temporal, useTemporal } from './temporal.ts';

export const NAMESPACE = 'default';
export type Run = { readonly workflowId: string; readonly runId: string };

/** Every secret in these histories contains this text. */
export const SECRET = 'canary-5ecret';

export interface Histories {
  readonly temporal: Temporal;
  /** Starts a workflow with an encrypted input and memo. No worker polls, so the run stays open. */
  readonly start: (
    workflowId: string,
    env: Record<string, string>,
    codec?: { bind?: boolean },
  ) => Promise<Run>;
  readonly signal: (run: Run, env: Record<string, string>, argument: unknown) => Promise<void>;
  readonly events: (run: Run) => Promise<ProtoEvent[]>;
}

/** Starts Temporal before the tests of a file, with a client whose payloads a real codec encrypts. */
export function useHistories(): Histories {
  const temporal = useTemporal();
  const clientAs = (env: Record<string, string>, bind = false) => {
    const codec = loadKmsCodec({
      namespace: NAMESPACE,
      env: { ...env, ...(bind && { KMS_BIND_WORKFLOW: 'true' }) },
    });
    afterwards(() => codec.close());
    const { connection } = temporal;
    return new Client({ connection, namespace: NAMESPACE, plugins: [new KmsCodecPlugin(codec)] });
  };
  return {
    temporal,
    start: async (workflowId, env, { bind } = {}) =>
      runOf(
        await clientAs(env, bind).workflow.start('order', {
          workflowId,
          taskQueue: 'none',
          // Longer than any stall of a test that acts as the worker.
          workflowTaskTimeout: '60s',
          args: [{ note: SECRET, amount: 12 }],
          memo: { customer: `${SECRET} memo` },
        }),
      ),
    signal: (run, env, argument) =>
      clientAs(env).workflow.getHandle(run.workflowId, run.runId).signal('change', argument),
    events: (run) => readHistory(temporal.connection, NAMESPACE, run),
  };
}

const runOf = async (handle: WorkflowHandle): Promise<Run> => {
  const { workflowId, runId } = await handle.describe();
  return { workflowId, runId };
};

/** Returns the output of `temporal workflow show`. */
export async function cliShow({ temporal }: Histories, run: Run, output: 'json' | 'jsonl'): Promise<string> {
  const { stdout } = await promisify(execFile)(
    temporal.cliPath,
    ['workflow', 'show', '--output', output, '--workflow-id', run.workflowId, '--run-id', run.runId]
      .concat(['--address', temporal.address, '--namespace', NAMESPACE])
      .concat(['--disable-config-file', '--disable-config-env']),
    { env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' }, maxBuffer: 64 * 2 ** 20 },
  );
  return stdout;
}

/**
 * Returns a history in the form in which the Web UI downloads it without decoding, and our server exports it
 * as `encoded`.
 */
export const encodedJson = (events: readonly ProtoEvent[]): string =>
  JSON.stringify({
    events: events.map((event) => eventJson(event, ({ payload }) => payloadToJson(payload))),
  });

/**
 * Returns a `temporal.api.export.v1.WorkflowExecutions` message, the form in which Temporal Cloud exports
 * histories.
 */
export function cloudExport(histories: readonly (readonly ProtoEvent[])[]): Buffer {
  return Buffer.concat(
    histories.map((events) =>
      field(field(proto.temporal.api.history.v1.History.encode({ events: [...events] }).finish())),
    ),
  );
}

/** Returns a protobuf message whose field 1 is the given message. */
function field(bytes: Uint8Array): Buffer {
  const length: number[] = [];
  let rest = bytes.length;
  for (; rest > 0x7f; rest >>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([0x0a, ...length, rest]), bytes]);
}
