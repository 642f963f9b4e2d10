import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { Client, Connection } from '@temporalio/client';
import { expect, it, vi } from 'vitest';
import { forFile } from '../support/for-file.ts';

/* Runs the commands in docs/moving.md that select workflows by the time of a move. */

const page = await readFile(join(import.meta.dirname, '../../../../docs/moving.md'), 'utf8');
const [, setTime = ''] = /`(T=\$\(date [^`]+)`/.exec(page) ?? [];
const commands = [...page.matchAll(/^ *(temporal workflow (?:count|delete) .+)$/gm)].map(
  ([, line = '']) => line,
);

const temporal = forFile(await startTemporal({ namespaces: ['payments'] }));

async function run(script: string): Promise<string> {
  const path = [dirname(temporal.cliPath), process.env['PATH']].join(delimiter);
  const { stdout } = await promisify(execFile)('bash', ['-euc', script], {
    env: { PATH: path, HOME: '/nonexistent', TEMPORAL_ADDRESS: temporal.address },
  });
  return stdout;
}

it('finds workflows that started before a move, with the queries in docs/moving.md', async () => {
  const connection = await Connection.connect({ address: temporal.address });
  const { workflow } = new Client({ connection, namespace: 'payments' });
  const count = async (query?: string): Promise<number> => (await workflow.count(query)).count;
  const start = (workflowId: string) => workflow.start('any', { workflowId, taskQueue: 'none' });
  await start('open');
  await (await start('closed')).terminate();
  const time = (await run(`sleep 1; ${setTime}; echo "$T"; sleep 1`)).trim();
  await start('later');
  await vi.waitUntil(
    async () => (await count('ExecutionStatus = "Terminated"')) === 1 && (await count()) === 3,
    { timeout: 20_000, interval: 100 },
  );
  await connection.close();
  // Counts the workflows instead of deleting them, because `delete` is a batch operation, which a new
  // Temporal server starts only after a while.
  const answers = commands.map((command) =>
    run(`T=${time}; ${command.replace('workflow delete', 'workflow count').replace(' --yes', '')}`),
  );
  expect(await Promise.all(answers)).toEqual(['Total: 1\n', 'Total: 1\n', 'Total: 2\n']);
});
