import { createCipheriv } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { NAMESPACE } from './support/bundle.ts';
import { encryptedBody, measureProbes, otherCaller, rowsOf, TABLE_HEAD } from './support/probes.ts';
import { type Load, startReaders } from './support/readers.ts';
import { startStack } from './support/stack.ts';

/*
 * Checks that callers with large plaintexts do not delay another caller's small requests. Readers send
 * requests with plaintexts of 5.5 to 12 MB to each route that encrypts or decrypts, while the other caller
 * sends /healthz and small decodes at a fixed rate.
 */

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    readers: { type: 'string', default: '4' },
    limit: { type: 'string', default: '100' },
    load: { type: 'string', multiple: true },
    bundle: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/streams.bench.ts [--seconds 10] [--readers 4] [--limit 100] [--load NAME] [--bundle main.mjs]\n' +
      'Measures the latency of /healthz and of small decodes while readers stream plaintexts of up to 12 MB through each route.\n' +
      'Fails if the 99th percentile exceeds the limit, in ms. --load limits the run to loads whose names contain NAME.',
  );
  process.exit(0);
}

const PLAINTEXT_BYTES = 12_000_000;
const seconds = Number(values.seconds);
const limit = Number(values.limit);
const stack = await startStack(values.bundle);
const { temporal, server, codec } = stack;
try {
  const loads = await makeLoads();
  const probes = await otherCaller(server.url, codec);
  // Warms up: the first requests open connections, and V8 compiles the code that handles requests.
  await measureProbes(probes, 2);
  console.log(TABLE_HEAD);
  console.log(rowsOf('none', await measureProbes(probes, 5)));
  const tooSlow: string[] = [];
  const work: string[] = [];
  for (const [name, load] of Object.entries(loads)) {
    if (values.load && !values.load.some((wanted) => name.includes(wanted))) continue;
    const endReaders = startReaders(load, Number(values.readers));
    const results = await measureProbes(probes, seconds);
    const { responses, bytes, failed } = await endReaders();
    console.log(rowsOf(name, results));
    work.push(`${name}: ${responses} responses, ${(bytes / 1e6).toFixed(0)} MB`);
    for (const { name: probe, p99, failed: lost } of results) {
      if (!(p99 <= limit)) tooSlow.push(`${name}: the 99th percentile of ${probe} is ${p99.toFixed(0)} ms`);
      if (lost > 0) tooSlow.push(`${name}: ${lost} of ${probe} failed`);
    }
    if (responses === 0 || failed.length > 0)
      tooSlow.push(`${name}: ${responses} responses, ${failed.length} failed: ${failed[0]}`);
  }
  const { peak } = await server.memory();
  console.log(`\n${work.join('\n')}\nResident memory of the server: ${peak.toFixed(0)} MiB at most`);
  if (tooSlow.length > 0) {
    console.error(`\nAbove the limit of ${limit} ms, or failed:\n${tooSlow.join('\n')}`);
    process.exitCode = 1;
  }
} finally {
  await stack.close();
}

/** Returns bytes that do not compress. */
function random(bytes: number): Buffer {
  return createCipheriv('aes-256-ctr', Buffer.alloc(32), Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

/**
 * Returns the readers' requests. Each request encrypts, decrypts or searches a plaintext of 5.5 to 12 MB.
 */
async function makeLoads(): Promise<Readonly<Record<string, Load>>> {
  const api = `${server.url}/api/namespaces/${NAMESPACE}`;
  const ndjson = Buffer.from(`{"text":${JSON.stringify('"line"\n\t\\'.repeat(PLAINTEXT_BYTES / 12))}}`);
  const connection = await Connection.connect({ address: temporal.address });
  const dataConverter = { payloadCodecs: [codec] };
  const client = new Client({ connection, namespace: NAMESPACE, dataConverter });
  const handle = await client.workflow.start('large', {
    taskQueue: 'no-worker',
    workflowId: 'large',
    args: [],
  });
  // Some characters of this text are escaped in JSON, so that the text and its JSON consist of different
  // bytes.
  await handle.signal('more', '"line"\n\t\\ü'.repeat(PLAINTEXT_BYTES / 16));
  const { runId } = await handle.describe();
  const raw = await handle.fetchHistory();
  await connection.close();
  const signal = raw.events?.find(({ workflowExecutionSignaledEventAttributes: of }) => of);
  const [stored] = signal?.workflowExecutionSignaledEventAttributes?.input?.payloads ?? [];
  if (signal === undefined || !stored) throw new Error('The history has no signal.');
  const fileWith = ({ metadata, data }: typeof stored) => ({
    encoding: 'json',
    workflowId: 'large',
    events: [
      JSON.stringify({
        eventId: String(signal.eventId),
        eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED',
        workflowExecutionSignaledEventAttributes: {
          signalName: 'more',
          input: {
            payloads: [
              {
                metadata: { encoding: Buffer.from(metadata?.['encoding'] ?? []).toString('base64') },
                data: Buffer.from(data ?? []).toString('base64'),
              },
            ],
          },
        },
      }),
    ],
  });
  const file = fileWith(stored);
  const refs = [`${String(signal.eventId)}:0`];
  const run = `${api}/workflows/large/runs/${runId}`;
  const [uncompressed] = await codec.encode([{ metadata: {}, data: random(5_500_000) }], {
    namespace: NAMESPACE,
  });
  if (uncompressed === undefined) throw new Error('The codec returned no payload.');
  return {
    'history-files:decode': { url: `${api}/history-files:decode`, body: JSON.stringify({ ...file, refs }) },
    'history-files:search': {
      url: `${api}/history-files:search`,
      body: JSON.stringify({ ...file, text: 'no such text' }),
    },
    'history-files:decode, 5.5 MB not compressed': {
      url: `${api}/history-files:decode`,
      body: JSON.stringify({ ...fileWith(uncompressed), refs }),
    },
    'payloads:decode': { url: `${run}/payloads:decode`, body: JSON.stringify({ refs }) },
    'history:search': { url: `${run}/history:search`, body: JSON.stringify({ text: 'no such text' }) },
    'history:export, decoded': { url: `${run}/history:export`, body: JSON.stringify({ form: 'decoded' }) },
    'history:export, readable': { url: `${run}/history:export`, body: JSON.stringify({ form: 'readable' }) },
    '/decode, compressed': { url: `${server.url}/decode`, body: await encryptedBody(codec, ndjson) },
    '/decode, 11 MB not compressed': {
      url: `${server.url}/decode`,
      body: await encryptedBody(codec, random(11_000_000)),
    },
    '/encode, 12 MB': {
      url: `${server.url}/encode`,
      body: JSON.stringify({
        payloads: [{ metadata: {}, data: Buffer.alloc(PLAINTEXT_BYTES, 'x').toString('base64') }],
      }),
    },
  };
}
