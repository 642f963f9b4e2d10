import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type ReasonCounts, searchFrame } from '@temporal-kms/codec-api';
import { createKmsCodec, KeyRules } from '@temporal-kms/kms-codec';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { buildBundle, KEY, NAMESPACE, startBundle } from './support/bundle.ts';
import { type LargeRun, makeLargeRuns } from './support/large-history.ts';

/*
 * Whether a server answers others while large histories are searched and exported: /healthz and small decodes are
 * sent at a fixed rate, whatever became of those before, so that a stall is measured by all that wait in it.
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
      'Latency of /healthz and of small decodes, alone and while clients search and export histories of 1.9 MB payloads.\n' +
      '--bundle: a server that was built before, to compare two of them.',
  );
  process.exit(0);
}

const EVERY_MS = 50;
const seconds = Number(values.seconds);
const searches = Number(values.searches);
const exports = Number(values.exports);
const directory = await mkdtemp(join(tmpdir(), 'codec-server-bench-'));
const emulator = await startEmulator({ keys: [KEY] });
const temporal = await startTemporal({ namespaces: [NAMESPACE] });
const server = await startBundle(
  values.bundle ?? (await buildBundle(directory)),
  directory,
  {
    KMS_EMULATOR_HOST: emulator.address,
    TEMPORAL_ADDRESS: temporal.address,
    AUDIT_FILE: join(directory, 'audit.jsonl'),
  },
  { anyCore: true },
);
const codec = createKmsCodec({
  rules: new KeyRules({ [NAMESPACE]: { encrypt: KEY } }),
  emulatorHost: emulator.address,
  format: undefined,
  compression: undefined,
  bindWorkflow: false,
});
const headers = { 'content-type': 'application/json', 'x-namespace': NAMESPACE };
try {
  const runs = await makeLargeRuns(temporal.address, codec, searches + exports, Number(values.payloads));
  const [sealed] = await codec.encode([{ metadata: {}, data: Buffer.alloc(1_024, 'x') }], {
    namespace: NAMESPACE,
  });
  if (sealed === undefined) throw new Error('Nothing was encrypted.');
  const small = JSON.stringify({
    payloads: [
      {
        metadata: { encoding: Buffer.from(sealed.metadata?.['encoding'] ?? []).toString('base64') },
        data: Buffer.from(sealed.data ?? []).toString('base64'),
      },
    ],
  });
  const probes = {
    '/healthz': () => fetch(`${server.url}/healthz`),
    '/decode, 1 × 1 KiB': () => fetch(`${server.url}/decode`, { method: 'POST', headers, body: small }),
  };

  // The server learns how large the pages of each run may be.
  for (const run of runs) await (await get(run)).body?.pipeTo(new WritableStream());

  console.log('| load | request | answers | failed | ms p50 | p99 | max |\n|---|---|---|---|---|---|---|');
  await measure('none', probes, 5);
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
  await measure(`${searches} searches, ${exports} exports`, probes, seconds);
  load.abort();
  await Promise.all(clients);
  const { now, peak } = await server.memory();
  console.log(
    `\nIn ${seconds} s: ${done.searches} searches ended, ${done.payloads} payloads of 1.9 MB searched, ` +
      `${done.exports} exports ended, ${done.failed} of both failed, ${(done.bytes / 1e6).toFixed(0)} MB exported.\n` +
      `Unreadable payloads, by reason: ${JSON.stringify(unreadable)}\n` +
      `Warnings and errors in the server's log: ${await warnings()}\n` +
      `Memory of the server: ${now.toFixed(0)} MiB, at its highest ${peak.toFixed(0)} MiB`,
  );

  async function search(run: LargeRun): Promise<void> {
    const text = await stream(run, 'search', { text: 'no such text' });
    const last = text.trimEnd().split('\n').at(-1);
    const end = last === undefined ? undefined : searchFrame.safeParse(JSON.parse(last)).data;
    if (end === undefined || end.type === 'hit') throw new Error(`A search ended with: ${last}`);
    done.searches += 1;
    done.payloads += end.payloads;
    for (const [reason, count] of Object.entries(end.unreadable))
      Object.assign(unreadable, { [reason]: count + (Reflect.get(unreadable, reason) ?? 0) });
  }

  async function exportRun(run: LargeRun): Promise<void> {
    const answer = await post(run, 'export', { form: 'readable' });
    for await (const chunk of answer.body ?? []) done.bytes += chunk.length;
    done.exports += 1;
  }

  function get({ workflowId, runId }: LargeRun): Promise<Response> {
    return fetch(`${server.url}/api/namespaces/${NAMESPACE}/workflows/${workflowId}/runs/${runId}/history`);
  }

  async function stream(run: LargeRun, what: string, body: object): Promise<string> {
    return (await post(run, what, body)).text();
  }

  function post({ workflowId, runId }: LargeRun, what: string, body: object): Promise<Response> {
    const path = `/api/namespaces/${NAMESPACE}/workflows/${workflowId}/runs/${runId}/history:${what}`;
    return fetch(`${server.url}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
      signal: load.signal,
    });
  }
} finally {
  await server.stop();
  await codec.close();
  await temporal.close();
  await emulator.close();
  await rm(directory, { recursive: true });
}

async function repeat(signal: AbortSignal, act: () => Promise<void>, failed: () => void): Promise<void> {
  while (!signal.aborted) {
    try {
      await act();
    } catch {
      if (!signal.aborted) failed();
    }
  }
}

async function measure(
  load: string,
  probes: Readonly<Record<string, () => Promise<Response>>>,
  forSeconds: number,
): Promise<void> {
  const sent = new Map(Object.keys(probes).map((name) => [name, { ms: [] as number[], failed: 0 }]));
  const waiting: Promise<void>[] = [];
  const end = performance.now() + forSeconds * 1_000;
  for (let next = performance.now(); next < end; next += EVERY_MS) {
    await sleep(Math.max(0, next - performance.now()));
    for (const [name, ask] of Object.entries(probes)) {
      const seen = sent.get(name);
      if (seen !== undefined) waiting.push(probe(ask, seen));
    }
  }
  await Promise.all(waiting);
  for (const [name, { ms, failed }] of sent) {
    const sorted = ms.toSorted((a, b) => a - b);
    const at = (share: number): string =>
      (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN).toFixed(1);
    console.log(`| ${load} | ${name} | ${ms.length} | ${failed} | ${at(0.5)} | ${at(0.99)} | ${at(1)} |`);
  }
}

async function probe(
  ask: () => Promise<Response>,
  seen: { readonly ms: number[]; failed: number },
): Promise<void> {
  const start = performance.now();
  try {
    const answer = await ask();
    await answer.arrayBuffer();
    if (answer.status !== 200) seen.failed += 1;
  } catch {
    seen.failed += 1;
  }
  seen.ms.push(performance.now() - start);
}

async function warnings(): Promise<string> {
  const log = await readFile(server.output, 'utf8');
  const counts = new Map<string, number>();
  for (const [, level, msg] of log.matchAll(/"level":(?:"?)(\w+).*"msg":"([^"]*)"/g)) {
    if (level === 'info' || level === '30') continue;
    counts.set(`${level} ${msg}`, (counts.get(`${level} ${msg}`) ?? 0) + 1);
  }
  return JSON.stringify(Object.fromEntries(counts));
}
