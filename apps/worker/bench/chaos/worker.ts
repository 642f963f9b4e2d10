/*
 * One worker process of the fleet: `node worker.ts workflows|activities`. It is not supervised, so a worker that fails
 * ends its process. Its output has a line for each activity that runs: `run`, the workflow, the activity, the attempt.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createKmsCodec, kmsEnvironment, KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { safeRuntimeOptions } from '@temporal-kms/kms-codec/worker-logging';
import { activityInfo, heartbeat } from '@temporalio/activity';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { codecOf, keyLimits, NAMESPACE, TASK_QUEUE } from './settings.ts';

const ran = (): void => {
  const { workflowExecution, activityId, attempt } = activityInfo();
  process.stdout.write(`run ${workflowExecution?.workflowId} ${activityId} ${attempt}\n`);
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

/** Shows what the SDK itself spends as soon as there is a codec. */
const unchanged = (payloads: Payload[]): Promise<Payload[]> => Promise.resolve(payloads);
const identity: PayloadCodec = { encode: unchanged, decode: unchanged };

async function main(): Promise<void> {
  const kind = codecOf(process.env);
  Runtime.install(safeRuntimeOptions());
  const settings = kmsEnvironment.parse(process.env);
  const codec = createKmsCodec(settings, { namespace: NAMESPACE, limits: keyLimits(process.env) });
  await codec.warm(NAMESPACE);
  const connection = await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
  const worker = await Worker.create({
    connection,
    namespace: NAMESPACE,
    taskQueue: TASK_QUEUE,
    plugins: kind === 'kms' ? [new KmsCodecPlugin(codec)] : [],
    ...(kind === 'identity' && { dataConverter: { payloadCodecs: [identity] } }),
    shutdownGraceTime: '2 seconds',
    ...(process.argv[2] === 'activities'
      ? { activities }
      : { workflowsPath: new URL('workflows.ts', import.meta.url).pathname }),
  });
  process.stdout.write('ready\n');
  await worker.run();
  await connection.close();
  await codec.close();
}

await main();
