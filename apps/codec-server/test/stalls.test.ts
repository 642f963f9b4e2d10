import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { block } from '@temporal-kms/scripts/block';
import { startTemporal } from '@temporal-kms/scripts/temporal';
import { Connection } from '@temporalio/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fetchJson } from '../src/access/issuer-keys.ts';
import { createTemporalService, interceptors } from '../src/temporal/service.ts';
import { forFile } from './support/for-file.ts';
import { never } from './support/memory.ts';
import { keptLog } from './support/kept-log.ts';

/*
 * A process whose event loop is blocked receives no responses, which must not count as an outage of other
 * services.
 */

const temporal = forFile(await startTemporal());

/** Repeatedly blocks the event loop until the promise settles. */
async function blockWhile<T>(pending: Promise<T>, milliseconds: number): Promise<T> {
  const settled = new AbortController();
  const settle = (): void => settled.abort();
  pending.then(settle, settle);
  while (!settled.signal.aborted) {
    block(milliseconds);
    await sleep(1);
  }
  return pending;
}

function connect(address: string) {
  const connection = Connection.lazy({ address, interceptors });
  onTestFinished(() => connection.close());
  const { log, lines } = keptLog();
  return { service: createTemporalService(connection, log), lines };
}

describe('a blocked event loop', () => {
  it('is not reported as an outage of Temporal', async () => {
    const { service, lines } = connect(temporal.address);
    expect(await blockWhile(service.healthy(never), 700)).toBe(true);
    expect(lines).toEqual([]);
  });

  it("does not make a request for an issuer's keys fail", async () => {
    const thread = new Worker(new URL('./support/json-thread.ts', import.meta.url));
    onTestFinished(async () => void (await thread.terminate()));
    const [{ port }]: any = await once(thread, 'message');
    expect(await blockWhile(fetchJson(`http://127.0.0.1:${port}/`), 1_100)).toEqual({ keys: [] });
  });
});

it('logs that Temporal does not respond if the event loop is not blocked', async () => {
  const { service, lines } = connect('127.0.0.1:1');
  expect(await service.healthy(never)).toBe(false);
  expect(lines.join('')).toContain('Temporal unavailable');
});
