import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { decodeResult, historyFrame } from '@temporal-kms/codec-api';
import { createKmsCodec, KeyRules } from '@temporal-kms/kms-codec';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { execa } from 'execa';
import { buildBundle, KEY, NAMESPACE, SMALL_HEAP, startBundle } from './support/bundle.ts';
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
      "A long encrypted history, decoded and exported by our history API, by Temporal's CLI and by its Web UI.\n" +
      '--small: our server with a heap for 256 MiB.',
  );
  process.exit(0);
}

const directory = await mkdtemp(join(tmpdir(), 'codec-server-bench-'));
const emulator = await startEmulator({ keys: [KEY] });
const [uiPort = 0, codecPort = 0] = await freePorts(2);
const codecEndpoint = `http://127.0.0.1:${codecPort}`;
const temporal = await startTemporal({ namespaces: [NAMESPACE], uiPort, codecEndpoint });
const server = await startBundle(
  await buildBundle(directory),
  directory,
  {
    KMS_EMULATOR_HOST: emulator.address,
    TEMPORAL_ADDRESS: temporal.address,
    AUDIT_FILE: join(directory, 'audit.jsonl'),
    CODEC_PORT: String(codecPort),
    CODEC_CORS_ORIGINS: temporal.uiUrl ?? '',
  },
  { port: codecPort, nodeOptions: values.small ? SMALL_HEAP : [] },
);
const codec = createKmsCodec({
  rules: new KeyRules({ [NAMESPACE]: { encrypt: KEY } }),
  emulatorHost: emulator.address,
  format: undefined,
  compression: undefined,
  bindWorkflow: false,
});
// It asks for one payload after the other: what the CLI takes depends on who answers.
const rivalStarted = buildRival(directory).then((built) => built?.start());
try {
  const made = performance.now();
  const events = Number(values.events);
  const run = await makeHistory(temporal.address, codec, `long-${events}`, events);
  const rival = await rivalStarted;
  const rivalRun =
    rival && (await makeHistory(temporal.address, remoteCodec(rival.url), `rival-${events}`, events));
  console.log(
    `${events} events, ${run.payloads} encrypted payloads of 1 KiB, made in ${seconds(made).toFixed(1)} s\n`,
  );
  const ways = {
    'first skeleton rows': () => firstRows(run),
    'all payloads decoded (skeleton and payloads:decode)': () => decodeAll(run),
    'exported, decoded': () => exportDecoded(run),
    "Temporal's CLI, workflow show decoded by this server": () => cliShow(run, codecEndpoint),
    ...(rival &&
      rivalRun && {
        "Temporal's CLI, workflow show decoded by the Go SDK's codec server": () =>
          cliShow(rivalRun, rival.url),
      }),
  };
  const seen = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const [name, way] of Object.entries(ways)) {
      const start = performance.now();
      await way();
      seen.get(name)?.push(seconds(start));
    }
  }
  console.log('| what | seconds, min / median / max |\n|---|---|');
  for (const [name, times] of seen) console.log(`| ${name} | ${range(times, 2)} |`);
  if (!values['no-browser'] && temporal.uiUrl !== undefined) {
    const download = await webUiDownload(temporal.uiUrl, run);
    console.log(`| Temporal's Web UI, download decoded | ${download.toFixed(2)} |`);
  }
  const { now, peak } = await server.memory();
  console.log(
    `\nMemory of the server afterwards: ${now.toFixed(0)} MiB, at its highest ${peak.toFixed(0)} MiB`,
  );
} finally {
  await server.stop();
  await (await rivalStarted)?.stop();
  await codec.close();
  await temporal.close();
  await emulator.close();
  await rm(directory, { recursive: true });
}

function seconds(since: number): number {
  return (performance.now() - since) / 1_000;
}

async function ask({ workflowId, runId }: LongHistory, path: string, body?: unknown): Promise<Response> {
  const url = `${server.url}/api/namespaces/${NAMESPACE}/workflows/${workflowId}/runs/${runId}${path}`;
  const answer = await fetch(
    url,
    body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
  );
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer;
}

async function firstRows(run: LongHistory): Promise<void> {
  const answer = await ask(run, '/history');
  const reader = answer.body?.getReader();
  await reader?.read();
  await reader?.cancel();
}

/** As a dashboard would: refs by the 200 while the skeleton still comes, a few requests at a time. */
async function decodeAll(run: LongHistory): Promise<void> {
  const refs: string[] = [];
  for (const line of (await (await ask(run, '/history')).text()).trimEnd().split('\n')) {
    const frame = historyFrame.parse(JSON.parse(line));
    if (frame.type === 'events')
      refs.push(...frame.events.flatMap(({ payloads }) => payloads.map(({ ref }) => ref)));
  }
  let opened = 0;
  const workers = Array.from({ length: 4 }, async () => {
    for (let some = refs.splice(0, 200); some.length > 0; some = refs.splice(0, 200)) {
      const lines = (await (await ask(run, '/payloads:decode', { refs: some })).text()).trimEnd().split('\n');
      opened += lines.filter((line) => decodeResult.safeParse(JSON.parse(line)).data?.ok).length;
    }
  });
  await Promise.all(workers);
  if (opened !== run.payloads) throw new Error(`${opened} payloads of ${run.payloads} were opened.`);
}

async function exportDecoded(run: LongHistory): Promise<void> {
  const text = await (await ask(run, '/history:export', { form: 'decoded' })).text();
  expectDecoded(text, run);
}

async function cliShow(run: LongHistory, endpoint: string): Promise<void> {
  const what = ['--workflow-id', run.workflowId, '--run-id', run.runId, '--namespace', NAMESPACE];
  const where = ['--address', temporal.address, '--codec-endpoint', endpoint];
  const isolated = ['--disable-config-file', '--disable-config-env'];
  const { stdout } = await execa(
    temporal.cliPath,
    ['workflow', 'show', '--output', 'json', ...what, ...where, ...isolated],
    { maxBuffer: 2 ** 30, env: { TEMPORAL_VERSION_CHECK_DISABLED: '1' } },
  );
  expectDecoded(stdout, run);
}

/** Whoever leaves payloads sealed is fast. */
function expectDecoded(text: string, run: LongHistory): void {
  const plain = text.split(Buffer.from('json/plain').toString('base64')).length - 1;
  if (plain !== run.payloads) throw new Error(`${plain} payloads of ${run.payloads} are plaintext.`);
}
