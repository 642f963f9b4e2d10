import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type ReasonCounts, searchFrame } from '@temporal-kms/codec-api';
import { NAMESPACE } from './support/bundle.ts';
import { type LargeRun, makeLargeRuns } from './support/large-history.ts';
import {
  measureProbes,
  otherCaller,
  protocolHeaders as headers,
  repeat,
  rowsOf,
  TABLE_HEAD,
} from './support/probes.ts';
import { startStack } from './support/stack.ts';

/*
 * Measures whether the server stays responsive while clients search and export large histories. It sends /healthz and small
 * decodes at a fixed rate, without waiting for earlier requests, so that every request during a stall counts.
 */

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    searches: { type: 'string', default: '4' },
    exports: { type: 'string', default: '1' },
    payloads: { type: 'string', default: '24' },
    bundle: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/search.bench.ts [--seconds 20] [--searches 4] [--exports 1] [--payloads 24] [--bundle main.mjs]\n' +
      'Measures the latency of /healthz and of small decodes, with and without clients that search and export histories\n' +
      'of 1.9 MB payloads. --bundle measures a bundle that was built before, to compare two versions.',
  );
  process.exit(0);
}

const seconds = Number(values.seconds);
const searches = Number(values.searches);
const exports = Number(values.exports);
const stack = await startStack(values.bundle);
const { temporal, server, codec } = stack;
try {
  const runs = await makeLargeRuns(temporal.address, codec, searches + exports, Number(values.payloads));
  const probes = await otherCaller(server.url, codec);

  // Warm-up: the server learns how large the pages of each run may be.
  for (const run of runs) await (await get(run)).body?.pipeTo(new WritableStream());

  console.log(TABLE_HEAD);
  console.log(rowsOf('none', await measureProbes(probes, 5)));
  const load = new AbortController();
  const done = { searches: 0, exports: 0, bytes: 0, payloads: 0, failed: 0 };
  const unreadable: ReasonCounts = {};
  const failed = (): void => {
    done.failed += 1;
  };
  const clients = [
    ...runs.slice(0, searches).map((run) => repeat(load.signal, () => search(run), failed)),
    ...runs.slice(searches).map((run) => repeat(load.signal, () => exportRun(run), failed)),
  ];
  const results = await measureProbes(probes, seconds);
  console.log(rowsOf(`${searches} searches, ${exports} exports`, results));
  load.abort();
  await Promise.all(clients);
  const { now, peak } = await server.memory();
  console.log(
    `\nIn ${seconds} s: ${done.searches} searches completed, ${done.payloads} payloads of 1.9 MB searched, ` +
      `${done.exports} exports completed, ${(done.bytes / 1e6).toFixed(0)} MB exported, ${done.failed} requests failed.\n` +
      `Unreadable payloads by reason: ${JSON.stringify(unreadable)}\n` +
      `Warnings and errors in the server's log: ${await warnings()}\n` +
      `Resident memory of the server: ${now.toFixed(0)} MiB at the end, ${peak.toFixed(0)} MiB at most`,
  );

  async function search(run: LargeRun): Promise<void> {
    const text = await postText(run, 'search', { text: 'no such text' });
    const last = text.trimEnd().split('\n').at(-1);
    const end = last === undefined ? undefined : searchFrame.safeParse(JSON.parse(last)).data;
    if (end === undefined || end.type === 'hit')
      throw new Error(`A search did not finish; its last line is ${last}`);
    done.searches += 1;
    done.payloads += end.payloads;
    for (const [reason, count] of Object.entries(end.unreadable))
      Object.assign(unreadable, { [reason]: count + (Reflect.get(unreadable, reason) ?? 0) });
  }

  async function exportRun(run: LargeRun): Promise<void> {
    const response = await post(run, 'export', { form: 'readable' });
    for await (const chunk of response.body ?? []) done.bytes += chunk.length;
    done.exports += 1;
  }

  function get({ workflowId, runId }: LargeRun): Promise<Response> {
    return fetch(`${server.url}/api/namespaces/${NAMESPACE}/workflows/${workflowId}/runs/${runId}/history`);
  }

  async function postText(run: LargeRun, operation: string, body: object): Promise<string> {
    return (await post(run, operation, body)).text();
  }

  function post({ workflowId, runId }: LargeRun, operation: string, body: object): Promise<Response> {
    const path = `/api/namespaces/${NAMESPACE}/workflows/${workflowId}/runs/${runId}/history:${operation}`;
    return fetch(`${server.url}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
      signal: load.signal,
    });
  }
} finally {
  await stack.close();
}

async function warnings(): Promise<string> {
  const log = await readFile(server.output, 'utf8');
  const counts = new Map<string, number>();
  for (const [, severity, message] of log.matchAll(/"severity":"(\w+)".*"message":"([^"]*)"/g)) {
    if (severity === 'INFO') continue;
    counts.set(`${severity} ${message}`, (counts.get(`${severity} ${message}`) ?? 0) + 1);
  }
  return JSON.stringify(Object.fromEntries(counts));
}
