import { randomBytes } from 'node:crypto';
import { KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { encodingOf, payloadsIn } from '@temporal-kms/testing/history';
import type { WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { expect, it } from 'vitest';
import { forFile } from '../support/for-file.ts';
import { eventually, history, NAMESPACE, plaintexts, postTo, runOf } from '../support/temporal.ts';
import { resultFor } from './support/activities.ts';
import { type Running, startMove, startOrder, workflowCode } from './support/move.ts';
import { startSealingProxy } from './support/sealing-proxy.ts';
import { encodingsIn } from './support/stored.ts';
import * as workflows from './support/workflows.ts';

/* Tests the move in docs/moving.md from temporal-proxy, which also encrypts Core's markers. */

const V2 = 'binary/envelope-kms-v2';
const SEALED = 'binary/encrypted';
/** The error if Core cannot read the marker of a local activity. */
const UNPARSABLE = /Local activity marker was unparsable/;
const cryptoKey = 'projects/acme/locations/us-east1/keyRings/temporal-keys/cryptoKeys/proxy';
const customer = (n: number) => `customer ${n} behind a proxy`;

const orders: WorkflowHandle<typeof workflows.order>[] = [];
const plugins = () => [new KmsCodecPlugin(move.codec())];
const stop = async (worker: Running, next: Promise<Running>): Promise<Running> => {
  const started = await next;
  await worker.stop();
  return started;
};

const move = forFile(await startMove({ keysFile: 'from-proxy.yaml' }));
const dataKey = randomBytes(32);
const { keyService } = move.codec();
const { ciphertext } = await keyService.wrap({ key: cryptoKey, plaintext: dataKey, aad: Buffer.alloc(0) });
const proxy = await startSealingProxy(move.address, {
  url: `gcpkms://${cryptoKey}`,
  dataKey,
  wrapped: ciphertext,
});
move.closers.use(proxy);
const plain = await move.client({}, proxy.address);
const moved = await move.client({ plugins: plugins() }, proxy.address);

/** Returns the encodings of payloads in a stored history's markers, by the name of the marker. */
async function markers(handle: WorkflowHandle): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const { markerRecordedEventAttributes: marker } of await move.stored(handle.workflowId)) {
    if (!marker) continue;
    (found[marker.markerName ?? ''] ??= []).push(payloadsIn(marker.details).map(encodingOf).join(' '));
  }
  return found;
}

const behindProxy = (more: object = {}) => ({ address: proxy.address, ...more });

it('starts workflows behind the proxy, which encrypts their markers', async () => {
  const worker = await move.worker({ generation: 'before', encrypts: false, ...behindProxy() });
  for (const n of [0, 1]) orders.push(await startOrder(plain, customer(n)));
  await worker.stop();
  expect(await markers(orders[0]!)).toEqual({
    core_patch: [SEALED],
    core_local_activity: [`${SEALED} ${SEALED}`],
  });
});

it('fails workflow tasks if the markers are encrypted and the worker connects directly to Temporal', async () => {
  const [order] = orders;
  const direct = await move.worker({ generation: 'before', encrypts: true, plugins: plugins() });
  const client = await move.client({ plugins: plugins() });
  await client.workflow
    .getHandle(order!.workflowId)
    .signal(workflows.addNote, `second note of ${customer(0)}`);
  await eventually(async () => {
    const events = await move.stored(order!.workflowId);
    const failures = events.flatMap(({ workflowTaskFailedEventAttributes: failed }) => failed?.failure ?? []);
    expect(failures.map(({ message }) => message).join('\n')).toMatch(UNPARSABLE);
  });
  await direct.stop();
});

it('lets all programs behind the proxy read the new format before the first program encrypts', async () => {
  const plugin = new KmsCodecPlugin(move.codec(), { decodeOnly: true });
  let worker = await move.worker({
    generation: 'before',
    encrypts: false,
    ...behindProxy({ plugins: [plugin] }),
  });
  worker = await stop(
    worker,
    move.worker({ generation: 'before', encrypts: true, ...behindProxy({ plugins: plugins() }) }),
  );
  orders.push(await startOrder(moved, customer(2)));
  await worker.stop();
  expect(encodingsIn(await move.stored(orders[2]!.workflowId))).toEqual(new Set([SEALED]));
  const run = await runOf(orders[2]!);
  const stubs = (await history(move.app, run)).flatMap((event) => event.payloads);
  expect(new Set(stubs.map(({ reason }) => reason))).toEqual(new Set([undefined]));
  const texts = await plaintexts(move.app, run, stubs);
  expect([...texts.values()].join('\n')).toContain(customer(2));
});

it('lets all workflows complete behind the proxy after the proxy has stopped encrypting', async () => {
  await proxy.stopEncrypting();
  const switchedAt = Date.now();
  const worker = await move.worker({
    generation: 'after',
    encrypts: true,
    ...behindProxy({ plugins: plugins() }),
  });
  for (const [n, { workflowId }] of orders.entries()) {
    const handle = moved.workflow.getHandle<typeof workflows.order>(workflowId);
    if (n > 0) await handle.signal(workflows.addNote, `second note of ${customer(n)}`);
    expect(await handle.result()).toEqual(resultFor(customer(n)));
    expect((await markers(handle)).core_patch).toEqual([SEALED, 'json/plain']);
    expect(encodingsIn(await move.stored(workflowId), switchedAt)).toEqual(new Set([V2]));
  }
  await worker.stop();
});

it('lets a worker that connects directly continue workflows that started after the proxy stopped encrypting', async () => {
  const worker = await move.worker({
    generation: 'before',
    encrypts: true,
    ...behindProxy({ plugins: plugins() }),
  });
  const { workflowId } = await startOrder(moved, customer(3));
  await worker.stop();
  const direct = await move.worker({ generation: 'after', encrypts: true, plugins: plugins() });
  const client = await move.client({ plugins: plugins() });
  const order = client.workflow.getHandle<typeof workflows.order>(workflowId);
  await order.signal(workflows.addNote, `second note of ${customer(3)}`);
  expect(await order.result()).toEqual(resultFor(customer(3)));
  await direct.stop();
});

it('exports a history whose decoded form can be replayed, but whose encoded form cannot', async () => {
  const [order] = orders;
  const run = await runOf(order!);
  const exported = async (form: string): Promise<any> =>
    (await postTo(move.app, run, 'history:export', { form })).json();
  const workflowBundle = await workflowCode();
  const encrypting = [new KmsCodecPlugin(move.codec().forNamespace(NAMESPACE))];
  await Worker.runReplayHistory({ workflowBundle }, await exported('decoded'), run.workflowId);
  const encoded = Worker.runReplayHistory(
    { workflowBundle: await workflowCode(encrypting), plugins: encrypting },
    await exported('encoded'),
    run.workflowId,
  );
  await expect(encoded).rejects.toThrow(UNPARSABLE);
});
