import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type WorkflowSearchFrame, workflowSearchFrame } from '@temporal-kms/codec-api';
import { Client, Connection } from '@temporalio/client';
import { NAMESPACE } from './support/bundle.ts';
import { startStack } from './support/stack.ts';

/* Measures one search for a text in the payloads of many small runs, half of them open. */

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '200' },
    repeats: { type: 'string', default: '7' },
    bundle: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/search-runs.bench.ts [--runs 200] [--repeats 7] [--bundle main.mjs]\n' +
      'Measures a search in the payloads of small runs: with empty caches, and repeated.\n' +
      '--bundle measures a bundle that was built before, to compare two versions.',
  );
  process.exit(0);
}

const runs = Number(values.runs);
const repeats = Number(values.repeats);
const TEXT = 'Mira Lindqvist';
const stack = await startStack(values.bundle);
const { temporal, server, codec } = stack;
try {
  await makeRuns();
  // Temporal's visibility store is updated after the runs have started and ended.
  while ((await countOf('')) < runs || (await countOf('ExecutionStatus = "Running"')) > runs / 2)
    await sleep(500);
  console.log('| search | runs | with hits | payloads | Cloud KMS calls | first hit ms | complete ms |');
  console.log('|---|---|---|---|---|---|---|');
  const measured = [];
  for (let n = 0; n <= repeats; n += 1) measured.push(await search(TEXT, ''));
  const [first, ...rest] = measured;
  if (first === undefined) throw new Error('Nothing was measured.');
  print('first', first);
  const sorted = rest.toSorted((a, b) => a.ms - b.ms);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle !== undefined) print(`repeated, median of ${rest.length}`, middle);
} finally {
  await stack.close();
}

interface Searched {
  readonly ms: number;
  readonly firstHitMs: number;
  readonly found: number;
  readonly end: Extract<WorkflowSearchFrame, { type: 'end' }>;
}

function print(name: string, { ms, firstHitMs, found, end }: Searched): void {
  console.log(
    `| ${name} | ${end.runs} | ${found} | ${end.payloads} | ${end.kmsCalls} | ${firstHitMs.toFixed(0)} | ${ms.toFixed(0)} |`,
  );
}

/** Starts runs with an input and two signals. One in ten contains the text, and every second one is closed. */
async function makeRuns(): Promise<void> {
  const connection = await Connection.connect({ address: temporal.address });
  const dataConverter = { payloadCodecs: [codec] };
  const client = new Client({ connection, namespace: NAMESPACE, dataConverter });
  const start = async (n: number): Promise<void> => {
    const customer = n % 10 === 0 ? TEXT : 'another customer';
    const handle = await client.workflow.start('small', {
      taskQueue: 'no-worker',
      workflowId: `small-${n}`,
      args: [{ order: n, customer: { name: customer, address: { city: 'Berlin' } } }],
    });
    for (const signal of ['paid', 'packed']) await handle.signal(signal, { order: n, at: Date.now() });
    if (n % 2 === 0) await handle.terminate();
  };
  for (let n = 0; n < runs; n += 20) {
    await Promise.all(Array.from({ length: Math.min(20, runs - n) }, (_, index) => start(n + index)));
  }
  await connection.close();
}

async function countOf(query: string): Promise<number> {
  const parameters = new URLSearchParams({ query }).toString();
  const address = `${server.url}/api/namespaces/${NAMESPACE}/workflows:count?${parameters}`;
  const { total }: { total: number } = JSON.parse(await (await fetch(address)).text());
  return total;
}

async function search(text: string, query: string): Promise<Searched> {
  const begun = performance.now();
  const response = await fetch(`${server.url}/api/namespaces/${NAMESPACE}/workflows:search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text, query }),
  });
  let firstHitMs = Number.NaN;
  let received = '';
  for await (const chunk of (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    received += chunk;
    if (Number.isNaN(firstHitMs) && received.includes('"type":"hit"')) firstHitMs = performance.now() - begun;
  }
  const ms = performance.now() - begun;
  const frames = received
    .trimEnd()
    .split('\n')
    .map((line) => workflowSearchFrame.parse(JSON.parse(line)));
  const end = frames.at(-1);
  if (end?.type !== 'end' || end.reason !== 'complete')
    throw new Error(`The search ended with ${received.slice(-500)}`);
  return { ms, firstHitMs, found: frames.filter(({ type }) => type === 'run').length, end };
}
