import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
import { freePorts } from '../src/ports.ts';
import { startTemporal, type TemporalServer } from '../src/temporal.ts';

const run = promisify(execFile);
let folder: string;

beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'temporal-test-'))));
afterAll(() => rm(folder, { recursive: true }));

const ask = (server: TemporalServer, ...args: string[]) =>
  run(server.cliPath, [
    ...args,
    '--address',
    server.address,
    '--disable-config-file',
    '--disable-config-env',
  ]);

async function start(...[options]: Parameters<typeof startTemporal>): Promise<TemporalServer> {
  const server = await startTemporal(options);
  onTestFinished(() => server.close());
  return server;
}

it('startTemporal creates the namespaces, search attributes and Web UI that the options name', async () => {
  const server = await start({
    namespaces: ['payments'],
    searchAttributes: { Customer: 'Keyword' },
    dynamicConfig: { 'limit.blobSize.error': 1_000_000 },
    uiPort: 0,
    codecEndpoint: 'http://127.0.0.1:1/codec',
  });
  expect((await ask(server, 'operator', 'namespace', 'describe', '-n', 'payments')).stdout).toContain(
    'payments',
  );
  const attributes = await ask(server, 'operator', 'search-attribute', 'list', '-n', 'payments');
  expect(attributes.stdout).toMatch(/Customer\s+Keyword/);
  // The Web UI may start later than the server.
  const settings = await vi.waitFor(
    async (): Promise<unknown> => (await fetch(`${server.uiUrl}/api/v1/settings`)).json(),
    60_000,
  );
  expect(settings).toMatchObject({ Codec: { Endpoint: 'http://127.0.0.1:1/codec' } });
});

it('startTemporal keeps workflows in the database file across a restart', async () => {
  const dbFile = join(folder, 'kept.db');
  const first = await start({ dbFile });
  const names = ['--type', 'Sample', '--task-queue', 'none', '--workflow-id', 'survivor'];
  await ask(first, 'workflow', 'start', ...names);
  await first.close();
  const second = await start({ dbFile });
  expect((await ask(second, 'workflow', 'describe', '-w', 'survivor')).stdout).toContain('survivor');
});

it('startTemporal reports the address if it is in use', async () => {
  const [port = 0] = await freePorts(1);
  const squatter = createServer().listen(port, '127.0.0.1');
  await once(squatter, 'listening');
  onTestFinished(() => void squatter.close());
  await expect(startTemporal({ port })).rejects.toThrow(
    new RegExp(`127.0.0.1:${port} ended immediately.*in use`, 's'),
  );
});

it('the server ends with its parent, even if SIGKILL ends the parent', async () => {
  const module = JSON.stringify(new URL('../src/temporal.ts', import.meta.url).href);
  const code = `const s = await (await import(${module})).startTemporal(); console.log(s.pid); setInterval(() => {}, 1e6)`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(parent.stdout, 'data');
  const server = Number(String(line));
  expect(isAlive(server)).toBe(true);
  parent.kill('SIGKILL');
  await expect.poll(() => isAlive(server), { timeout: 60_000 }).toBe(false);
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
