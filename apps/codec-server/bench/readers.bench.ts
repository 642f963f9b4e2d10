import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { freePorts } from '@temporal-kms/scripts/ports';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { buildPayloads } from '../src/json/payload-json.ts';
import { benchCodec, buildBundle, KEY, NAMESPACE, startBundle } from './support/bundle.ts';
import { cliShow } from './support/cli.ts';
import { makeHistory } from './support/long-history.ts';
import { differTooMuch } from './support/rounds.ts';
import { signedIn } from './support/signed-in.ts';
import { webUiDownload } from './support/web-ui.ts';
import { load, requireWrk } from './support/wrk.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '51200' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/readers.bench.ts [--events 51200] [--rounds 3] [--seconds 10] [--only CLI]\n' +
      "One caller repeatedly reads a long encrypted history with Temporal's CLI and Web UI, or sends as much as it can,\n" +
      'while another caller decodes a payload every 50 ms. The server has its default settings. Fails if a read fails or takes\n' +
      'more than three times as long as the fastest, or if the other caller waits longer than 100 ms (99th percentile). --only\n' +
      'selects the rows whose name contains the text.',
  );
  process.exit(0);
}

/** Milliseconds between two requests of the caller whose response times are measured. */
const PAUSE_MS = 50;
const MOST_MS = 100;
/**
 * With payloads of this size, a history reaches Temporal's limit of 51,200 events before it reaches
 * Temporal's limit of 50 MB.
 */
const PAYLOAD_BYTES = 256;
const CONNECTIONS = 192;

await requireWrk();
const directory = await mkdtemp(join(tmpdir(), 'codec-server-bench-'));
const emulator = await startEmulator({ keys: [KEY] });
const [uiPort = 0, codecPort = 0] = await freePorts(2);
const codecEndpoint = `http://127.0.0.1:${codecPort}`;
const events = Number(values.events);
const temporal = await startTemporal({
  namespaces: [NAMESPACE],
  uiPort,
  codecEndpoint,
  dynamicConfig: { 'history.maximumSignalsPerExecution': events },
});
const people = await signedIn(directory);
const server = await startBundle(
  await buildBundle(directory),
  directory,
  {
    ...people.env,
    KMS_EMULATOR_HOST: emulator.address,
    TEMPORAL_ADDRESS: temporal.address,
    AUDIT_FILE: join(directory, 'audit.jsonl'),
    CODEC_PORT: String(codecPort),
    CODEC_CORS_ORIGINS: temporal.uiUrl ?? '',
  },
  { port: codecPort, anyCore: true },
);
const codec = benchCodec(emulator.address);
const failures: string[] = [];
try {
  const run = await makeHistory(temporal.address, codec, 'long', events, PAYLOAD_BYTES);
  const first = await people.authorization('first');
  const second = await people.authorization('second');
  const bodyOf = async (payloads: number, bytes: number): Promise<string> => {
    const plain = { metadata: { encoding: Buffer.from('binary/plain') }, data: randomBytes(bytes) };
    const context = { type: 'activity', namespace: NAMESPACE } as const;
    const made = await codec.encode(
      Array.from({ length: payloads }, () => plain),
      context,
    );
    return buildPayloads(made).toString();
  };
  const small = await bodyOf(1, 1_024);
  const send = (body: string, connections: number) => async (): Promise<void> => {
    const headers = { 'X-Namespace': NAMESPACE, Authorization: first };
    const url = `${server.url}/decode`;
    await load(directory, {
      url,
      body,
      headers,
      seconds: Number(values.seconds),
      connections,
      refused: true,
    });
  };
  const rounds = Number(values.rounds);
  const { uiUrl = '' } = temporal;
  const scenarios: Readonly<Record<string, () => Promise<readonly number[] | void>>> = {
    'sends nothing': () => sleep(Number(values.seconds) * 1_000),
    "reads with Temporal's CLI": () => inTurn(rounds, () => cliShow(temporal, run, codecEndpoint, first)),
    "reads with Temporal's Web UI": () =>
      inTurn(rounds, () => webUiDownload(uiUrl, run, { Authorization: first })),
    [`sends 1 × 1 KiB on ${CONNECTIONS} connections`]: send(small, CONNECTIONS),
    [`sends 1 × 256 KiB on ${CONNECTIONS} connections`]: send(await bodyOf(1, 256 * 1_024), CONNECTIONS),
    [`sends 10,000 × 100 B on ${CONNECTIONS} connections`]: send(await bodyOf(10_000, 100), CONNECTIONS),
    'sends 1 × 11 MiB on 16 connections': send(await bodyOf(1, 11 * 1_024 * 1_024), 16),
  };
  console.log(`${events} events, ${run.payloads} encrypted payloads of ${PAYLOAD_BYTES} bytes\n`);
  console.log(
    '| one caller | seconds of each read | the other caller: p50 / p99 / max (ms), requests |\n|---|---|---|',
  );
  for (const [name, scenario] of Object.entries(scenarios)) {
    if (!name.includes(values.only)) continue;
    const watch = watchOther(small, second);
    const read = (await scenario()) ?? [];
    const waits = await watch.stop();
    const at = (share: number): number => waits[Math.floor((waits.length - 1) * share)] ?? Number.NaN;
    const shown = [at(0.5), at(0.99), at(1)].map((ms) => ms.toFixed(1)).join(' / ');
    console.log(`| ${name} | ${read.map((s) => s.toFixed(2)).join(' / ')} | ${shown}, ${waits.length} |`);
    if (!(at(0.99) < MOST_MS)) failures.push(`${name}: the other caller's p99 is ${at(0.99).toFixed(0)} ms`);
    if (differTooMuch(read)) failures.push(`${name}: the reads differ too much`);
  }
} finally {
  await server.stop();
  people.close();
  await codec.close();
  await temporal.close();
  await emulator.close();
  await rm(directory, { recursive: true });
}
for (const failure of failures) console.error(failure);
process.exitCode = failures.length > 0 ? 1 : 0;

async function inTurn(times: number, read: () => Promise<number>): Promise<number[]> {
  const seconds: number[] = [];
  for (let time = 0; time < times; time += 1) seconds.push(await read());
  return seconds;
}

/**
 * Decodes a payload every 50 ms. `stop` resolves to the sorted durations in milliseconds, and rejects if a
 * request failed.
 */
function watchOther(body: string, authorization: string): { stop(): Promise<number[]> } {
  const headers = { 'content-type': 'application/json', 'x-namespace': NAMESPACE, authorization };
  const waits: number[] = [];
  const stopped = new AbortController();
  const watch = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const start = performance.now();
      const response = await fetch(`${server.url}/decode`, { method: 'POST', headers, body });
      const text = await response.text();
      if (response.status !== 200) throw new Error(`The other caller got ${response.status}: ${text}`);
      waits.push(performance.now() - start);
      await sleep(PAUSE_MS);
    }
  };
  const watching = watch();
  watching.catch(() => undefined);
  return {
    stop: async () => {
      stopped.abort();
      await watching;
      return waits.toSorted((a, b) => a - b);
    },
  };
}
