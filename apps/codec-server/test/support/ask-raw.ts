import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

/**
 * Sends the lines of a request unchanged over a new connection, and resolves to the response. Leaves it to
 * the server to close the connection, because a client that closes its half first may count as disconnected.
 */
export async function ask(
  to: { readonly host: string; readonly port: number },
  requestLine: string,
  head: readonly string[],
): Promise<RawAnswer> {
  const socket = connect(to);
  socket.write(`${[requestLine, ...head, 'Connection: close'].join('\r\n')}\r\n\r\n`);
  const answer = await text(socket);
  const end = answer.indexOf('\r\n\r\n');
  return { status: Number(answer.split(' ', 2)[1]), head: answer.slice(0, end), body: answer.slice(end + 4) };
}
