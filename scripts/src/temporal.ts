import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { startChild, type Child } from './child.ts';
import { freePorts } from './ports.ts';
import { findTemporalCli } from './temporal-cli.ts';

export { findTemporalCli } from './temporal-cli.ts';

export interface StartTemporalOptions {
  /** Created at start, beside `default`. */
  readonly namespaces?: readonly string[];
  /** SQLite file that survives a restart. Without it everything is kept in memory and lost at `close()`. */
  readonly dbFile?: string;
  /** gRPC port; a free one unless told. */
  readonly port?: number;
  /** Port of Temporal's Web UI; 0 takes a free one. Without it there is no Web UI. */
  readonly uiPort?: number;
  /** The codec server that the Web UI asks. */
  readonly codecEndpoint?: string;
  /** Search attributes to register: name and type (Keyword, Text, Int, …). */
  readonly searchAttributes?: Readonly<Record<string, string>>;
  /** Temporal's dynamic configuration; values are JSON. */
  readonly dynamicConfig?: Readonly<Record<string, unknown>>;
  /** Told what is being downloaded, if anything is. */
  readonly onProgress?: (line: string) => void;
}

export interface TemporalServer {
  /** gRPC, `127.0.0.1:PORT`. */
  readonly address: string;
  readonly uiUrl?: string;
  readonly cliPath: string;
  readonly pid: number;
  /** Resolves when the server has ended, however it ended. */
  readonly exited: Promise<number>;
  /** The server's last words. */
  readonly tail: () => string;
  close(): Promise<void>;
}

/** The CLI reads no profile file and no variable of the user's. */
const isolated = ['--disable-config-file', '--disable-config-env'];

/**
 * Starts a real Temporal development server on loopback and waits until it serves. It ends with this process.
 *
 * @throws Error with the server's own last words when it ends early or isn't ready within 30 s.
 */
export async function startTemporal(options: StartTemporalOptions = {}): Promise<TemporalServer> {
  const cliPath = await findTemporalCli(options);
  // A free port may be taken by somebody else between a look and the server's bind: ours, or one of those that it looks
  // for itself, where it panics. Those given are not ours to change.
  for (let attempt = 1; ; attempt++) {
    const [freePort = 0, freeUiPort = 0] = await freePorts(2);
    const port = options.port ?? freePort;
    const uiPort = options.uiPort === 0 ? freeUiPort : options.uiPort;
    const server = await startChild(cliPath, serverArguments(options, port, uiPort), serverEnvironment());
    try {
      await waitUntilServing(cliPath, `127.0.0.1:${port}`, server);
      return {
        address: `127.0.0.1:${port}`,
        ...(uiPort !== undefined && { uiUrl: `http://127.0.0.1:${uiPort}` }),
        cliPath,
        pid: server.pid,
        exited: server.exited,
        tail: server.tail,
        // A graceful end takes 2.6 s, worth it only where there is something to keep.
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

/** No TEMPORAL_* of the user's, and no question to the vendor whether there is a newer server. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('TEMPORAL_'));
  return { ...Object.fromEntries(kept), TEMPORAL_VERSION_CHECK_DISABLED: '1' };
}

async function waitUntilServing(cliPath: string, address: string, server: Child): Promise<void> {
  const health = ['operator', 'cluster', 'health', '--address', address, ...isolated];
  const deadline = Date.now() + 30_000;
  while (!server.hasEnded() && Date.now() < deadline) {
    const { exitCode } = await execa(cliPath, health, {
      env: serverEnvironment(),
      extendEnv: false,
      reject: false,
      timeout: 1_000,
    });
    // A stranger on the port may answer too: ours must still be alive.
    if (exitCode === 0 && !server.hasEnded()) return;
    await sleep(50);
  }
  const fault = server.hasEnded() ? 'ended at once' : 'was not ready within 30 s';
  throw new Error(`The Temporal server at ${address} ${fault}. ${server.tail()}`);
}
