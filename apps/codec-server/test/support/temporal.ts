import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  decodeFrame,
  type DecodeResult,
  type HistoryEvent,
  type HistoryFrame,
  historyFrame,
} from '@temporal-kms/codec-api';
import { KmsCodecPlugin, type NamespaceRule } from '@temporal-kms/kms-codec';
import type { StartTemporalOptions, TemporalServer } from '@temporal-kms/scripts/temporal';
import { startTemporalStack } from '@temporal-kms/testing/stack';
import { compileWorkflows, type WorkflowCode } from '@temporal-kms/testing/workflow-code';
import { ApplicationFailure, Client, type Connection, type WorkflowHandle } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { AppDeps, createApp } from '../../src/app.ts';
import { listen, type RunningServer } from '../../src/server/listen.ts';
import { createTemporalService, interceptors } from '../../src/temporal/service.ts';
import { appWith, headers, type Kms, type Payload, post, startKms } from './stack.ts';
import { change, finish } from './workflows.ts';

export const NAMESPACE = 'payments';
export const TASK_QUEUE = 'test';

export { headers };

export interface Run {
  readonly workflowId: string;
  readonly runId: string;
}

export interface Stack {
  readonly kms: Kms;
  readonly server: TemporalServer;
  readonly connection: Connection;
  /** A client with the codec, like the client of an application. */
  readonly client: Client;
  readonly app: ReturnType<typeof createApp>;
  /** Returns another replica: an application with the same Temporal server and an empty page cache. */
  replica(deps?: Partial<AppDeps>): ReturnType<typeof createApp>;
  /** Serves another replica on a free port. */
  serve(deps?: Partial<AppDeps>): Promise<RunningServer>;
  start(workflow: string, args: unknown[], options?: Record<string, unknown>): Promise<WorkflowHandle>;
  close(): Promise<void>;
}

/** Installs the SDK's runtime once per process, with a logger that shows only errors. */
export const quiet = once(() => Runtime.install({ logger: new DefaultLogger('ERROR') }));

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (!done) act();
    done = true;
  };
}

interface StackOptions extends StartTemporalOptions {
  /** The crypto keys of each namespace. Default: the keys of `startKms`. */
  readonly rules?: Record<string, NamespaceRule>;
}

/** Starts a Temporal server, a worker and a client with the codec, and the application. */
export async function startStack({ rules, ...options }: StackOptions = {}): Promise<Stack> {
  quiet();
  const kms = await startKms(rules);
  const stack = await startTemporalStack({ namespaces: [NAMESPACE, 'orders'], ...options }, { interceptors });
  const { server, connection } = stack;
  const plugins = [new KmsCodecPlugin(kms.codec)];
  const client = new Client({ connection, namespace: NAMESPACE, plugins });
  const worker = await Worker.create({
    connection: await stack.native(),
    namespace: NAMESPACE,
    taskQueue: TASK_QUEUE,
    workflowBundle: await workflowCode(plugins),
    activities: {
      echo: async (value: string) => value,
      fails: async (detail: string) => {
        throw ApplicationFailure.create({ message: 'it fails', details: [detail] });
      },
    },
    plugins,
  });
  const running = worker.run();
  const temporal = createTemporalService(connection);
  const replica = (deps: Partial<AppDeps> = {}) => appWith(kms, { temporal, ...deps });
  return {
    kms,
    server,
    connection,
    client,
    app: replica(),
    replica,
    serve: (deps) =>
      listen({
        host: '127.0.0.1',
        port: 0,
        app: (port) => replica({ hosts: [`127.0.0.1:${port}`], ...deps }),
      }),
    start: (workflow, args, more) =>
      client.workflow.start(workflow, { args, taskQueue: TASK_QUEUE, workflowId: randomUUID(), ...more }),
    close: async () => {
      worker.shutdown();
      await running;
      await stack.close();
      await kms.close();
    },
  };
}

/** Returns the compiled code of these workflows. */
export const workflowCode = (plugins: KmsCodecPlugin[] = []): Promise<WorkflowCode> =>
  compileWorkflows(new URL('./workflows.ts', import.meta.url), { plugins });

type App = Stack['app'];

/** Resolves to the standard output of Temporal's command line; rejects with its standard error if it fails. */
export async function temporalCli({ server }: Pick<Stack, 'server'>, args: string[]): Promise<string> {
  const common = ['--address', server.address, '--namespace', NAMESPACE];
  const { stdout } = await promisify(execFile)(
    server.cliPath,
    [...args, ...common, '--disable-config-file', '--disable-config-env'],
    {
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TEMPORAL_VERSION_CHECK_DISABLED: '1' },
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  return stdout;
}

export const get = async (app: App, path: string, init: RequestInit = {}): Promise<Response> =>
  app.request(path, { headers, ...init });

export const runPath = ({ workflowId, runId }: Run): string =>
  `/api/namespaces/${NAMESPACE}/workflows/${encodeURIComponent(workflowId)}/runs/${runId}`;

export const runOf = async (handle: WorkflowHandle): Promise<Run> => ({
  workflowId: handle.workflowId,
  runId: (await handle.describe()).runId,
});

/**
 * Runs the workflow `everywhere` until it completes. The secret is in the payloads of many kinds of events in
 * the workflow's history.
 */
export async function runEverywhere(
  { start }: Pick<Stack, 'start'>,
  secret: string,
  options: Record<string, unknown> = {},
): Promise<Run> {
  const handle = await start('everywhere', [secret], {
    memo: { customer: `${secret} memo` },
    staticSummary: `${secret} summary`,
    ...options,
  });
  const run = await runOf(handle);
  await handle.executeUpdate(change, { args: [`${secret} update`] });
  await handle.signal(finish, `${secret} signal`);
  await handle.result();
  return run;
}

type StartRequest = temporal.api.workflowservice.v1.IStartWorkflowExecutionRequest;

/**
 * Starts a run whose history contains exactly these payloads. The stack's worker does not execute the run.
 */
export async function plantRun(
  { connection }: Pick<Stack, 'connection'>,
  payloads: Payload[],
  more: StartRequest = {},
): Promise<Run> {
  const workflowId = more.workflowId ?? randomUUID();
  const { runId } = await connection.workflowService.startWorkflowExecution({
    namespace: NAMESPACE,
    workflowId,
    requestId: randomUUID(),
    workflowType: { name: 'none' },
    taskQueue: { name: 'no-worker' },
    input: { payloads },
    ...more,
  });
  return { workflowId, runId };
}

/** Runs the workflow `fails` until it has failed. */
export async function runFailing({ start }: Pick<Stack, 'start'>, secret: string): Promise<Run> {
  const handle = await start('fails', [secret]);
  await handle.result().catch(() => undefined);
  return await runOf(handle);
}

/** Yields the lines of an NDJSON response, each validated against the API's schema. */
export async function* lines<T>(response: Response, schema: { parse(value: unknown): T }): AsyncGenerator<T> {
  let rest = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop()!;
    for (const line of parts) yield schema.parse(JSON.parse(line));
  }
  if (rest !== '') throw new Error('The stream ended within a line.');
}

/** Sends a POST request to a route of a run. */
export const postTo = (app: App, run: Run, what: string, body: object): Promise<Response> =>
  post(app, `${runPath(run)}/${what}`, body);

export const frames = (response: Response): AsyncGenerator<HistoryFrame> => lines(response, historyFrame);

export async function history(app: App, run: Run, query = ''): Promise<HistoryEvent[]> {
  const response = await get(app, `${runPath(run)}/history${query}`);
  const events: HistoryEvent[] = [];
  for await (const frame of frames(response)) {
    if (frame.type === 'events') events.push(...frame.events);
    if (frame.type === 'end' && frame.reason !== 'complete') throw new Error(JSON.stringify(frame));
  }
  return events;
}

export async function decode(app: App, run: Run, refs: string[]): Promise<DecodeResult[]> {
  const response = await postTo(app, run, 'payloads:decode', { refs });
  if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
  return resultsOf(response);
}

/** Returns the results of a response to `:decode`, which must be complete. */
export async function resultsOf(response: Response): Promise<DecodeResult[]> {
  const results: DecodeResult[] = [];
  for await (const frame of lines(response, decodeFrame)) {
    if ('ok' in frame) results.push(frame);
    else if (frame.reason !== 'complete') throw new Error(JSON.stringify(frame));
  }
  return results;
}

/** Decodes the payloads of stubs. @returns the plaintext by ref */
export async function plaintexts(
  app: App,
  run: Run,
  stubs: readonly { readonly ref: string }[],
): Promise<Map<string, string>> {
  const results = await decode(
    app,
    run,
    stubs.map(({ ref }) => ref),
  );
  const values = new Map(results.map((result) => [result.ref, valueOf(result)]));
  if (values.size !== results.length) throw new Error('A ref has several results.');
  return values;
}

export const valueOf = (result: DecodeResult | undefined): string =>
  result?.ok ? Buffer.from(result.payload.data, 'base64').toString() : `not readable: ${result?.reason}`;

export async function eventually<T>(check: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(100);
    }
  }
}
