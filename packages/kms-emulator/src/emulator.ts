import { serve, type ServerType } from '@hono/node-server';
import { Conditions } from './conditions/conditions.ts';
import { createControlApp } from './control/app.ts';
import { createControls, type Controls } from './control/controls.ts';
import { newLocator, newMaterial } from './crypto/ciphertext.ts';
import { cannotListen, requireLoopback } from './host.ts';
import { MovableClock, systemClock, type Clock } from './model/clock.ts';
import { parseIdentity, type Caller } from './model/iam/callers.ts';
import type { DispatchDeps } from './service/dispatch.ts';
import { seedKeys } from './service/seed.ts';
import { memoryStore, openFileStore } from './store/store.ts';
import { listen, type GrpcPort } from './transport/grpc-server.ts';
import { loadProtos } from './transport/protos.ts';

export interface EmulatorOptions {
  /** A loopback address; any other is refused. Default `127.0.0.1`. */
  readonly host?: string;
  /** The owner's gRPC port; 0 (default) takes a free one. */
  readonly port?: number;
  /** The control API's port; 0 (default) takes a free one. */
  readonly controlPort?: number;
  /** Where keys and policies are kept, mode 0600. Absent: in memory only. */
  readonly dataFile?: string;
  /** Crypto keys (resource names) to create where they are missing, with their rings and a first version. */
  readonly keys?: readonly string[];
  /** Further callers, each with a port of its own: `{ 'worker@p.iam.gserviceaccount.com': 0 }`. */
  readonly identities?: Readonly<Record<string, number>>;
  /** The clock under the movable one. Default: the system's. */
  readonly clock?: Clock;
  /** Gets the emulator's own errors, such as a data file that can't be written. Default: standard error. */
  readonly report?: (error: unknown) => void;
  /**
   * Gets every plaintext that was encrypted or decrypted, whoever asked: for tests that look for data keys where none
   * may be.
   */
  readonly plaintext?: (bytes: Uint8Array) => void;
}

/** A running emulator. */
export interface Emulator extends Controls {
  /** Host and port of the owner, who may do everything. What `KMS_EMULATOR_HOST` takes. */
  readonly address: string;
  readonly port: number;
  readonly controlUrl: string;
  /** Host and port of each identity, by the name that it was given. */
  readonly identities: Readonly<Record<string, string>>;
  /** Ends all calls and frees the ports. May be called again. */
  close(): Promise<void>;
}

/**
 * Starts an emulator and resolves when it answers.
 *
 * @throws TypeError for an address beyond loopback, a malformed key or identity; Error for a port that is
 * taken or a data file that isn't one.
 */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { host = '127.0.0.1', port = 0, controlPort = 0, dataFile, keys = [], identities = {} } = options;
  requireLoopback(host);
  const callers = Object.entries(identities).map(
    ([identity, identityPort]) => [identity, parseIdentity(identity), identityPort] as const,
  );
  const clock = new MovableClock(options.clock ?? systemClock);
  const deps: DispatchDeps = {
    store: dataFile === undefined ? memoryStore() : await openFileStore(dataFile),
    conditions: new Conditions(),
    clock,
    source: {
      material: () => newMaterial().toString('base64'),
      locator: (version) => newLocator(version).toString('base64'),
    },
    ...(options.plaintext && { plaintext: options.plaintext }),
    report: options.report ?? ((error) => process.stderr.write(`kms-emulator: ${String(error)}\n`)),
  };
  seedKeys(deps.store.state, keys, clock.now(), deps.source);
  await deps.store.save();

  const protos = loadProtos();
  const open: { close(): Promise<void> }[] = [];
  const listenFor = async (caller: Caller, wanted: number): Promise<GrpcPort> => {
    const bound = await listen(deps, protos, { host, port: wanted, caller });
    open.push(bound);
    return bound;
  };
  const closeAll = async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  };
  const url = (bound: number) => (host.includes(':') ? `[${host}]:${bound}` : `${host}:${bound}`);
  try {
    const owner = await listenFor('owner', port);
    const others: Record<string, string> = {};
    for (const [identity, caller, wanted] of callers) {
      // One after the other, so that a port that is taken is named as that identity's.
      // oxlint-disable-next-line no-await-in-loop
      others[identity] = url((await listenFor(caller, wanted)).port);
    }
    const controls = createControls(deps, clock);
    const address = url(owner.port);
    const app = createControlApp(controls, { address, identities: others });
    const control = await listenControl(app.fetch, host, controlPort);
    open.push(control);
    return {
      ...controls,
      address,
      port: owner.port,
      controlUrl: `http://${url(control.port)}`,
      identities: others,
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function listenControl(
  fetch: (request: Request) => Response | Promise<Response>,
  hostname: string,
  port: number,
): Promise<{ port: number; close(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server: ServerType = serve({ fetch, hostname, port }, (info) => {
      resolve({
        port: info.port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            if ('closeAllConnections' in server) server.closeAllConnections();
          }),
      });
    });
    server.once('error', (error) => {
      reject(cannotListen(`${hostname}:${port}`, error));
    });
  });
}
