import { serve, type ServerType } from '@hono/node-server';
import { Conditions } from './conditions/conditions.ts';
import { createControlApp } from './control/app.ts';
import { createControls, type Controls } from './control/controls.ts';
import { newLocator, newMaterial } from './crypto/ciphertext.ts';
import { newSigningKey } from './crypto/signatures.ts';
import { cannotListen, requireLoopback } from './host.ts';
import { MovableClock, systemClock, type Clock } from './model/clock.ts';
import { parseIdentity, type Caller } from './model/iam/callers.ts';
import type { DispatchDeps } from './service/dispatch.ts';
import { seedKeys } from './service/new-key.ts';
import { memoryStore, openFileStore } from './store/store.ts';
import { listen, type Port, type TlsFiles } from './transport/port.ts';
import { loadProtos, loadRestServices } from './transport/protos.ts';
import { restRoutes } from './transport/rest/rules.ts';

export interface EmulatorOptions {
  /** The loopback address to listen on; the emulator refuses other addresses. Default `127.0.0.1`. */
  readonly host?: string;
  /** The owner's port, for gRPC and REST. If 0, the default, the system chooses a free port. */
  readonly port?: number;
  /** The port of the control API. If 0, the default, the system chooses a free port. */
  readonly controlPort?: number;
  /** The file for keys and policies, with mode 0600. By default, keys and policies are only in memory. */
  readonly dataFile?: string;
  /** Resource names of crypto keys. Missing keys are created, with their key rings and a first version. */
  readonly keys?: readonly string[];
  /**
   * The rotation period of `keys` without a rotation schedule; at least a day. By default, these keys are not
   * rotated.
   */
  readonly rotationPeriodSeconds?: number;
  /** Additional callers with their ports: `{ 'worker@p.iam.gserviceaccount.com': 0 }`. */
  readonly identities?: Readonly<Record<string, number>>;
  /**
   * A certificate for the ports of the owner and the identities. By default, these ports do not use TLS. The
   * control API never uses TLS.
   */
  readonly tls?: TlsFiles;
  /** The clock on which the emulator's movable clock is based. The default is the system's clock. */
  readonly clock?: Clock;
  /**
   * Receives the emulator's own errors, such as a failed write of the data file. By default, errors go to
   * standard error.
   */
  readonly report?: (error: unknown) => void;
  /**
   * Receives every plaintext of Encrypt and Decrypt. Tests use this function to search outputs for leaked
   * keys.
   */
  readonly plaintext?: (bytes: Uint8Array) => void;
}

/** A running emulator. */
export interface Emulator extends Controls {
  /** Host and port of the owner, who may do everything. The value for `KMS_EMULATOR_HOST`. */
  readonly address: string;
  readonly port: number;
  /** The owner's base URL for REST, such as `http://127.0.0.1:9061`. */
  readonly url: string;
  readonly controlUrl: string;
  /** Host and port of each identity, by its name in the option `identities`. */
  readonly identities: Readonly<Record<string, string>>;
  /** Ends all calls and releases the ports. Closing again has no effect. */
  close(): Promise<void>;
}

/**
 * Starts an emulator. Resolves when the emulator can answer calls.
 *
 * @throws TypeError if the address is not loopback, or a key or identity is malformed
 * @throws Error if a port is in use, or the file is not a data file
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
      material: (algorithm) => (newSigningKey(algorithm) ?? newMaterial()).toString('base64'),
      locator: (version) => newLocator(version).toString('base64'),
    },
    ...(options.plaintext && { plaintext: options.plaintext }),
    report: options.report ?? ((error) => process.stderr.write(`kms-emulator: ${String(error)}\n`)),
  };
  const { rotationPeriodSeconds: period } = options;
  const rotationPeriod = period !== undefined && { rotationPeriod: period * 1000 };
  seedKeys(deps.store.state, keys, { now: clock.now(), source: deps.source, ...rotationPeriod });
  await deps.store.save();

  const api = { protos: loadProtos(), routes: restRoutes(loadRestServices()) };
  const open: { close(): Promise<void> }[] = [];
  const listenFor = async (caller: Caller, wanted: number): Promise<Port> => {
    const bound = await listen(deps, api, { host, port: wanted, caller, tls: options.tls });
    open.push(bound);
    return bound;
  };
  const closeAll = async () => {
    await Promise.all(open.splice(0).map((closable) => closable.close()));
  };
  const url = (bound: number) => (host.includes(':') ? `[${host}]:${bound}` : `${host}:${bound}`);
  try {
    const owner = await listenFor('owner', port);
    const others: Record<string, string> = {};
    for (const [identity, caller, wanted] of callers) {
      // Opens the ports one after the other, so that the error for a port in use names the identity.
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
      url: `${options.tls === undefined ? 'http' : 'https'}://${address}`,
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
