import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { buildBundle, KEY, NAMESPACE, startBundle } from './support/bundle.ts';
import { median, range } from '@temporal-kms/scripts/figures';
import { freePorts } from '@temporal-kms/scripts/ports';
import { type Measured, pinToLoadCore } from './support/measured.ts';
import { signedIn } from './support/signed-in.ts';
import { buildRival } from './support/rival.ts';
import { load, requireWrk } from './support/wrk.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string', default: '' },
    traces: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'node bench/server.bench.ts [--rounds 3] [--seconds 2] [--only "decode 1 × 1 KiB"] [--traces]\n' +
      "Measures /decode and /encode of the bundled codec server and of the Go SDK's codec server. Each server runs on one\n" +
      'core, wrk on another. --only selects the rows whose name contains the text. --traces adds a server that exports\n' +
      'traces of all requests, and a server that exports traces of every hundredth request.',
  );
  process.exit(0);
}
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

const shapes = [
  { name: '1 × 1 KiB', payloads: 1, bytes: 1024, floor: 0.9 },
  { name: '100 × 1 KiB', payloads: 100, bytes: 1024, floor: 0.9 },
  { name: '1 × 256 KiB', payloads: 1, bytes: 256 * 1024, floor: 0.75 },
];

/**
 * The required ratio is multiplied by this factor for servers with authentication, audit, metrics and
 * log.
 */
const DEPLOYED = 0.75;

const WARM_PAYLOADS = 15_000;
const WARM_BYTES = 200_000;
const WARM_MS = 10_000;

interface Contender {
  readonly name: string;
  readonly server: Measured;
  readonly headers: Readonly<Record<string, string>>;
}

/** The results of one contender in each round: payloads per second, and CPU time in µs per payload. */
interface Results {
  readonly rates: number[];
  readonly cpu: number[];
}

await requireWrk();
pinToLoadCore();
const directory = await mkdtemp(join(tmpdir(), 'codec-server-bench-'));
const emulator = await startEmulator({ keys: [KEY] });
const people = await signedIn(directory);
const authorization = await people.authorization('bench');
const rival = await buildRival(directory);
const collector = await startSink();
const contenders: Contender[] = [];
try {
  if (rival) contenders.push({ name: 'Go SDK handler', server: await rival.start(), headers: {} });
  const kms = { KMS_EMULATOR_HOST: emulator.address };
  const namespace = { 'X-Namespace': NAMESPACE };
  contenders.push({
    name: 'codec-server, bare',
    server: await startBundle(await buildBundle(directory, 'bench/bare-server.ts'), directory, kms),
    headers: namespace,
  });
  const deployed = async (sink: Record<string, string>): Promise<Measured> =>
    startBundle(
      bundle,
      directory,
      { ...kms, ...people.env, CODEC_METRICS_PORT: String((await freePorts(1))[0]), ...sink },
      { piped: sink['AUDIT_FILE'] === undefined },
    );
  const headers = { ...namespace, Authorization: authorization };
  const bundle = await buildBundle(directory);
  contenders.push(
    {
      name: 'codec-server, deployed, audit in a file',
      server: await deployed({ AUDIT_FILE: join(directory, 'audit.jsonl') }),
      headers,
    },
    { name: 'codec-server, deployed, audit to a pipe', server: await deployed({}), headers },
  );
  for (const share of values.traces ? ['1', '0.01'] : []) {
    const traces = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER_ARG: share };
    const server = await deployed({ AUDIT_FILE: join(directory, `audit-${share}.jsonl`), ...traces });
    contenders.push({ name: `codec-server, deployed, audit in a file, traces ${share}`, server, headers });
  }

  console.log(
    `node ${process.version}; ${rounds} rounds of ${seconds} s, 64 connections; payloads/s (min / median / max), CPU time per payload\n`,
  );
  const own = rival ? contenders.slice(1) : [];
  const columns = [
    'route',
    'payloads',
    ...contenders.map(({ name }) => name),
    ...own.map(({ name }) => `${name} : Go`),
  ];
  console.log(`| ${columns.join(' | ')} |\n|${columns.map(() => '---').join('|')}|`);
  for (const shape of shapes) {
    const plain = JSON.stringify({
      payloads: Array.from({ length: shape.payloads }, () => payloadOf(shape.bytes)),
    });
    const bodies = await Promise.all(contenders.map((contender) => post(contender, 'encode', plain)));
    for (const route of ['decode', 'encode'] as const) {
      if (!`${route} ${shape.name}`.includes(values.only)) continue;
      for (const [n, contender] of contenders.entries()) {
        await warmUp(contender, route, route === 'encode' ? plain : (bodies[n] ?? ''), shape.payloads);
      }
      const results = contenders.map((): Results => ({ rates: [], cpu: [] }));
      for (let round = 0; round < rounds; round += 1) {
        for (const [n, contender] of contenders.entries()) {
          const body = route === 'encode' ? plain : (bodies[n] ?? '');
          const { requests, cpu } = await measure(contender, route, body);
          results[n]?.rates.push((requests * shape.payloads) / seconds);
          results[n]?.cpu.push((cpu * 1000) / (requests * shape.payloads));
        }
      }
      console.log(row(route, shape, results));
    }
  }
} finally {
  await Promise.all(contenders.map(({ server }) => server.stop()));
  people.close();
  collector.close();
  await emulator.close();
  await rm(directory, { recursive: true });
}

/** Starts a collector that discards the traces. */
async function startSink(): Promise<{ readonly url: string; close(): void }> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  return {
    url: `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function payloadOf(bytes: number): unknown {
  return {
    metadata: { encoding: Buffer.from('binary/plain').toString('base64') },
    data: randomBytes(bytes).toString('base64'),
  };
}

async function post({ server, headers }: Contender, route: string, body: string): Promise<string> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body };
  const response = await fetch(`${server.url}/${route}`, init);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`/${route}: ${response.status} ${text}`);
  return text;
}

/**
 * V8 optimizes a function only after a few thousand calls, so the warm-up lasts for a fixed number of calls,
 * not for a fixed time.
 */
async function warmUp(
  { server, headers }: Contender,
  route: string,
  body: string,
  payloads: number,
): Promise<void> {
  const until = performance.now() + WARM_MS;
  let requests = 0;
  while (requests * payloads < WARM_PAYLOADS && body.length < WARM_BYTES && performance.now() < until) {
    requests += await load(directory, { url: `${server.url}/${route}`, body, headers, seconds: 1 });
  }
}

async function measure(
  { server, headers }: Contender,
  route: string,
  body: string,
): Promise<{ requests: number; cpu: number }> {
  const before = await server.cpu();
  const requests = await load(directory, { url: `${server.url}/${route}`, body, headers, seconds });
  return { requests, cpu: (await server.cpu()) - before };
}

function row(route: string, shape: (typeof shapes)[number], results: readonly Results[]): string {
  const cells = results.map(({ rates, cpu }) => `${range(rates)}, ${median(cpu).toFixed(1)} µs`);
  const [go, ...own] = rival ? results : [];
  const ratios = own.map((result, n) => {
    const byCpu = median(go?.cpu ?? []) / median(result.cpu);
    const ratio = median(result.rates) / median(go?.rates ?? []);
    const floor = n === 0 ? shape.floor : shape.floor * DEPLOYED;
    return `${ratio.toFixed(2)} (CPU ${byCpu.toFixed(2)})${ratio < floor ? `, below ${floor.toFixed(2)}` : ''}`;
  });
  return `| ${[`/${route}`, shape.name, ...cells, ...ratios].join(' | ')} |`;
}
