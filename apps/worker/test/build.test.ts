import { glob, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rawText } from '@temporal-kms/testing/history';
import { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { catalogue } from '../src/starter/catalogue.ts';
import { createSampleClients, type SampleClients } from '../src/starter/clients.ts';
import { built, startApp, type App } from './support/app.ts';
import { readEverything } from './support/history.ts';
import { writeOwnCode } from './support/own-code.ts';
import { kmsSettings, kmsVariables, namespace, startTemporalAndKms, taskQueue } from './support/stack.ts';

let dir: string;
let services: Awaited<ReturnType<typeof startTemporalAndKms>>;
let clients: SampleClients;
let app: App;
let env: Record<string, string>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'worker-build-'));
  services = await startTemporalAndKms();
  const { address, connection, emulator } = services;
  clients = createSampleClients({ connection, namespace, kms: kmsSettings(emulator.address) });
  env = { ...kmsVariables(emulator.address), TEMPORAL_ADDRESS: address, TEMPORAL_TASK_QUEUE: taskQueue };
  app = startApp(env);
  await app.untilReady();
});
afterAll(async () => {
  await app?.kill();
  await clients?.close();
  await services?.close();
  await rm(dir, { recursive: true, force: true });
});

it('runs from the built folder, outside the repository', async () => {
  const order = await catalogue.courier.start(clients.get('envelope-v2'), {
    workflowId: 'courier',
    taskQueue,
    input: { intervalMs: 1, lastStop: 1 },
  });
  expect(await order.result()).toBe('Joanna Kowalska is home after 1 stops');
});

it('builds a folder that contains only this machine’s native library, and no compiler', async () => {
  const found: string[] = [];
  for await (const file of glob('**/*.node', { cwd: join(built, 'node_modules', '.pnpm') })) found.push(file);
  expect(found).toEqual([expect.stringMatching(/core-bridge\/releases\/[\w-]+\/index\.node$/)]);
});

it('uses the prebuilt workflow bundle, which encrypts failures', async () => {
  expect(app.messages()).not.toContain('Workflow bundle created');
  const checkout = await catalogue.checkout.start(clients.get('envelope-v2'), {
    workflowId: 'checkout',
    taskQueue,
    input: { customer: 'Prebuilt Customer' },
  });
  await expect(checkout.result()).rejects.toThrow(WorkflowFailedError);
  const failures = (await readEverything(services.connection, { executions: 4 })).filter(({ where }) =>
    where.endsWith('_FAILED'),
  );
  expect(failures).not.toHaveLength(0);
  for (const { value } of failures) {
    expect(rawText(value)).toContain('Encoded failure');
    expect(rawText(value)).not.toContain('Prebuilt Customer');
  }
});

it('runs the README’s workflows and activities from another folder, with encryption', async () => {
  const folder = join(dir, 'payments');
  await mkdir(folder);
  const code = await writeOwnCode(folder, built);
  const own = startApp({ ...env, TEMPORAL_TASK_QUEUE: 'payments', WORKER_CODE: code });
  onTestFinished(() => own.kill());
  await own.untilReady();
  const { workflow } = clients.get('envelope-v2');
  const purchase = (workflowId: string, customer: string) =>
    workflow.execute('purchase', { workflowId, taskQueue: 'payments', args: [customer] });
  expect(await purchase('purchase-1', 'Grace Hopper')).toBe('Receipt for Grace Hopper');
  const refused: unknown = await purchase('purchase-2', 'Mallory').catch((error: unknown) => error);
  expect(refused).toMatchObject({ cause: { cause: { message: 'The card of Mallory was refused' } } });
  const everything = await readEverything(services.connection, { executions: 6 });
  const stored = everything.map(({ value }) => rawText(value)).join('\n');
  expect(stored).toContain('Encoded failure');
  expect(stored).not.toMatch(/Grace Hopper|Mallory/);
});

it('refuses code whose plugin adds uncompiled workflows, because a built worker has no compiler', async () => {
  const code = join(dir, 'uncompiled.mjs');
  const plugin = '{ name: "mine", configureWorker: (given) => ({ ...given, workflowsPath: "/w.ts" }) }';
  await writeFile(code, `export default { plugins: [${plugin}] }`);
  const refused = startApp({ ...env, WORKER_CODE: code });
  onTestFinished(() => refused.kill());
  expect(await refused.ended).toBe(78);
  expect(refused.output()).toContain(
    'has a plugin that adds workflowsPath, but a built worker has no compiler',
  );
});
