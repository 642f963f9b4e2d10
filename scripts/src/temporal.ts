import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { startChild, type Child } from './child.ts';
import { freePorts } from './ports.ts';
import { findTemporalCli } from './temporal-cli.ts';

export { findTemporalCli } from './temporal-cli.ts';

export interface StartTemporalOptions {
  /** Namespaces to create in addition to `default`. */
  readonly namespaces?: readonly string[];
  /** The SQLite file for the data. By default, the data is in memory until `close()`. */
  readonly dbFile?: string;
  /** SQLite pragmas, such as `synchronous`. */
  readonly sqlitePragmas?: Readonly<Record<string, string>>;
  /** The gRPC port. The default is a free port. */
  readonly port?: number;
  /** The port of Temporal's Web UI, or 0 for a free port. If absent, the server has no Web UI. */
  readonly uiPort?: number;
  /** URL of the codec server for the Web UI. */
  readonly codecEndpoint?: string;
  /** Search attributes to register: name and type (Keyword, Text, Int, …). */
  readonly searchAttributes?: Readonly<Record<string, string>>;
  /** Temporal's dynamic configuration. Values become JSON. */
  readonly dynamicConfig?: Readonly<Record<string, unknown>>;
  /** Receives one line before a download starts. */
  readonly onProgress?: (line: string) => void;
}

export interface TemporalServer {
  /** The gRPC address, `127.0.0.1:PORT`. */
  readonly address: string;
  readonly uiUrl?: string;
  readonly cliPath: string;
  readonly pid: number;
  /** Resolves with the exit status when the server has ended for any reason. */
  readonly exited: Promise<number>;
  /** Returns the last kilobytes of the server's output. */
  readonly tail: () => string;
  close(): Promise<void>;
}

/** Keeps the CLI from reading the user's profile file and variables. */
const isolated = ['--disable-config-file', '--disable-config-env'];

/**
 * Starts Temporal's development server on loopback and waits until it is healthy. The server ends when this process ends.
 *
 * @throws Error with the server's last output if it ends early or is not ready within 90 s
 */
export async function startTemporal(options: StartTemporalOptions = {}): Promise<TemporalServer> {
  const cliPath = await findTemporalCli(options);
  // Another process can take a free port before the server binds it. If this happens to a port that the
  // server has chosen itself, the server panics. Therefore, this function tries again with other ports,
  // unless the caller has chosen the port.
  for (let attempt = 1; ; attempt++) {
    const [freePort = 0, freeUiPort = 0] = await freePorts(2);
    const port = options.port ?? freePort;
    const uiPort = options.uiPort === 0 ? freeUiPort : options.uiPort;
    const server = await startChild(cliPath, serverArguments(options, port, uiPort), serverEnvironment());
    try {
      await waitUntilServing(cliPath, port, server);
      return {
        address: `127.0.0.1:${port}`,
        ...(uiPort !== undefined && { uiUrl: `http://127.0.0.1:${uiPort}` }),
        cliPath,
        pid: server.pid,
        exited: server.exited,
        tail: server.tail,
        // A graceful shutdown takes 2.6 s, and only a server with a database file needs one.
        close: () => server.stop(options.dbFile ? 'SIGTERM' : 'SIGKILL'),
      };
    } catch (error) {
      const endedAtOnce = server.hasEnded();
      await server.stop('SIGKILL');
      if (attempt === 3 || options.port !== undefined || !endedAtOnce) throw error;
    }
  }
}

function serverArguments(options: StartTemporalOptions, port: number, uiPort: number | undefined): string[] {
  const args = [
    'server',
    'start-dev',
    '--ip',
    '127.0.0.1',
    '--port',
    String(port),
    '--log-level',
    'error',
    ...isolated,
  ];
  if (uiPort === undefined) args.push('--headless');
  else args.push('--ui-port', String(uiPort), '--ui-disable-news-fetch');
  if (options.dbFile) args.push('--db-filename', options.dbFile);
  for (const [name, value] of Object.entries(options.sqlitePragmas ?? {}))
    args.push('--sqlite-pragma', `${name}=${value}`);
  if (options.codecEndpoint) args.push('--ui-codec-endpoint', options.codecEndpoint);
  for (const namespace of options.namespaces ?? []) args.push('--namespace', namespace);
  for (const [name, type] of Object.entries(options.searchAttributes ?? {})) {
    args.push('--search-attribute', `${name}=${type}`);
  }
  for (const [key, value] of Object.entries(options.dynamicConfig ?? {})) {
    args.push('--dynamic-config-value', `${key}=${JSON.stringify(value)}`);
  }
  return args;
}

/**
 * Returns an environment without the user's TEMPORAL_* variables and without the check for a newer version.
 */
function serverEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_'));
  return { ...Object.fromEntries(kept), TEMPORAL_VERSION_CHECK_DISABLED: '1' };
}

/**
 * Returns whether a process accepts connections. Does not bind the port, because the server may be about to
 * bind it.
 */
async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function waitUntilServing(cliPath: string, port: number, server: Child): Promise<void> {
  const address = `127.0.0.1:${port}`;
  const health = ['operator', 'cluster', 'health', '--address', address, ...isolated];
  const options = { env: serverEnvironment(), extendEnv: false, reject: false, timeout: 30_000 } as const;
  const deadline = Date.now() + 90_000;
  while (!server.hasEnded() && Date.now() < deadline) {
    // The health check starts the CLI, a large program, so it runs only once the server listens.
    const isHealthy = (await listens(port)) && (await execa(cliPath, health, options)).exitCode === 0;
    // Another process may answer on this port, so the condition also requires that the server is running.
    if (isHealthy && !server.hasEnded()) return;
    await sleep(50);
  }
  if (server.hasEnded()) await server.exited;
  const fault = server.hasEnded() ? 'ended immediately' : 'was not ready within 90 s';
  throw new Error(`The Temporal server at ${address} ${fault}. ${server.tail()}`);
}
