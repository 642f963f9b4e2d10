import { KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { encodingOf, payloadsIn } from '@temporal-kms/testing/history';
import type { PayloadCodec } from '@temporalio/common';
import type { Client, Connection, WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forFile } from '../support/for-file.ts';
import { history, NAMESPACE, plaintexts, postTo, runOf } from '../support/temporal.ts';
import { resultFor } from './support/activities.ts';
import { SAMPLE_KEY, SampleCodec } from './support/codecs.ts';
import {
  type Move,
  type Running,
  startMove,
  startMoveTemporal,
  startOrder,
  taskQueue,
  workflowCode,
} from './support/move.ts';
import { encodingsIn } from './support/stored.ts';
import * as workflows from './support/workflows.ts';

/*
 * Tests the moves in docs/moving.md from codecs inside the programs. Workers with the old codec start orders,
 * and are replaced step by step while the orders run.
 */

const temporal = forFile(await startMoveTemporal());

const V2 = 'binary/envelope-kms-v2';
const unknown = new SampleCodec('binary/of-an-application');

interface Origin {
  readonly from: string;
  readonly keysFile: string;
  readonly files?: Record<string, string>;
  readonly old: readonly PayloadCodec[];
  /** Encoding of the old programs' payloads. */
  readonly encoding: string;
  readonly readAlso?: readonly PayloadCodec[];
  /** The reason code that the codec server reports for the old payloads. */
  readonly reason: string | undefined;
  /** Whether the codec server decrypts the old payloads. */
  readonly isShown: boolean;
}

const origins: readonly Origin[] = [
  {
    from: 'no codec',
    keysFile: 'from-no-codec.yaml',
    old: [],
    encoding: 'json/plain',
    reason: 'not_encrypted',
    isShown: true,
  },
  {
    from: "the samples' codec",
    keysFile: 'from-samples.yaml',
    files: { 'samples.key': Buffer.from(SAMPLE_KEY).toString('hex') },
    old: [new SampleCodec()],
    encoding: 'binary/encrypted',
    reason: undefined,
    isShown: true,
  },
  {
    from: 'a codec that the library cannot read',
    keysFile: 'from-no-codec.yaml',
    old: [unknown],
    encoding: 'binary/of-an-application',
    readAlso: [unknown],
    reason: 'not_encrypted',
    isShown: false,
  },
];

describe.each(origins)(
  'a move from $from',
  ({ from, keysFile, files, old, encoding, readAlso, reason, isShown }) => {
    let move: Move;
    const clients: Record<string, Client> = {};
    const running: Record<string, Running> = {};
    const orders: WorkflowHandle<typeof workflows.order>[] = [];
    let movedAt = 0;
    const customer = (n: number) => `customer ${n} from ${from}`;
    const oldConverter = { payloadCodecs: [...old] };
    const decodeOnly = () => ({
      dataConverter: oldConverter,
      plugins: [new KmsCodecPlugin(move.codec(), { decodeOnly: true })],
    });
    // An application may keep the old codec in its data converter.
    const encrypting = () => ({
      ...(readAlso && { dataConverter: oldConverter }),
      plugins: [new KmsCodecPlugin(move.codec(), { readAlso })],
    });

    beforeAll(async () => {
      move = await startMove({ keysFile, ...(files && { files }) }, temporal);
      clients['old'] = await move.client({ dataConverter: oldConverter });
      running['old'] = await move.worker({
        generation: 'before',
        encrypts: false,
        dataConverter: oldConverter,
      });
      orders.push(await startOrder(clients['old'], customer(0)));
    });
    afterAll(() => move.close());

    const encodings = async ({ workflowId }: WorkflowHandle, after?: number): Promise<Set<string>> =>
      encodingsIn(await move.stored(workflowId), after);

    it('stores nothing in the new format while a program without the plugin may still be running', async () => {
      running['readers'] = await move.worker({ generation: 'before', encrypts: false, ...decodeOnly() });
      clients['readers'] = await move.client(decodeOnly());
      orders.push(await startOrder(clients['old']!, customer(1)));
      await running['old']!.stop();
      orders.push(await startOrder(clients['readers'], customer(2)));
      for (const order of orders) expect(await encodings(order)).toEqual(new Set([encoding]));
      for (const [n, order] of orders.entries()) {
        const asOld = clients['old']!.workflow.getHandle(order.workflowId);
        expect(await asOld.query(workflows.notes)).toEqual([`first note of ${customer(n)}`]);
      }
    });

    it('lets workflows in progress continue on workers that only decode and on workers that encrypt', async () => {
      running['writers'] = await move.worker({ generation: 'before', encrypts: true, ...encrypting() });
      clients['writers'] = await move.client(encrypting());
      const order = await startOrder(clients['writers'], customer(3));
      orders.push(order);
      expect(await encodings(order)).toContain(V2);
      for (const [n, { workflowId }] of orders.entries()) {
        for (const name of ['readers', 'writers']) {
          const handle = clients[name]!.workflow.getHandle(workflowId);
          for (let query = 0; query < 4; query += 1) {
            expect(await handle.query(workflows.notes)).toEqual([`first note of ${customer(n)}`]);
          }
        }
      }
    });

    it('lets running workflows complete with all their earlier data', async () => {
      await Promise.all([running['readers']!.stop(), running['writers']!.stop()]);
      movedAt = Date.now();
      running['moved'] = await move.worker({ generation: 'after', encrypts: true, ...encrypting() });
      for (const [n, { workflowId }] of orders.entries()) {
        const handle = clients['writers']!.workflow.getHandle<typeof workflows.order>(workflowId);
        await handle.signal(workflows.addNote, `second note of ${customer(n)}`);
        expect(await handle.result()).toEqual(resultFor(customer(n)));
        const asReader = clients['readers']!.workflow.getHandle<typeof workflows.order>(workflowId);
        expect(await asReader.result()).toEqual(resultFor(customer(n)));
      }
    });

    it('stores only the new format once all workers encrypt', async () => {
      for (const order of orders) expect(await encodings(order, movedAt)).toEqual(new Set([V2]));
    });

    it('keeps histories readable in the codec server, which reports old formats', async () => {
      const [order] = orders;
      const run = await runOf(order!);
      const stubs = (await history(move.app, run)).flatMap(({ payloads }) => payloads);
      const ofOld = stubs.filter(
        (stub) => stub.encoding === encoding && !/^(details|searchAttributes)/.test(stub.path),
      );
      expect(ofOld.length).toBeGreaterThan(3);
      expect(new Set(ofOld.map((stub) => stub.reason))).toEqual(new Set([reason]));
      const texts = await plaintexts(move.app, run, stubs);
      expect([...texts.values()].filter((text) => text.startsWith('not readable'))).toEqual([]);
      const shown = ofOld.filter(({ ref }) => texts.get(ref)?.includes(customer(0)));
      expect(shown.length > 3).toBe(isShown);
      expect([...texts.values()].join('\n')).toContain(`second note of ${customer(0)}`);
    });

    it('keeps decoded exports replayable', async () => {
      const run = await runOf(orders[0]!);
      const exported: any = await (await postTo(move.app, run, 'history:export', { form: 'decoded' })).json();
      const dataConverter = { payloadCodecs: [...(readAlso ?? [])] };
      const workflowBundle = await workflowCode();
      await Worker.runReplayHistory({ workflowBundle, dataConverter }, exported, run.workflowId);
    });

    it('re-encodes a schedule’s arguments when the schedule is updated', async () => {
      const scheduleId = `reports from ${from}`;
      const input = async () => inputOf(temporal.connection, scheduleId);
      await clients['old']!.schedule.create({
        scheduleId,
        spec: {},
        action: { type: 'startWorkflow', workflowType: workflows.report, taskQueue, args: [from] },
      });
      expect(await input()).toEqual([encoding]);
      await clients['writers']!.schedule.getHandle(scheduleId).update((schedule) => schedule);
      expect(await input()).toEqual([V2]);
      const handle = clients['writers']!.schedule.getHandle(scheduleId);
      expect(await handle.describe()).toMatchObject({ action: { args: [from] } });
    });
  },
);

describe('a program without the plugin', () => {
  let move: Move;
  beforeAll(async () => {
    move = await startMove({ keysFile: 'from-no-codec.yaml' }, temporal);
  });
  afterAll(() => move.close());

  it('cannot continue a workflow whose payloads have the new format, but a program with the plugin then can', async () => {
    const plugins = [new KmsCodecPlugin(move.codec())];
    const old = await move.worker({ generation: 'before', encrypts: false });
    const client = await move.client({ plugins });
    const handle = await client.workflow.start(workflows.report, {
      taskQueue,
      workflowId: 'report',
      args: ['the shop'],
    });
    await expect
      .poll(async () => JSON.stringify(await move.stored('report')), { timeout: 30_000 })
      .toContain('Unknown encoding: binary/envelope-kms-v2');
    await old.stop();
    await move.worker({ generation: 'after', encrypts: true, plugins });
    expect(await handle.result()).toBe('report of the shop');
  });
});

/** Returns the encodings of the arguments that Temporal stores with a schedule. */
async function inputOf({ workflowService }: Connection, scheduleId: string): Promise<string[]> {
  const { schedule } = await workflowService.describeSchedule({ namespace: NAMESPACE, scheduleId });
  return payloadsIn(schedule?.action?.startWorkflow?.input).map(encodingOf);
}
