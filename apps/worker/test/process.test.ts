import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEmulator, type Emulator } from '@temporal-kms/kms-emulator';
import { freePorts } from '@temporal-kms/scripts/ports';
import type { Connection } from '@temporalio/client';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { createStarterProgram } from '../src/starter/program.ts';
import { startApp, runWorker, type App } from './support/app.ts';
import { kmsVariables, startTemporalAndKms } from './support/stack.ts';

const expectGracefulEnd = async (app: App, signal: NodeJS.Signals) => {
  const signalled = performance.now();
  app.signal(signal);
  app.signal(signal);
  expect(await app.ended).toBe(0);
  expect(performance.now() - signalled).toBeLessThan(2_000 + 30_000);
  expect(app.messages().filter((message) => message.startsWith('Worker stopping'))).toHaveLength(1);
  expect(app.messages().at(-1)).toBe('Worker stopped');
};

/**
 * Sends SIGTERM, and expects the process to end within `milliseconds` plus 20 s, because the machine may be
 * busy.
 */
async function expectEndWithin(milliseconds: number, app: App, code?: number): Promise<unknown> {
  const signalled = performance.now();
  app.signal('SIGTERM');
  const ended = await app.ended;
  expect(performance.now() - signalled).toBeLessThan(milliseconds + 20_000);
  if (code !== undefined) expect(ended).toBe(code);
  expect(app.messages().at(-1)).toBe('Worker stopped');
  return ended;
}

describe('the worker as a process', () => {
  let dir: string;
  let emulator: Emulator;
  let services: Awaited<ReturnType<typeof startTemporalAndKms>>;
  let connection: Connection;
  let env: Record<string, string>;
  const apps: App[] = [];
  const start = (more: Record<string, string> = {}) => {
    const app = startApp({ ...env, ...more });
    apps.push(app);
    return app;
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'worker-process-'));
    services = await startTemporalAndKms(join(dir, 'keys.json'));
    ({ connection, emulator } = services);
    env = { ...kmsVariables(emulator.address), TEMPORAL_ADDRESS: services.address };
  });
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.kill()));
  });
  afterAll(async () => {
    await Promise.all([emulator?.close(), services?.close()]);
    await rm(dir, { recursive: true, force: true });
  });

  /** Starts a sample whose activity ends only when it is cancelled. */
  const startWaiting = async (workflowId: string, queue: Record<string, string>) => {
    const starter = createStarterProgram({ print: () => undefined, env: { ...env, ...queue } });
    await starter.parseAsync(['start', 'approval', '--id', workflowId], { from: 'user' });
    await expect
      .poll(
        async () => {
          const { pendingActivities } = await connection.workflowService.describeWorkflowExecution({
            namespace: 'default',
            execution: { workflowId },
          });
          return pendingActivities[0]?.lastStartedTime;
        },
        { timeout: 60_000 },
      )
      .toBeTruthy();
  };
  const graceOf2Seconds = { WORKER_SHUTDOWN_GRACE_SECONDS: '2' };

  describe('once it is ready', () => {
    let app: App;
    let metricsPort: number;

    beforeAll(async () => {
      [metricsPort = 0] = await freePorts(1);
      app = startApp({ ...env, ...graceOf2Seconds, WORKER_METRICS_PORT: String(metricsPort) });
      await app.untilReady();
    });
    afterAll(() => app?.kill());
    const scrape = async () => (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();

    it('warns that keys come from the emulator', async () => {
      expect(await app.readyz()).toMatchObject({
        status: 'ready',
        worker: { phase: 'polling' },
        kms: { emulator: true },
      });
      expect(app.messages().join('\n')).toContain('KMS_EMULATOR_HOST is set');
    });

    it('serves codec and Core metrics to Prometheus', async () => {
      for (const line of [
        /^codec_autonomy_seconds\{namespace="default"\} [1-9]\d+$/m,
        /^codec_payloads_refused_total\{code="key_disabled",namespace="default"\} 0$/m,
        /^temporal_worker_task_slots_available\{/m,
      ])
        await expect.poll(scrape, { timeout: 60_000 }).toMatch(line);
      expect(await scrape()).toContain(`codec_worker_build_info{version="${packageJson.version}"} 1\n`);
    });

    it('opens no inspector on SIGUSR1 and keeps running', async () => {
      app.signal('SIGUSR1');
      await expect.poll(() => app.output(), { timeout: 60_000 }).toContain('TEMPORAL_KMS_INSPECTOR_REFUSED');
      expect(app.output()).not.toMatch(/Debugger listening|Starting inspector/);
      await expect(fetch('http://127.0.0.1:9229/json/version')).rejects.toThrow('fetch failed');
      expect(await app.readyz()).toMatchObject({ http: 200 });
    });

    it('exits with 0 after SIGTERM during an activity', async () => {
      await startWaiting('waiting-for-SIGTERM', {});
      await expectGracefulEnd(app, 'SIGTERM');
    });
  });

  it('sends codec and Core metrics to an OTLP receiver', async () => {
    const received = new Map<string, string>();
    const receiver = createServer((request, response) => {
      const { url = '' } = request;
      request
        .setEncoding('latin1')
        .on('data', (text: string) => received.set(url, (received.get(url) ?? '') + text))
        .on('end', () => response.end());
    }).listen(0, '127.0.0.1');
    onTestFinished(() => {
      receiver.close();
      receiver.closeAllConnections();
    });
    await once(receiver, 'listening');
    const address = receiver.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await start({ WORKER_OTLP_ENDPOINT: `http://127.0.0.1:${port}/v1/metrics` }).untilReady();
    const metrics = () => received.get('/v1/metrics');
    for (const name of ['codec_autonomy_seconds', 'codec_worker_build_info', 'temporal_worker_task_slots'])
      await expect.poll(metrics, { message: name, timeout: 60_000 }).toContain(name);
    expect([...received.keys()]).toEqual(['/v1/metrics']);
  });

  it.each([
    ['NODE_DEBUG', 'stream'],
    ['NODE_OPTIONS', '--heapsnapshot-signal=SIGUSR2'],
  ])('exits with 78 if %s=%s would expose data keys', async (variable, value) => {
    const app = start({ [variable]: value });
    expect(await app.ended).toBe(78);
    expect(app.output()).toContain(`${variable} is "${value}": must not`);
  });

  it('waits for Cloud KMS, starts once it is available, and exits with 0 after SIGINT', async () => {
    await emulator.close();
    // Uses another queue, because an earlier test's worker left an activity that Temporal retries.
    const queue = { TEMPORAL_TASK_QUEUE: 'begun-without-kms' };
    const app = start({ ...queue, ...graceOf2Seconds });
    await expect
      .poll(() => app.readyz(), { timeout: 120_000 })
      .toMatchObject({
        http: 503,
        status: 'not_ready',
        worker: { phase: 'waiting_for_kms', trouble: 'kms_unavailable' },
      });
    // The log line and the response arrive through different pipes.
    await expect.poll(() => app.messages()).toContain('Cloud KMS unavailable; waiting for a key');
    expect(app.isRunning()).toBe(true);
    emulator = await startEmulator({ port: emulator.port, dataFile: join(dir, 'keys.json') });
    expect(await app.untilReady()).toMatchObject({ worker: { restarts: 0 } });
    await startWaiting('waiting-for-SIGINT', queue);
    await expectGracefulEnd(app, 'SIGINT');
  });

  it('ends immediately after SIGTERM while waiting for Cloud KMS', async () => {
    const app = start({ KMS_EMULATOR_HOST: '127.0.0.1:1' });
    await expect
      .poll(() => app.readyz(), { timeout: 120_000 })
      .toMatchObject({ http: 503, worker: { phase: 'waiting_for_kms' } });
    await expectEndWithin(5_000, app, 0);
  });

  it('ends after SIGTERM even while Temporal is frozen', async () => {
    const app = start({ TEMPORAL_TASK_QUEUE: 'frozen', ...graceOf2Seconds });
    await app.untilReady();
    process.kill(services.server.pid, 'SIGSTOP');
    try {
      const code = await expectEndWithin((2 + 10 + 5) * 1_000, app);
      expect([0, 1]).toContain(code);
    } finally {
      process.kill(services.server.pid, 'SIGCONT');
    }
  });

  it('ends immediately after a second SIGTERM, with status 1', async () => {
    const queue = { TEMPORAL_TASK_QUEUE: 'second-signal' };
    const app = start({ ...queue, WORKER_SHUTDOWN_GRACE_SECONDS: '3600' });
    await app.untilReady();
    await startWaiting('waiting-for-second-SIGTERM', queue);
    app.signal('SIGTERM');
    await expect.poll(() => app.readyz()).toMatchObject({ http: 503, worker: { phase: 'stopping' } });
    await sleep(1_000);
    expect(app.isRunning()).toBe(true);
    await expectEndWithin(2_000, app, 1);
  });

  it('waits for Temporal at startup, and ends on SIGTERM while it waits', async () => {
    const app = start({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
    await expect
      .poll(() => app.readyz(), { timeout: 120_000 })
      .toMatchObject({ http: 503, worker: { phase: 'waiting_for_temporal' } });
    app.signal('SIGTERM');
    expect(await app.ended).toBe(0);
  });

  it('lists every mistake in its environment, and exits with 78', async () => {
    const app = startApp({ WORKER_HEALTH_PORT: 'eighty' });
    apps.push(app);
    expect(await app.ended).toBe(78);
    for (const name of ['WORKER_HEALTH_PORT', 'GCP_PROJECT', 'GCP_KMS_KEY_RING', 'GCP_KMS_KEY']) {
      expect(app.output()).toContain(name);
    }
  });

  it('names a namespace that the keys file lacks, and exits with 78', async () => {
    const file = join(dir, 'keys.yaml');
    const key = 'projects/acme/locations/global/keyRings/ring/cryptoKeys/key';
    await writeFile(file, `namespaces:\n  payments: { encrypt: ${key} }\n...\n`);
    const keys = { KMS_KEYS_FILE: file, KMS_EMULATOR_HOST: emulator.address };
    const app = startApp({ ...keys, TEMPORAL_ADDRESS: services.address, TEMPORAL_NAMESPACE: 'payment' });
    apps.push(app);
    expect(await app.ended).toBe(78);
    const lines = app
      .output()
      .split('\n')
      .filter((line) => line.includes('"reason"'));
    expect(lines).toEqual([expect.stringContaining('namespace payment;')]);
  });

  it('prints its variables for --help, and exits with 64 for an unknown argument', async () => {
    const { code, stdout } = await runWorker(['--help']);
    expect(code).toBe(0);
    for (const name of ['WORKER_HEALTH_PORT', 'TEMPORAL_ADDRESS', 'KMS_KEYS_FILE']) {
      expect(stdout).toContain(name);
    }
    expect(await runWorker(['start'])).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('Usage: main [--help | --version]'),
    });
  });

  it('prints its version for --version', async () => {
    expect(await runWorker(['--version'])).toMatchObject({ code: 0, stdout: `${packageJson.version}\n` });
  });

  it("reports a mistake in Temporal's profile file without quoting the file, and exits with 78", async () => {
    const app = start({ TEMPORAL_CONFIG_FILE: join(dir, 'keys.json'), LOG_LEVEL: 'fatal' });
    expect(await app.ended).toBe(78);
    expect(app.messages()).toEqual([expect.stringContaining('TEMPORAL_CONFIG_FILE')]);
    // The message must not quote the file, which may contain an API key.
    expect(app.output()).not.toContain('keyRings');
  });

  it('warns at every LOG_LEVEL that keys come from the emulator', async () => {
    const app = start({ TEMPORAL_ADDRESS: '127.0.0.1:1', LOG_LEVEL: 'silent' });
    await expect.poll(() => app.output(), { timeout: 60_000 }).toContain('KMS_EMULATOR_HOST is set');
  });

  it('names the variable of the health port if that port is in use', async () => {
    const app = start({ WORKER_HEALTH_PORT: String(emulator.port) });
    expect(await app.ended).toBe(1);
    expect(app.messages().at(-1)).toBe(
      `Port ${emulator.port} is in use. Set WORKER_HEALTH_PORT to another port.`,
    );
  });
});
