import { connect } from 'node:net';

const WAIT_MS = 10_000;

/**
 * Sends bytes on a new connection, closes the connection's sending side, and reads the responses.
 * @returns the status of each response, in order; an empty list if the server closed the connection without a
 * response
 * @throws if the server neither responds nor closes the connection in time
 */
export async function send(port: number, bytes: Buffer): Promise<{ statuses: number[]; text: string }> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
  // A server that rejects a request closes the connection while the rest of the request is still being sent.
  socket.on('error', () => undefined);
  let late = false;
  socket.setTimeout(WAIT_MS, () => {
    late = true;
    socket.destroy();
  });
  socket.end(bytes);
  socket.on('end', () => socket.destroy());
  await closed;
  if (late) throw new Error(`no answer within ${WAIT_MS} ms to ${bytes.toString('latin1').slice(0, 4_000)}`);
  const text = Buffer.concat(chunks).toString('latin1');
  return { statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)), text };
}
