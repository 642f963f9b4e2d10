import { type Emulator, type EmulatorOptions, startEmulator } from '@temporal-kms/kms-emulator';
import {
  startTemporal,
  type StartTemporalOptions,
  type TemporalServer,
} from '@temporal-kms/scripts/temporal';
import { Connection, type ConnectionOptions } from '@temporalio/client';
import { NativeConnection, type Worker } from '@temporalio/worker';

/** Closes the parts that a test has started, in reverse order. */
export class Closers {
  readonly #closers: (() => Promise<unknown>)[] = [];

  /** Calls `close` when the parts are closed. */
  defer(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }

  /** Registers `part` to be closed with the other parts, and returns it. */
  use<T extends { close(): Promise<unknown> }>(part: T): T {
    this.defer(() => part.close());
    return part;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).toReversed()) await close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export interface RunningWorker {
  /** Shuts the worker down if it is still running. @throws the error that ended the worker */
  stop(): Promise<void>;
}

/** Runs a worker until the test stops it or the parts are closed. */
export function runUntilStopped(worker: Worker, closers: Closers): RunningWorker {
  const ended = worker.run();
  // stop() reports a failure. The rejection is also handled here, so that Node does not report it as
  // unhandled before stop() is called.
  ended.catch(() => undefined);
  const stop = async () => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await ended;
  };
  closers.defer(stop);
  return { stop };
}

export interface TemporalStack {
  readonly server: TemporalServer;
  /** `127.0.0.1:PORT` */
  readonly address: string;
  readonly connection: Connection;
  /**
   * Returns a connection for workers. It is opened only at the first call, so that a test can install its
   * `Runtime` beforehand.
   */
  native(): Promise<NativeConnection>;
  /** Further parts, which are closed before the connections and the server. */
  readonly closers: Closers;
  readonly close: () => Promise<void>;
}

/** Starts a Temporal development server and connects a client to it. */
export async function startTemporalStack(
  options: StartTemporalOptions = {},
  connectionOptions: Omit<ConnectionOptions, 'address'> = {},
): Promise<TemporalStack> {
  const closers = new Closers();
  try {
    const server = closers.use(await startTemporal(options));
    const { address } = server;
    const connection = closers.use(await Connection.connect({ ...connectionOptions, address }));
    let native: Promise<NativeConnection> | undefined;
    closers.defer(async () => (await native)?.close());
    return {
      server,
      address,
      connection,
      native: () => (native ??= NativeConnection.connect({ address })),
      closers,
      close: () => closers.close(),
    };
  } catch (error) {
    await closers.close();
    throw error;
  }
}

/** Starts a Temporal development server, a client connected to it, and a KMS emulator. */
export async function startStack({
  temporal,
  emulator: emulatorOptions,
}: {
  readonly temporal?: StartTemporalOptions;
  readonly emulator: EmulatorOptions;
}): Promise<TemporalStack & { readonly emulator: Emulator }> {
  const emulator = await startEmulator(emulatorOptions);
  try {
    const stack = await startTemporalStack(temporal);
    stack.closers.use(emulator);
    return { ...stack, emulator };
  } catch (error) {
    await emulator.close();
    throw error;
  }
}
