import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { rotationLines, shellLines, waitUntilReady } from '../src/dev/ready.ts';
import { freePorts } from '../src/ports.ts';

/** Starts a server that answers 503 to the first `refusals` requests. */
async function startLate(refusals: number): Promise<string> {
  const server = createServer((_, response) => response.writeHead(refusals-- > 0 ? 503 : 200).end('not yet'));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
}

it('waitUntilReady waits until a page responds successfully', async () => {
  await waitUntilReady(`http://${await startLate(3)}`, 10);
});

it('waitUntilReady waits until a port accepts connections', async () => {
  await waitUntilReady(await startLate(1_000), 1);
});

it('waitUntilReady gives up after the time limit, and reports the last fault', async () => {
  const unready = `http://${await startLate(1_000)}/readyz`;
  await expect(waitUntilReady(unready, 0.2)).rejects.toThrow(
    `${unready} was not ready within 0.2 s: status 503, not yet`,
  );
  const [port] = await freePorts(1);
  await expect(waitUntilReady(`127.0.0.1:${port}`, 0.2)).rejects.toThrow('ECONNREFUSED');
  await expect(waitUntilReady(`http://127.0.0.1:${port}`, 0.2)).rejects.toThrow('ECONNREFUSED');
});

it("shellLines returns the commands that connect Temporal's CLI to the stack", () => {
  expect(shellLines('/opt/temporal/bin/temporal', 17_233, 18_088)).toEqual([
    'export PATH="/opt/temporal/bin:$PATH"',
    'export TEMPORAL_ADDRESS=127.0.0.1:17233',
    'temporal workflow show --workflow-id order-1001 -o json --codec-endpoint http://127.0.0.1:18088',
  ]);
});

it('rotationLines returns the commands that rotate the key, now or on its schedule', () => {
  expect(rotationLines(19_062)).toEqual([
    'npx -y pnpm@12.21.0 kms-emulator --control-port 19062 rotate',
    'npx -y pnpm@12.21.0 kms-emulator --control-port 19062 clock --advance 90d',
  ]);
});
