import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { isAlive, runNode, startNode } from '../src/process.ts';

async function script(code: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'process-test-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'script.mjs');
  await writeFile(file, code);
  return file;
}

it('runNode returns a process’s exit status, standard output and standard error', async () => {
  const file = await script('console.log(process.argv[2]); console.error("wrong"); process.exitCode = 3;');
  expect(await runNode(file, { args: ['right'] })).toEqual({ code: 3, stdout: 'right\n', stderr: 'wrong\n' });
});

it("startNode hides the test's environment from the process", async () => {
  vi.stubEnv('TEMPORAL_ADDRESS', 'production.example.com:7233');
  const file = await script('console.log(JSON.stringify(process.env));');
  const { stdout } = await runNode(file, { env: { GIVEN: 'yes' } });
  const { PWD, OLDPWD, SHLVL, _, ...seen } = JSON.parse(stdout);
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  expect(seen).toEqual({ PATH, NODE_COMPILE_CACHE, GIVEN: 'yes' });
  // The shell that starts the process may set these variables.
  for (const value of [PWD, OLDPWD, SHLVL, _]) expect(String(value)).not.toContain('production');
  vi.unstubAllEnvs();
});

it('startNode reports the signal that ended a process', async () => {
  const running = startNode(await script('setInterval(() => {}, 1e6);'));
  expect([running.isRunning(), isAlive(running.pid)]).toEqual([true, true]);
  await running.kill();
  expect([running.isRunning(), isAlive(running.pid), await running.ended]).toEqual([false, false, 'SIGKILL']);
});

it('a process ends when the process that started it is killed', async () => {
  const module = JSON.stringify(import.meta.resolve('../src/process.ts'));
  const endless = JSON.stringify(await script('setInterval(() => {}, 1e6);'));
  const code = `import { startNode } from ${module}; console.log(startNode(${endless}).pid); setInterval(() => {}, 1e6);`;
  const parent = startNode(await script(code));
  await vi.waitFor(() => expect(parent.stdout()).toMatch(/^\d+\n$/), { timeout: 90_000 });
  const pid = Number(parent.stdout());
  expect(isAlive(pid)).toBe(true);
  await parent.kill();
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 60_000 });
}, 180_000);
