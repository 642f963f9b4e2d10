import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import {
  createServer,
  type IncomingMessage,
  request as send,
  type Server,
  type ServerResponse,
} from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import {
  benchCodec,
  buildBundle,
  KEY,
  NAMESPACE,
  startBundle,
} from '@temporal-kms/codec-server/bench/bundle';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import { startEmulator } from '@temporal-kms/kms-emulator';
import { buildDashboard } from '@temporal-kms/scripts/dashboard';
import { freePorts } from '@temporal-kms/scripts/ports';
import { startTemporal } from '@temporal-kms/scripts/temporal';

/** The dashboard and Temporal's Web UI, which use the same Temporal server and codec server. */
export interface Stack {
  readonly temporalAddress: string;
  readonly codec: KmsCodec;
  readonly dashboardUrl: string;
  readonly temporalUiUrl: string;
  close(): Promise<void>;
}

/**
 * Starts Temporal with its Web UI, the KMS emulator, and the deployable builds of the codec server and the
 * dashboard.
 */
export async function startStack(): Promise<Stack> {
  const directory = await mkdtemp(join(tmpdir(), 'dashboard-bench-'));
  const [uiPort = 0, codecPort = 0, dashboardPort = 0] = await freePorts(3);
  const codecUrl = `http://127.0.0.1:${codecPort}`;
  const dashboardUrl = `http://127.0.0.1:${dashboardPort}`;
  const emulator = await startEmulator({ keys: [KEY] });
  const temporal = await startTemporal({
    namespaces: [NAMESPACE],
    uiPort,
    codecEndpoint: codecUrl,
    // By default, a run accepts only 10,000 signals.
    dynamicConfig: { 'history.maximumSignalsPerExecution': 100_000 },
  });
  const temporalUiUrl = temporal.uiUrl ?? '';
  const server = await startBundle(
    await buildBundle(join(directory, 'codec-server')),
    directory,
    {
      KMS_EMULATOR_HOST: emulator.address,
      TEMPORAL_ADDRESS: temporal.address,
      AUDIT_FILE: join(directory, 'audit.jsonl'),
      CODEC_CORS_ORIGINS: `${temporalUiUrl},${dashboardUrl}`,
    },
    { port: codecPort, anyCore: true },
  );
  const site = await serveSite(join(await buildDashboard(), 'dist'), dashboardPort, codecUrl);
  const codec = benchCodec(emulator.address);
  return {
    temporalAddress: temporal.address,
    codec,
    dashboardUrl,
    temporalUiUrl,
    async close() {
      site.close();
      site.closeAllConnections();
      await server.stop();
      await codec.close();
      await temporal.close();
      await emulator.close();
      await rm(directory, { recursive: true });
    },
  };
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** A codec server that does not permit the site's origin, so the site forwards requests to it. */
interface Behind {
  readonly target: string;
  /** An origin that the codec server permits. */
  readonly origin: string;
}

/**
 * Serves the dashboard's files as its README requires: compressed, and with a strict content security policy.
 *
 * @param apiUrl the codec server's origin, or empty if the site forwards requests to `behind`
 */
export async function serveSite(
  root: string,
  port: number,
  apiUrl: string,
  behind?: Behind,
): Promise<Server> {
  const policy =
    `default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; ` +
    `connect-src 'self' ${apiUrl}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'`;
  const names = (await readdir(root, { recursive: true })).filter((name) => extname(name) in types);
  const files = new Map<string, Buffer>();
  for (const name of names) {
    const content = await readFile(join(root, name));
    files.set(`/${name.replaceAll('\\', '/')}`, await promisify(gzip)(content));
  }
  const config = await promisify(gzip)(JSON.stringify({ apiUrl }));
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site');
    if (behind && pathname.startsWith('/api/')) return passOn(request, response, behind);
    const known = files.has(pathname) ? pathname : '/index.html';
    response.writeHead(200, {
      'content-type': pathname === '/config.json' ? 'application/json' : types[extname(known)],
      'content-encoding': 'gzip',
      'content-security-policy': policy,
    });
    return response.end(pathname === '/config.json' ? config : files.get(known));
  });
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  return server;
}

function passOn(request: IncomingMessage, response: ServerResponse, { target, origin }: Behind): void {
  const { host } = new URL(target);
  const headers = { ...request.headers, host, ...(request.headers.origin && { origin }) };
  const { method } = request;
  const passed = send(`${target}${request.url ?? '/'}`, { method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  // End the codec server's stream when the page closes.
  response.on('close', () => passed.destroy());
  passed.on('error', () => response.destroy());
  request.pipe(passed);
}
