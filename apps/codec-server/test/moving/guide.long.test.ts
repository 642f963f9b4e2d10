import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { KmsCodecPlugin, loadKmsCodec } from '@temporal-kms/kms-codec';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { history, NAMESPACE, plaintexts, runOf } from '../support/temporal.ts';
import { resultFor } from './support/activities.ts';
import { type Move, type Running, startMove, startOrder, taskQueue } from './support/move.ts';
import { encodingsIn } from './support/stored.ts';
import * as workflows from './support/workflows.ts';

/*
 * Tests the move in docs/moving.md from the Python codecs of Google's guide. The workers remain in Python,
 * and the clients are in TypeScript.
 */

const root = join(import.meta.dirname, '../../../..');
const project = join(root, 'interop/python');
const guideKey = 'projects/acme/locations/us-east1/keyRings/temporal-keys/cryptoKeys/workflow-encryption';
const V2 = 'binary/envelope-kms-v2';

const formats = [
  { format: 'direct', encoding: 'binary/gcp-kms' },
  { format: 'envelope', encoding: 'binary/envelope-kms' },
];

describe.each(formats)("a move from the guide's codec that writes $encoding", ({ format, encoding }) => {
  let python: string;
  let move: Move;
  const orders: WorkflowHandle<typeof workflows.order>[] = [];
  const customer = (n: number) => `customer ${n} of ${format}`;

  beforeAll(async () => {
    const venv = [join(project, 'ensure_venv.py'), join(root, '.dev/interop-python')];
    python = (await execa('python3', venv)).stdout.trim();
    move = await startMove({
      keysFile: 'from-the-guide.yaml',
      replace: (file) => file.replace('reads: [envelope-v2, direct]', `reads: [envelope-v2, ${format}]`),
    });
  }, 600_000);
  afterAll(() => move?.close());

  async function worker(step: 'before' | 'readers' | 'writers', ...more: string[]): Promise<Running> {
    const temporal = ['--temporal', move.address, '--namespace', NAMESPACE, '--task-queue', taskQueue];
    const kms = ['--emulator', move.emulator.address, '--key', guideKey, '--format', format];
    const args = ['-m', 'temporal_kms_peers.moving_worker', '--step', step, ...kms, ...temporal, ...more];
    const env = {
      ...process.env,
      ...move.variables,
      TEMPORAL_NAMESPACE: NAMESPACE,
      PYTHONPATH: join(project, 'src'),
    };
    const child = spawn(python, args, { cwd: project, env, stdio: ['pipe', 'pipe', 'pipe'] });
    await untilReady(child);
    const running = {
      stop: async () => {
        if (child.exitCode !== null) return;
        const ended = once(child, 'close');
        child.stdin.end();
        await ended;
      },
    };
    move.closers.defer(running.stop);
    return running;
  }

  /** Returns a client for a step of the move. The client writes the guide's format or the new format. */
  const clientOf = (variables: Record<string, string>): Promise<Client> => {
    const codec = loadKmsCodec({ env: { ...move.variables, ...variables }, namespace: NAMESPACE });
    return move.client({ plugins: [new KmsCodecPlugin(move.closers.use(codec))] });
  };

  it('lets running workflows complete, and keeps their payloads readable', async () => {
    const earlier = await clientOf({ KMS_FORMAT: format });
    const before = await worker('before');
    orders.push(await startOrder(earlier, customer(0)));
    const readers = await worker('readers');
    orders.push(await startOrder(earlier, customer(1)));
    await before.stop();
    orders.push(await startOrder(earlier, customer(2)));
    for (const order of orders)
      expect(encodingsIn(await move.stored(order.workflowId))).toEqual(new Set([encoding]));

    const writers = await worker('writers');
    const moved = await clientOf({});
    orders.push(await startOrder(moved, customer(3)));
    await Promise.all([readers.stop(), writers.stop()]);
    await worker('writers', '--moved');
    for (const [n, { workflowId }] of orders.entries()) {
      const handle = moved.workflow.getHandle<typeof workflows.order>(workflowId);
      await handle.signal(workflows.addNote, `second note of ${customer(n)}`);
      expect(await handle.result()).toEqual(resultFor(customer(n)));
      const found = encodingsIn(await move.stored(workflowId));
      expect([...found].filter((one) => one !== encoding && one !== V2)).toEqual([]);
      expect(found).toContain(V2);
    }

    const run = await runOf(orders[0]!);
    const stubs = (await history(move.app, run)).flatMap(({ payloads }) => payloads);
    expect(stubs.filter(({ reason }) => reason !== undefined)).toEqual([]);
    const texts = [...(await plaintexts(move.app, run, stubs)).values()].join('\n');
    expect(texts).not.toContain('not readable');
    for (const part of [customer(0), 'first note', 'second note']) expect(texts).toContain(part);
  }, 120_000);
});

async function untilReady(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<void> {
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  child.stdin.on('error', () => undefined);
  const ready = once(child.stdout, 'data').then(() => true);
  const ended = once(child, 'close').then(() => false);
  if (!(await Promise.race([ready, ended]))) throw new Error(`The Python worker has ended: ${errors}`);
}
