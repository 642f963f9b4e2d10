import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits until `target` is there: `http://…` answers with a status of success, `host:port` accepts a connection.
 *
 * @throws Error after `seconds`, with what was seen last.
 */
export async function waitUntilReady(target: string, seconds = 60): Promise<void> {
  const deadline = Date.now() + seconds * 1_000;
  for (;;) {
    const fault = await probe(target);
    if (fault === undefined) return;
    if (Date.now() > deadline) throw new Error(`${target} was not ready within ${seconds} s: ${fault}`);
    await sleep(150);
  }
}

async function probe(target: string): Promise<string | undefined> {
  try {
    if (target.startsWith('http')) {
      const response = await fetch(target, { signal: AbortSignal.timeout(5_000) });
      return response.ok ? undefined : `status ${response.status}, ${(await response.text()).slice(0, 200)}`;
    }
    const { hostname, port } = new URL(`tcp://${target}`);
    const socket = connect({ host: hostname, port: Number(port), timeout: 5_000 });
    await once(socket, 'connect');
    socket.destroy();
    return undefined;
  } catch (error) {
    // fetch hides the reason one level down.
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return reason instanceof Error ? reason.message : String(reason);
  }
}
