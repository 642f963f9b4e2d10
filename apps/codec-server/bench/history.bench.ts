import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { decodeResult, historyFrame } from '@temporal-kms/codec-api';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { WITHIN_256_MIB } from '@temporal-kms/scripts/small-memory';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { benchCodec, buildBundle, KEY, NAMESPACE, startBundle } from './support/bundle.ts';
import { cliShow, expectDecoded } from './support/cli.ts';
import { differTooMuch, MOST_RATIO } from './support/rounds.ts';
import { range } from '@temporal-kms/scripts/figures';
import { freePorts } from '@temporal-kms/scripts/ports';
import { type LongHistory, makeHistory } from './support/long-history.ts';
import { remoteCodec } from './support/remote-codec.ts';
import { buildRival } from './support/rival.ts';
import { webUiDownload } from './support/web-ui.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '3' },
    'no-browser': { type: 'boolean', default: false },
    small: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/history.bench.ts [--events 10000] [--rounds 3] [--no-browser] [--small]\n' +
      "Measures how long a large encrypted history takes in the history API, in Temporal's CLI and in its Web UI.\n" +
      'Fails if a round takes more than three times as long as the fastest.\n' +
      '--small runs the codec server with the heap settings for a memory limit of 256 MiB.',
  );
  process.exit(0);
}

const failures: string[] = [];
const directory = await mkdtemp(join(tmpdir(), 'codec-server-bench-'));
const emulator = await startEmulator({ keys: [KEY] });
const [uiPort = 0, codecPort = 0] = await freePorts(2);
const codecEndpoint = `http://127.0.0.1:${codecPort}`;
const temporal = await startTemporal({ namespaces: [NAMESPACE], uiPort, codecEndpoint });
const server = await startBundle(
  await buildBundle(directory),
  directory,
  {
    ...(values.small ? WITHIN_256_MIB : {}),
    KMS_EMULATOR_HOST: emulator.address,
    TEMPORAL_ADDRESS: temporal.address,
    AUDIT_FILE: join(directory, 'audit.jsonl'),
    CODEC_PORT: String(codecPort),
    CODEC_CORS_ORIGINS: temporal.uiUrl ?? '',
  },
  { port: codecPort },
);
const codec = benchCodec(emulator.address);
// The CLI decodes one payload per request, so the CLI's time depends on the codec server.
const rivalStarted = buildRival(directory).then((built) => built?.start());
try {
  const madeAt = performance.now();
  const events = Number(values.events);
  const run = await makeHistory(temporal.address, codec, `long-${events}`, events);
  const rival = await rivalStarted;
  const rivalRun =
    rival && (await makeHistory(temporal.address, remoteCodec(rival.url), `rival-${events}`, events));
  console.log(
    `${events} events, ${run.payloads} encrypted payloads of 1 KiB, created in ${seconds(madeAt).toFixed(1)} s\n`,
  );
  const scenarios = {
    'first history rows': () => firstRows(run),
    'all payloads decoded (history and payloads:decode)': () => decodeAll(run),
    'exported, decoded': () => exportDecoded(run),
    "Temporal's CLI: workflow show, decoded by this server": () => cliShow(temporal, run, codecEndpoint),
    ...(rival &&
      rivalRun && {
        "Temporal's CLI: workflow show, decoded by the Go SDK's codec server": () =>
          cliShow(temporal, rivalRun, rival.url),
      }),
  };
  const times = new Map<string, number[]>(Object.keys(scenarios).map((name) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const [name, scenario] of Object.entries(scenarios)) {
      const start = performance.now();
      await scenario();
      times.get(name)?.push(seconds(start));
    }
  }
  console.log('| scenario | seconds, min / median / max |\n|---|---|');
  for (const [name, measured] of times) {
    console.log(`| ${name} | ${range(measured, 2)} |`);
    if (differTooMuch(measured)) failures.push(name);
  }
  if (!values['no-browser'] && temporal.uiUrl !== undefined) {
    const download = await webUiDownload(temporal.uiUrl, run);
    console.log(`| Temporal's Web UI, download decoded | ${download.toFixed(2)} |`);
  }
  const { now, peak } = await server.memory();
  console.log(
    `\nResident memory of the server: ${now.toFixed(0)} MiB at the end, ${peak.toFixed(0)} MiB at most`,
  );
} finally {
  await server.stop();
  await (await rivalStarted)?.stop();
  await codec.close();
  await temporal.close();
  await emulator.close();
  await rm(directory, { recursive: true });
}
for (const failure of failures)
  console.error(`${failure}: a round took more than ${MOST_RATIO} times as long as the fastest`);
process.exitCode = failures.length > 0 ? 1 : 0;

function seconds(since: number): number {
  return (performance.now() - since) / 1_000;
}

async function request({ workflowId, runId }: LongHistory, path: string, body?: unknown): Promise<Response> {
  const url = `${server.url}/api/namespaces/${NAMESPACE}/workflows/${workflowId}/runs/${runId}${path}`;
  const response = await fetch(
    url,
    body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
  );
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
}

async function firstRows(run: LongHistory): Promise<void> {
  const response = await request(run, '/history');
  const reader = response.body?.getReader();
  await reader?.read();
  await reader?.cancel();
}

/** Decodes like the dashboard: 200 refs per request, 4 requests at a time. */
async function decodeAll(run: LongHistory): Promise<void> {
  const refs: string[] = [];
  for (const line of (await (await request(run, '/history')).text()).trimEnd().split('\n')) {
    const frame = historyFrame.parse(JSON.parse(line));
    if (frame.type === 'events')
      refs.push(...frame.events.flatMap(({ payloads }) => payloads.map(({ ref }) => ref)));
  }
  let decoded = 0;
  const workers = Array.from({ length: 4 }, async () => {
    for (let batch = refs.splice(0, 200); batch.length > 0; batch = refs.splice(0, 200)) {
      const lines = (await (await request(run, '/payloads:decode', { refs: batch })).text())
        .trimEnd()
        .split('\n');
      decoded += lines.filter((line) => decodeResult.safeParse(JSON.parse(line)).data?.ok).length;
    }
  });
  await Promise.all(workers);
  if (decoded !== run.payloads) throw new Error(`Only ${decoded} of ${run.payloads} payloads were decoded.`);
}

async function exportDecoded(run: LongHistory): Promise<void> {
  const text = await (await request(run, '/history:export', { form: 'decoded' })).text();
  expectDecoded(text, run);
}
