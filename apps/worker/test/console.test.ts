import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runNode } from '@temporal-kms/testing/process';
import { Client } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type App, startApp } from './support/app.ts';
import { chatty } from './support/chatty.ts';
import { kmsVariables, startTemporalAndKms } from './support/stack.ts';

const entry = z.object({ time: z.iso.datetime(), severity: z.string(), message: z.string() });

/** Returns the entries of a log. @throws if a line is not an entry */
const entriesOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => entry.parse(JSON.parse(line)));

describe('worker code output', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'worker-console-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  it('becomes one JSON line per call, with the method’s severity', async () => {
    const src = new URL('../src/', import.meta.url).href;
    const program = `
      import { logConsole } from '${src}console.ts';
      import { createLog, writeTo } from '${src}log.ts';
      logConsole(writeTo(createLog('trace')));
      console.log('an %s', 'order', { card: 4111 });
      console.info('two\\nlines');
      console.debug('fine');
      console.warn('careful');
      console.error(new RangeError('out of stock'));
      console.table([{ a: 1 }]);
      console.dir({ nested: { deep: [1] } });
      console.group('outer');
      console.log('inner');
      console.groupEnd();
      console.assert(1 === 2, 'no equality');
      console.assert(true, 'never');
      console.count('visits');
      console.trace('here');
      console.log();
      process.stdout.write('to the stream\\n', () => console.log('written'));
      process.stderr.write(Buffer.from('to the other'));
    `;
    const file = join(dir, 'program.mjs');
    await writeFile(file, program);
    const { code, stdout, stderr } = await runNode(file);
    expect([code, stderr]).toEqual([0, '']);
    const entries = entriesOf(stdout);
    expect(entries.map(({ severity, message }) => [severity, message])).toEqual([
      ['INFO', 'an order { card: 4111 }'],
      ['INFO', 'two\nlines'],
      ['DEBUG', 'fine'],
      ['WARNING', 'careful'],
      ['ERROR', expect.stringMatching(/^RangeError: out of stock\n/)],
      ['INFO', expect.stringContaining('(index)')],
      ['INFO', '{ nested: { deep: [ 1 ] } }'],
      ['INFO', 'outer'],
      ['INFO', '  inner'],
      ['ERROR', 'Assertion failed: no equality'],
      ['INFO', 'visits: 1'],
      ['DEBUG', expect.stringMatching(/^Trace: here\n/)],
      ['INFO', 'to the stream'],
      ['ERROR', 'to the other'],
      ['INFO', 'written'],
    ]);
  });

  it('becomes JSON in the log, even from workflows and activities', async () => {
    const services = await startTemporalAndKms();
    let app: App | undefined;
    try {
      const workflows = JSON.stringify(join(import.meta.dirname, 'support', 'chatty.ts'));
      const main = join(dir, 'main.mjs');
      await writeFile(main, `console.warn('loading'); export default { workflowsPath: ${workflows} };`);
      const env = {
        ...kmsVariables(services.emulator.address),
        TEMPORAL_ADDRESS: services.address,
        TEMPORAL_TASK_QUEUE: 'chatty',
        WORKER_CODE: main,
      };
      // Runs the worker from its sources, because a built worker has no compiler for this workflow.
      app = startApp(env, 'src/main.ts');
      await app.untilReady();
      const client = new Client({ connection: services.connection });
      const handle = await client.workflow.start(chatty, { taskQueue: 'chatty', workflowId: 'chatty' });
      const status = async () => (await handle.describe()).status.name;
      await expect.poll(status, { timeout: 60_000 }).toBe('COMPLETED');
      await expect.poll(() => app?.stdout()).toContain('loudly');
      expect(entriesOf(app.stdout())).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ severity: 'WARNING', message: 'loading' }),
          expect.objectContaining({ message: '[chatty(chatty)] from the workflow\nsecond line' }),
          expect.objectContaining({ severity: 'ERROR', message: '[chatty(chatty)] loudly' }),
        ]),
      );
    } finally {
      await app?.kill();
      await services.close();
    }
  });
});
