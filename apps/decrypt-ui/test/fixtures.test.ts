import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@temporal-kms/scripts/ports';
import { expect, it, onTestFinished } from 'vitest';

const main = fileURLToPath(new URL('./fixtures/main.ts', import.meta.url));

it('serves the fixtures on DEV_CODEC_PORT, unless the command line names a port', async () => {
  const [fromVariable = 0, fromArgument = 0] = await freePorts(2);
  const env = { PATH: process.env['PATH'], DEV_CODEC_PORT: String(fromVariable) };
  const starts = [
    [fromVariable, []],
    [fromArgument, [String(fromArgument)]],
  ] as const;
  const started = starts.map(async ([port, args]) => {
    const server = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void server.kill());
    await once(server.stdout, 'data');
    expect((await fetch(`http://127.0.0.1:${port}/api/health`)).status).toBe(200);
  });
  await Promise.all(started);
}, 180_000);
