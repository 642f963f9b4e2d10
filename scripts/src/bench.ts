/** `pnpm bench`: runs the packages' benchmarks, or measures the duration of `pnpm dev` and `pnpm check`. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { startChild } from './child.ts';
import { watchLaunchers } from './dev/launcher.ts';
import { ownPorts, startDev } from './dev/start.ts';
import { median } from './figures.ts';
import { devDir, projectRoot } from './project.ts';
import { turbo } from './turbo.ts';

/** Benchmarks that run only if they are named. Each of these benchmarks has options (`--help`). */
const single: Readonly<Record<string, string>> = {
  codec: 'packages/kms-codec/bench/codec.bench.ts',
  server: 'apps/codec-server/bench/server.bench.ts',
  history: 'apps/codec-server/bench/history.bench.ts',
  readers: 'apps/codec-server/bench/readers.bench.ts',
  streams: 'apps/codec-server/bench/streams.bench.ts',
  storage: 'apps/codec-server/bench/storage.bench.ts',
  memory: 'apps/codec-server/bench/memory.bench.ts',
  ready: 'apps/codec-server/bench/ready.bench.ts',
  scan: 'apps/key-admin/bench/scan.bench.ts',
  workflows: 'apps/worker/bench/workflows.bench.ts',
  chaos: 'apps/worker/bench/chaos.bench.ts',
  dashboard: 'e2e/bench/dashboard.bench.ts',
  tasks: 'e2e/bench/tasks.bench.ts',
  alerts: 'e2e/bench/alerts.bench.ts',
};

const help = `Usage: pnpm bench            every package's benchmarks, one after the other
       pnpm bench codec      the codec in one process, compared with the SDK's sample and with node:crypto
       pnpm bench server     /decode and /encode on one core, compared with the Go SDK's codec server
       pnpm bench history    10,000 encrypted events, compared with Temporal's CLI and Web UI
       pnpm bench readers    latency of one caller while another reads 51,200 events with Temporal's CLI and Web UI
       pnpm bench streams    latency of small requests while others stream payloads of 12 MB; fails above 100 ms
       pnpm bench storage    exports of 1,000 payloads in external storage, compared with the store's plain client
       pnpm bench memory     100,000 payloads, and an object of 50 MiB, through the codec server within 256 MiB
       pnpm bench ready      the start of the codec server from its bundle
       pnpm bench scan       many small histories scanned in one process and by 1, 2 and 4 workers, one of them killed
       pnpm bench workflows  workflows per second and CPU time per workflow, with and without the codec
       pnpm bench chaos      worker processes through outages, kills, revocation and more: --help lists the scenarios
       pnpm bench dashboard  long encrypted histories in the dashboard, compared with Temporal's Web UI in the same browser
       pnpm bench tasks      twenty tasks of a person on call in the dashboard and in Temporal's Web UI: actions, seconds
       pnpm bench alerts     each alert of Prometheus for a real fault: seconds until Alertmanager has sent it
       pnpm bench start      five warm starts of pnpm dev, five runs of pnpm check without a cache; medians`;

async function main([what, ...rest]: readonly string[]): Promise<number> {
  if (what === '--help') {
    console.log(help);
    return 0;
  }
  if (what === 'start' && rest.length === 0) return benchStart();
  if (what === undefined) return turbo(['run', 'bench', '--concurrency=1', '--log-prefix=none']);
  const file = Object.hasOwn(single, what) ? single[what] : undefined;
  if (file !== undefined) return benchAlone(file, rest);
  console.error(help);
  return 2;
}

/** Runs a benchmark. The benchmark ends when this process or pnpm ends. */
async function benchAlone(file: string, args: readonly string[]): Promise<number> {
  const bench = await startChild(
    process.execPath,
    [join(projectRoot, file), ...args],
    process.env,
    'inherit',
  );
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => bench.signal('SIGTERM'));
  await watchLaunchers(() => bench.signal('SIGTERM'));
  return await bench.exited;
}

/** Measures how long a developer waits for `pnpm dev` and `pnpm check` once everything is installed. */
async function benchStart(): Promise<number> {
  const dev: number[] = [];
  const settings = { DEV_DATA_DIR: join(devDir, 'bench') };
  try {
    for (let run = 0; run <= 5; run++) {
      const running = await startDev({ ...settings, ...(await ownPorts()) });
      // The first run fills the database and the caches, so its sample workflows must complete.
      if (run === 0) await sleep(30_000);
      else dev.push(running.seconds);
      await running.stop();
    }
  } finally {
    await rm(settings.DEV_DATA_DIR, { recursive: true, force: true });
  }
  report('dev, warm, to its ready line', dev, 15);

  const check: number[] = [];
  for (let run = 0; run < 5; run++) check.push(await checkOnce());
  report('check, without cache', check, 20);
  return 0;
}

async function checkOnce(): Promise<number> {
  const pnpm = process.env['npm_execpath'];
  if (!pnpm) throw new Error('npm_execpath is not set. Start the benchmark with `pnpm bench start`.');
  const { durationMs } = await execa(pnpm, ['check'], { cwd: projectRoot, env: { TURBO_FORCE: 'true' } });
  return durationMs / 1_000;
}

function report(what: string, seconds: readonly number[], aim: number): void {
  const sorted = seconds.toSorted((a, b) => a - b);
  console.log(
    `${what}: median ${median(sorted).toFixed(1)} s of ${sorted.map((s) => s.toFixed(1)).join(', ')} (aim: ${aim} s)`,
  );
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
