import { Client, Connection } from '@temporalio/client';
import type { PayloadCodec } from '@temporalio/common';
import { NAMESPACE } from './bundle.ts';

export interface LargeRun {
  readonly workflowId: string;
  readonly runId: string;
}

/** Just below Temporal's limit for one payload, 2 MB encrypted. */
const PAYLOAD_BYTES = 1_900_000;

/** Values that stress different parts of a JSON scanner: many values, keys, escapes, one string, numbers, records. */
const makers: readonly (() => unknown)[] = [
  () => fill((n) => n % 10),
  () => Object.fromEntries(fill((n) => [`key-${n}`, n] as const, 21)),
  () => '\\"'.repeat(PAYLOAD_BYTES / 4),
  () => 'lorem ipsum dolor sit amet '.repeat(PAYLOAD_BYTES / 27),
  () => fill((n) => n * 1.000_000_1e7 + 0.5, 20),
  () => fill((n) => ({ id: n, name: `customer ${n}`, tags: ['a', 'b'], address: { city: 'Berlin' } }), 90),
];

const fill = <T>(make: (n: number) => T, bytes = 2): T[] =>
  Array.from({ length: Math.floor(PAYLOAD_BYTES / bytes) }, (_, n) => make(n));

/** Starts runs whose histories contain `payloads` encrypted payloads of 1.9 MB each. Temporal terminates a run at 50 MB. */
export async function makeLargeRuns(
  address: string,
  codec: PayloadCodec,
  count: number,
  payloads: number,
): Promise<readonly LargeRun[]> {
  const connection = await Connection.connect({ address });
  const dataConverter = { payloadCodecs: [codec] };
  const client = new Client({ connection, namespace: NAMESPACE, dataConverter });
  const runs: LargeRun[] = [];
  for (let run = 0; run < count; run += 1) {
    const workflowId = `large-${run}`;
    const handle = await client.workflow.start('large', { taskQueue: 'no-worker', workflowId });
    for (let n = 0; n < payloads; n += 1) await handle.signal('more', makers[n % makers.length]?.());
    const { runId } = await handle.describe();
    runs.push({ workflowId, runId });
  }
  await connection.close();
  return runs;
}
