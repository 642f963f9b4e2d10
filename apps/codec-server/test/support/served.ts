import { connect, type Socket } from 'node:net';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import { onTestFinished } from 'vitest';
import type { AppDeps } from '../../src/app.ts';
import { listen, type ListenOptions, type RunningServer } from '../../src/server/listen.ts';
import { appWith, type Kms, type Payload, serve } from './stack.ts';

export interface Served {
  readonly port: number;
  readonly url: string;
}

/** Serves on a free port until the test ends. */
export const served = (app: ListenOptions['app']): Promise<Served> =>
  untilTheEnd(listen({ host: '127.0.0.1', port: 0, app }));

export const serveApp = (kms: Kms, deps: Partial<AppDeps>): Promise<Served> => untilTheEnd(serve(kms, deps));

/** Serves an application. `closed` resolves when the server has closed a request's connection. */
export async function serveWatched(
  kms: Kms,
  deps: Partial<AppDeps>,
): Promise<Served & { readonly closed: Promise<void> }> {
  const closed = Promise.withResolvers<void>();
  const server = await served((port) => {
    const app = appWith(kms, { hosts: [`127.0.0.1:${port}`], ...deps });
    return {
      fetch: (request, bindings) => {
        bindings.incoming?.socket.once('close', () => closed.resolve());
        return app.fetch(request, bindings);
      },
    };
  });
  return { ...server, closed: closed.promise };
}

async function untilTheEnd(starting: Promise<RunningServer>): Promise<Served> {
  const server = await starting;
  // `afterEach` in this module would take effect only in the first of the test files that share a process.
  onTestFinished(() => server.close(0));
  return { port: server.port, url: `http://127.0.0.1:${server.port}` };
}

/** Returns the options of a POST to a codec endpoint with `fetch`, which sets the Host header. */
export const posted = (body: string, signal?: AbortSignal) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json', 'x-namespace': 'payments' },
  body,
  ...(signal && { signal }),
});

/** Opens a connection, and sends the head of a POST and, if given, part of its body. */
export function startPost(port: number, path: string, head: readonly string[], body = ''): Socket {
  const socket = connect(port, '127.0.0.1');
  const lines = [
    `POST ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Content-Type: application/json',
    'X-Namespace: payments',
    ...head,
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`);
  return socket;
}

/**
 * Returns a codec that counts the payloads that it is given, and decodes none of them until `go` is called.
 */
export function waitingCodec(kms: Kms): { codec: KmsCodec; given: () => number; go: () => void } {
  const gate = Promise.withResolvers<void>();
  let given = 0;
  const codec = new Proxy(kms.codec, {
    get: (target, name) => {
      if (name === 'plan') {
        return (payloads: Payload[], context: { namespace: string }) => {
          const plan = target.plan(payloads, context);
          const decrypt = async (_: unknown, start?: number, end?: number): Promise<Payload[]> => {
            const some = payloads.slice(start, end);
            given += some.length;
            await gate.promise;
            return some;
          };
          return { payloads: plan.payloads, kmsCalls: plan.kmsCalls, decrypt };
        };
      }
      const value: any = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { codec, given: () => given, go: () => gate.resolve() };
}
