import { setTimeout as sleep } from 'node:timers/promises';
import { KeyManagementServiceClient } from '@google-cloud/kms';
import { emulatorOptions } from '@temporal-kms/kms-codec/emulator-options';
import proto from '@temporalio/proto';
import type { Checks } from '../checks.ts';
import { type Fleet, KEY, startFleet, startServices } from '../fleet.ts';
import type { FleetWorker } from '../fleet-worker.ts';
import type { Load } from '../load.ts';
import type { ScenarioOptions } from '../scenario.ts';
import { NAMESPACE, type Readiness } from '../settings.ts';
import { openStore, type StoreKind, storeKinds } from '../stores.ts';

const IDENTITY = 'worker@fleet.iam.gserviceaccount.com';
const ROLE = { role: 'roles/cloudkms.cryptoKeyEncrypterDecrypter', members: [`serviceAccount:${IDENTITY}`] };
/** Extra time for the measurement and for a busy machine. */
const SLACK_SECONDS = 10;
/**
 * The time within which a worker must be ready again. A worker tries to replace a rejected key about every 10
 * s, and then connects and starts polling.
 */
const READY_SECONDS = 30;

/**
 * While workflows run, rotates the key, disables and enables the primary version twice, and revokes the role
 * and grants it again, twice. Repeats these steps with each kind of store.
 */
export async function revoke(checks: Checks, options: ScenarioOptions): Promise<void> {
  const kinds = options.store === undefined ? storeKinds : [options.store];
  for (const kind of kinds) await revokeWith(kind, checks, options);
}

async function revokeWith(kind: StoreKind, checks: Checks, options: ScenarioOptions): Promise<void> {
  const { processes, inFlight, seconds, keyLifetimeMs } = options;
  checks.progress(`store: ${kind}`);
  await using services = await startServices({ identities: { [IDENTITY]: 0 } });
  const { closers, emulator } = services;
  const administrator = connectTo(emulator.port);
  closers.defer(() => administrator.close());
  await emulator.setPolicy(KEY, [ROLE]);
  const store = closers.use(await openStore(kind));
  const kmsAddress = emulator.identities[IDENTITY] ?? '';
  const fleet = closers.use(
    await startFleet({ ...services, kmsAddress }, { processes, keyLifetimeMs, env: store.env }),
  );
  // Uses activities that may be retried, because at the moment of a refusal, an activity with a single
  // attempt would fail together with its workflow.
  const load = fleet.load('delivery').start(inFlight);
  await load.warm();
  const lifetime = keyLifetimeMs / 1_000;
  checks.figure(
    '| event | all processes after | code | all ready again after | all workflows recovered after |\n|---|---|---|---|---|',
  );

  checks.progress('rotation');
  await administrator.createCryptoKeyVersion({ parent: KEY });
  await administrator.updateCryptoKeyPrimaryVersion({ name: KEY, cryptoKeyVersionId: '2' });
  const adopted = await Promise.all(fleet.workers.map((worker) => untilVersion(worker, 2, 3 * lifetime)));
  checks.inTime(
    'rotation: time until every process encrypts under the new version',
    lifetime + SLACK_SECONDS,
    Math.max(...adopted),
  );
  checks.figure(`| rotation | ${Math.max(...adopted).toFixed(1)} s | | | |`);
  const afterRotation = await load.settled();
  checks.check('rotation: workflows continue', load.failures.length === 0, `${afterRotation.toFixed(1)} s`);

  const version = `${KEY}/cryptoKeyVersions/2`;
  const cases = [
    {
      name: 'primary version disabled',
      code: 'key_disabled',
      begin: () => emulator.setVersionState(version, 'DISABLED'),
      end: () => emulator.setVersionState(version, 'ENABLED'),
    },
    {
      name: 'role removed',
      code: 'permission_denied',
      begin: () => emulator.setPolicy(KEY, []),
      end: () => emulator.setPolicy(KEY, [ROLE]),
    },
  ];
  // Workers must also notice a second refusal of the same key.
  const twice = cases.flatMap((one) => [one, { ...one, name: `${one.name} again` }]);
  for (const { name, code, begin, end } of twice) {
    checks.progress(name);
    await begin();
    const stopped = await Promise.all(
      fleet.workers.map((worker) => worker.untilNotReady(5 * lifetime * 1_000)),
    );
    const last = Math.max(...stopped.map((one) => one.seconds));
    checks.inTime(`${name}: time until every process stops polling`, lifetime / 6 + SLACK_SECONDS, last);
    checks.progress('no process polls');
    await sleep(seconds * 1_000);
    const codes = await Promise.all(fleet.workers.map(async (worker) => failureOf(await worker.readyz())));
    checks.check(
      `${name}: every /readyz contains the reason ${code}`,
      codes.every((one) => one === code),
      codes.join(', '),
    );
    const logged = fleet.workers.filter((worker) => worker.log().some((line) => line['code'] === code));
    checks.check(
      `${name}: every log contains the reason`,
      logged.length === fleet.workers.length,
      `${logged.length} of ${fleet.workers.length}`,
    );
    checks.progress(`end of: ${name}`);
    await end();
    const settled = load.settled();
    const ready = Math.max(...(await Promise.all(fleet.workers.map((worker) => worker.untilReady()))));
    checks.inTime(`${name}: time until every process is ready again`, READY_SECONDS, ready);
    const recovery = await settled;
    checks.figure(
      `| ${name} | ${last.toFixed(1)} s | ${code} | ${ready.toFixed(1)} s | ${recovery.toFixed(1)} s |`,
    );
    await expectPolls(checks, name, fleet, load);
  }
  await load.stop();
  const report = await fleet.report();
  checks.nothingFailed(report);
  checks.none('activity ran again', report.rerun);
  checks.figure(
    `${report.completed} workflows completed; ${report.taskFailures} workflow tasks failed or timed out, ${report.clientErrors} client calls failed and were retried.`,
  );
}

const connectTo = (port: number) => new KeyManagementServiceClient(emulatorOptions(`127.0.0.1:${port}`));

const failureOf = (answer: Readiness | undefined): string | undefined =>
  answer?.kmsFailure ?? answer?.trouble;

/** Waits until the process encrypts under a version. @returns the duration in seconds */
async function untilVersion(worker: FleetWorker, keyVersion: number, limitSeconds: number): Promise<number> {
  const begin = performance.now();
  for (;;) {
    const seconds = (performance.now() - begin) / 1_000;
    const isUsed = worker
      .log()
      .some((line) => line.message === 'New key in use' && line['keyVersion'] === keyVersion);
    if (isUsed || seconds > limitSeconds) return seconds;
    await sleep(100);
  }
}

const { TaskQueueType } = proto.temporal.api.enums.v1;
const queueTypes = {
  workflows: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
  activities: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
};
/** The time in which every process must poll. Under load, Temporal answers a poll much sooner. */
const POLLED_MS = 15_000;

/**
 * Checks with Temporal's list of pollers that every process takes tasks, because `/readyz` alone does not
 * prove it.
 */
async function expectPolls(checks: Checks, after: string, fleet: Fleet, load: Load): Promise<void> {
  const { client, taskQueue, workers } = fleet;
  await load.rate(5_000);
  const idle: string[] = [];
  for (const { role, name, pid } of workers) {
    const { pollers } = await client.workflowService.describeTaskQueue({
      namespace: NAMESPACE,
      taskQueue: { name: taskQueue },
      taskQueueType: queueTypes[role],
    });
    const own = pollers.filter(({ identity }) => identity?.startsWith(`${pid}@`));
    const ages = own.map(({ lastAccessTime }) => Date.now() - Number(lastAccessTime?.seconds) * 1_000);
    if (!(Math.min(...ages) < POLLED_MS)) idle.push(name);
  }
  checks.check(
    `every ready process takes tasks (after: ${after})`,
    idle.length === 0,
    idle.join(', ') || '0',
  );
}
