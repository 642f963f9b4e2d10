import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { waitUntilReady } from '../src/dev/probe.ts';
import { freePorts } from '../src/ports.ts';

/** Answers 503 until the given number of questions was asked. */
async function startLate(refusals: number): Promise<string> {
  const server = createServer((_, response) => response.writeHead(refusals-- > 0 ? 503 : 200).end('not yet'));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
}

test('waits until a page answers with success', async () => {
  await waitUntilReady(`http://${await startLate(3)}`, 10);
});

test('takes an open port for ready where there is no page', async () => {
  await waitUntilReady(await startLate(1_000), 1);
});

test('gives up in time and says what it saw last', async () => {
  const unready = `http://${await startLate(1_000)}/readyz`;
  await expect(waitUntilReady(unready, 0.2)).rejects.toThrow(
    `${unready} was not ready within 0.2 s: status 503, not yet`,
  );
  const [port] = await freePorts(1);
  await expect(waitUntilReady(`127.0.0.1:${port}`, 0.2)).rejects.toThrow('ECONNREFUSED');
  await expect(waitUntilReady(`http://127.0.0.1:${port}`, 0.2)).rejects.toThrow('ECONNREFUSED');
});
