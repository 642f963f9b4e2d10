import { once } from 'node:events';
import { connect, createServer, type ServerHttp2Session } from 'node:http2';

export interface DenyingProxy {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  close(): Promise<void>;
}

/** gRPC's code of `UNIMPLEMENTED`. Temporal's SDK repeats polls that are denied for other reasons. */
const UNIMPLEMENTED = '12';

/** Starts a proxy in front of Temporal that passes every call on, except polls for tasks, which it
 * does not know, as a server of another version. */
export async function startDenyingProxy(target: string): Promise<DenyingProxy> {
  const upstream = connect(`http://${target}`);
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on('session', (session) => void sessions.add(session));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    if (/\/Poll\w+TaskQueue$/.test(headers[':path'] ?? '')) {
      const denied = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': UNIMPLEMENTED };
      stream.respond(denied, { endStream: true });
      return;
    }
    const passed = upstream.request({ ...headers, ':authority': target });
    passed.on('error', () => stream.destroy());
    stream.pipe(passed);
    passed.on('response', (answer, flags) => {
      const isComplete = (flags & 1) === 1;
      stream.respond(answer, { waitForTrailers: !isComplete, endStream: isComplete });
      if (!isComplete) passed.pipe(stream);
    });
    let trailers = {};
    passed.on('trailers', (given) => (trailers = given));
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  return {
    address: `127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}`,
    close: async () => {
      for (const session of sessions) session.destroy();
      upstream.destroy();
      server.close();
    },
  };
}
