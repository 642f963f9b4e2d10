import type { KmsCodec } from '@temporal-kms/kms-codec';
import { afterEach } from 'vitest';
import type { AppDeps } from '../../src/app.ts';
import { listen, type ListenOptions, type RunningServer } from '../../src/listen/listen.ts';
import { appWith, type Kms, type Payload } from './stack.ts';

const running: RunningServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close(0)));
});

export interface Served {
  readonly port: number;
  readonly url: string;
}

/** On a port of its own until the test ends. */
export async function served(app: ListenOptions['app']): Promise<Served> {
  const server = await listen({ host: '127.0.0.1', port: 0, app });
  running.push(server);
  return { port: server.port, url: `http://127.0.0.1:${server.port}` };
}

export const serveApp = (kms: Kms, deps: Partial<AppDeps>): Promise<Served> =>
  served((port) => appWith(kms, { hosts: [`127.0.0.1:${port}`], ...deps }));

/** A codec whose decoding waits, and counts the payloads that it was given. */
export function waitingCodec(kms: Kms): { codec: KmsCodec; given: () => number; go: () => void } {
  const gate = Promise.withResolvers<void>();
  let given = 0;
  const codec = new Proxy(kms.codec, {
    get: (target, name) => {
      if (name === 'decode') {
        return async (payloads: Payload[]) => {
          given += payloads.length;
          await gate.promise;
          return payloads;
        };
      }
      const value: any = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { codec, given: () => given, go: () => gate.resolve() };
}
