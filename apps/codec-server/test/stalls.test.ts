import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { startTemporal, type TemporalServer } from '@temporal-kms/scripts/temporal';
import { Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { fetchJson } from '../src/access/tokens/fetch-json.ts';
import { interceptors } from '../src/temporal/service.ts';
import { createTemporalService } from '../src/temporal/service.ts';
import { keptLog } from './support/stack.ts';

/* A process whose event loop stands still receives nothing; that is no outage of what it waits for. */

const never = new AbortController().signal;
let temporal: TemporalServer;
beforeAll(async () => {
  temporal = await startTemporal();
});
afterAll(() => temporal.close());

/** Blocks the event loop, as a large `JSON.parse` or a regular expression does. */
function block(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

/** Blocks the event loop in turn after turn while something is waited for. */
async function blockWhile<T>(waited: Promise<T>, milliseconds: number): Promise<T> {
  const settled = new AbortController();
  const settle = (): void => settled.abort();
  waited.then(settle, settle);
  while (!settled.signal.aborted) {
    block(milliseconds);
    await sleep(1);
  }
  return waited;
}

function connect(address: string) {
  const connection = Connection.lazy({ address, interceptors });
  onTestFinished(() => connection.close());
  const { log, lines } = keptLog();
  return { service: createTemporalService(connection, log), lines };
}

describe('an event loop that stands still', () => {
  it('is not reported as an outage of Temporal', async () => {
    const { service, lines } = connect(temporal.address);
    expect(await blockWhile(service.healthy(never), 700)).toBe(true);
    expect(lines).toEqual([]);
  });

  it("does not lose an issuer's keys", async () => {
    const thread = new Worker(new URL('./support/json-thread.ts', import.meta.url));
    onTestFinished(async () => void (await thread.terminate()));
    const [{ port }]: any = await once(thread, 'message');
    expect(await blockWhile(fetchJson(`http://127.0.0.1:${port}/`), 1_100)).toEqual({ keys: [] });
  });
});

it('reports that Temporal is down', async () => {
  const { service, lines } = connect('127.0.0.1:1');
  expect(await service.healthy(never)).toBe(false);
  expect(lines.join('')).toContain('Temporal does not answer');
});
