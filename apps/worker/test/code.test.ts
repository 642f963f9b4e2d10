import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCode } from '../src/code.ts';
import { runWorker } from './support/app.ts';
import { kmsVariables } from './support/stack.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'worker-code-'));
});
afterAll(() => rm(dir, { recursive: true }));

/** The settings of a built worker, which has no compiler. */
const built = { namespace: 'default', taskQueue: 'payments', hasCompiler: false };
const pluginAdding = (options: string): string =>
  `{ name: "mine", configureWorker: (given) => ({ ...given, ${options} }) }`;

let written = 0;
async function moduleWith(text: string): Promise<string> {
  written += 1;
  const path = join(dir, `code-${written}.mjs`);
  await writeFile(path, text);
  return path;
}

describe('the code that WORKER_CODE names', () => {
  it('is a module’s default export, which may contain further worker options', async () => {
    const path = await moduleWith(
      'export default { activities: {}, maxConcurrentActivityTaskExecutions: 7 }',
    );
    const { code } = await loadCode(path, built);
    expect(code).toEqual({ activities: {}, maxConcurrentActivityTaskExecutions: 7 });
  });

  it.each([
    ['that cannot be compiled', 'export default {', /does not load: .*/],
    ['that throws', 'throw new Error("no database")', /does not load: no database$/],
    [
      'without a default export',
      'export const activities = {}',
      /must have a default export that is an object\.$/,
    ],
    ['without workflows and activities', 'export default { buildId: "1" }', /exports no workflowBundle/],
    [
      "with an option that the worker's variables set",
      'export default { activities: {}, taskQueue: "a" }',
      /exports taskQueue, which TEMPORAL_TASK_QUEUE sets\.$/,
    ],
    [
      'with uncompiled workflows, in a built worker',
      'export default { workflowsPath: "/w.ts" }',
      /exports workflowsPath, but .*: export workflowBundle instead/,
    ],
    [
      'with a plugin that adds uncompiled workflows, in a built worker',
      `export default { activities: {}, plugins: [${pluginAdding('workflowsPath: "/w.ts"')}] }`,
      /has a plugin that adds workflowsPath, but .*: export workflowBundle instead/,
    ],
  ])('cannot be a module %s', async (_, text, message) => {
    const path = await moduleWith(text);
    await expect(loadCode(path, built)).rejects.toThrow(message);
    await expect(loadCode(path, built)).rejects.toThrow(`WORKER_CODE: ${path}`);
  });

  it.each([
    ['that the code exports', 'export default { workflowsPath: "/w.ts" }'],
    ['that a plugin adds', `export default { plugins: [${pluginAdding('workflowsPath: "/w.ts"')}] }`],
  ])('may contain uncompiled workflows %s, if the worker has a compiler', async (_, text) => {
    const { options } = await loadCode(await moduleWith(text), { ...built, hasCompiler: true });
    expect(options).toMatchObject({ workflowsPath: '/w.ts', taskQueue: 'payments' });
  });

  it('may contain a plugin that compiles the exported workflows', async () => {
    const plugin = pluginAdding('workflowsPath: undefined, workflowBundle: { code: "" }');
    const path = await moduleWith(`export default { workflowsPath: "/w.ts", plugins: [${plugin}] }`);
    const { options } = await loadCode(path, built);
    expect(options.workflowBundle).toEqual({ code: '' });
  });

  it.each([
    ['cannot be loaded', () => join(dir, 'missing.mjs'), /WORKER_CODE: .* does not load/],
    [
      'has a plugin with a workflow bundle that would store failures in plaintext',
      () =>
        moduleWith(
          'const workflowBundle = { code: "" };' +
            'export default { plugins: [{ name: "mine", configureWorker: (o) => ({ ...o, workflowBundle }) }] }',
        ),
      /workflow bundle contains no failure converter/,
    ],
    [
      'has a workflow bundle that would store failures in plaintext',
      () => moduleWith('export default { workflowBundle: { code: "globalThis.__TEMPORAL__ = {}" } }'),
      /workflow bundle contains no failure converter/,
    ],
  ])('makes the worker exit with 78 if it %s', async (_, path, message) => {
    const variables = { ...kmsVariables('127.0.0.1:9'), WORKER_CODE: await path() };
    const { code, stdout } = await runWorker([], variables);
    expect(code).toBe(78);
    expect(stdout).toMatch(message);
  });
});
