/*
 * A worker process of the fleet: `node --expose-gc worker.ts workflows|activities`. The process's standard
 * output contains a line with its HTTP port, and a line for each activity that runs: `run`, the workflow, the
 * activity, the attempt, and the machine's time. Standard error is its log.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { combineObservers, type Observer } from '@temporal-kms/kms-codec';
import { KmsWorkerPlugin, runWorker } from '@temporal-kms/worker-kit';
import { outageObserver, safeRuntimeOptions, writeLine } from '@temporal-kms/worker-kit/logging';
import { activityInfo, heartbeat } from '@temporalio/activity';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { otherCodecs } from './other-codecs.ts';
import {
  createFleetCodec,
  type Failures,
  fleetClock,
  fleetCodec,
  machineTime,
  MovableClock,
  moveTimeOfDay,
  NAMESPACE,
} from './settings.ts';

const ran = (): void => {
  const { workflowExecution, activityId, attempt } = activityInfo();
  process.stdout.write(`run ${workflowExecution?.workflowId} ${activityId} ${attempt} ${machineTime()}\n`);
};

const activities = {
  async pay(what: string): Promise<string> {
    ran();
    return `paid: ${what}`;
  },
  async pack(what: string): Promise<string> {
    ran();
    for (let step = 0; step < 3; step += 1) {
      heartbeat({ step, what });
      await sleep(100);
    }
    return `packed: ${what}`;
  },
};
export type Activities = typeof activities;

function main(): void {
  const { env } = process;
  Runtime.install({ ...safeRuntimeOptions(), shutdownSignals: [] });
  const clock = fleetClock.parse(env['FLEET_CLOCK'] ?? 'codec') === 'codec' ? new MovableClock() : undefined;
  const kind = fleetCodec.parse(env['FLEET_CODEC']);
  let failures: Failures = { count: 0 };
  const counter: Observer = { refused: ({ code }) => void (failures = { count: failures.count + 1, code }) };
  const codec = createFleetCodec(env, clock, combineObservers(outageObserver(writeLine), counter));
  const worker = runWorker({
    codec,
    namespace: NAMESPACE,
    connect: () => NativeConnection.connect({ address: env['TEMPORAL_ADDRESS'] ?? '' }),
    createWorker: async (connection) =>
      Worker.create({
        connection,
        namespace: NAMESPACE,
        taskQueue: env['FLEET_TASK_QUEUE'] ?? '',
        plugins: kind === 'kms' ? [new KmsWorkerPlugin(codec)] : [],
        ...(kind !== 'kms' && { dataConverter: { payloadCodecs: await otherCodecs(kind) } }),
        shutdownGraceTime: '2 seconds',
        ...(process.argv[2] === 'activities'
          ? { activities }
          : { workflowBundle: { codePath: env['FLEET_BUNDLE'] ?? '' } }),
      }),
  });

  const routes: Readonly<Record<string, (query: URLSearchParams) => [status: number, body: object]>> = {
    '/readyz': () => {
      const readiness = worker.readiness();
      return [readiness.status === 'not_ready' ? 503 : 200, readiness];
    },
    '/advance': (query) => {
      const ms = Number(query.get('ms'));
      if (clock) clock.advance(ms);
      else moveTimeOfDay(ms);
      codec.maintain();
      return [200, {}];
    },
    '/failures': () => [200, failures],
    '/memory': () => {
      globalThis.gc?.();
      return [200, process.memoryUsage()];
    },
  };
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://worker');
    const [status, body] = routes[pathname]?.(searchParams) ?? [404, {}];
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  const server = createServer(answer).listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.stdout.write(`listening ${typeof address === 'object' ? address?.port : ''}\n`);
  });
}

main();
