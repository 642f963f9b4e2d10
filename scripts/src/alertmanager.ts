import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import which from 'which';
import { answers, startChild, untilReady } from './child.ts';
import { findGo } from './go.ts';
import { freePorts } from './ports.ts';

/** The last version that compiles as a module. Later modules lack the files of the web page. */
const VERSION = '0.31.1';
const SOURCE = `github.com/prometheus/alertmanager/cmd/alertmanager@v${VERSION}`;

/** An alert as Alertmanager sends it. https://prometheus.io/docs/alerting/latest/configuration/#webhook_config */
interface WebhookAlert {
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: { readonly summary: string; readonly runbook: string };
  /** When the alert fired in Prometheus. */
  readonly startsAt: string;
}

export interface ReceivedAlert extends WebhookAlert {
  /** When the webhook received the alert, in milliseconds since 1970. */
  readonly receivedAt: number;
}

export interface Alertmanager {
  /** `host:port`, for Prometheus. */
  readonly address: string;
  /** Returns the firing alerts that the webhook has received, oldest first. */
  received(): readonly ReceivedAlert[];
  /** Stops the server and the webhook, and deletes the data. */
  close(): Promise<void>;
}

/**
 * Starts an Alertmanager that sends each alert immediately to a webhook in this process. Uses `alertmanager`
 * on the PATH, or builds it with Go on first use, which takes a few minutes.
 *
 * @returns undefined, after printing a message, if neither is available
 * @throws Error if Alertmanager does not start
 */
export async function startAlertmanager(): Promise<Alertmanager | undefined> {
  const file = await findAlertmanager();
  if (file === undefined) return undefined;
  const received: ReceivedAlert[] = [];
  const receive = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { alerts }: { alerts: readonly WebhookAlert[] } = JSON.parse(await text(request));
    const receivedAt = Date.now();
    received.push(
      ...alerts.filter(({ status }) => status === 'firing').map((one) => ({ ...one, receivedAt })),
    );
    response.end();
  };
  const webhook = createServer((request, response) => void receive(request, response)).listen(0, '127.0.0.1');
  await once(webhook, 'listening');
  const bound = webhook.address();
  const url = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}/`;
  const directory = await mkdtemp(join(tmpdir(), 'alertmanager-'));
  const config = join(directory, 'alertmanager.yml');
  const route = { receiver: 'webhook', group_by: ['...'], group_wait: '0s', group_interval: '1s' };
  // Alertmanager reads YAML, and JSON is valid YAML.
  const receivers = [{ name: 'webhook', webhook_configs: [{ url }] }];
  await writeFile(config, JSON.stringify({ route, receivers }));
  const [port] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const args = [
    `--config.file=${config}`,
    `--storage.path=${join(directory, 'data')}`,
    `--web.listen-address=${address}`,
    '--cluster.listen-address=',
    '--log.level=warn',
  ];
  const server = await startChild(file, args, {});
  const close = async (): Promise<void> => {
    await server.stop('SIGTERM');
    webhook.close();
    webhook.closeAllConnections();
    await rm(directory, { recursive: true, force: true });
  };
  await untilReady('Alertmanager', server, () => answers(`http://${address}/-/ready`), close);
  return { address, received: () => received, close };
}

/**
 * Returns the path of Alertmanager. Prefers the program on the PATH; otherwise builds it with Go on first
 * use. If neither is possible, prints a message and returns undefined.
 */
async function findAlertmanager(): Promise<string | undefined> {
  const present = await which('alertmanager', { nothrow: true });
  if (present) return present;
  const go = await findGo('tests with Alertmanager are skipped');
  return await go?.install(SOURCE, `alertmanager-${VERSION}`);
}
