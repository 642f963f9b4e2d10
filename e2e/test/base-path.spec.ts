import { once } from 'node:events';
import { createServer, request as send, type Server } from 'node:http';
import { join } from 'node:path';
import { expect, type Page, test } from '@playwright/test';
import { type Child, startChild } from '@temporal-kms/scripts/child';
import { devEnvironment, devPorts } from '@temporal-kms/scripts/dev';
import { freePorts } from '@temporal-kms/scripts/ports';

test.use({ viewport: { width: 1440, height: 900 } });

const root = join(import.meta.dirname, '..', '..');
const PLAINTEXT = 'Please wrap it as a present';

interface Site {
  readonly origin: string;
  close(): Promise<void>;
}

/** Starts an additional codec server, which serves the built dashboard. */
async function serveDashboard(pathPrefix: string, port: number, host: string): Promise<Child> {
  const server = await startChild(
    process.execPath,
    ['--disable-sigusr1', join(root, 'apps', 'codec-server', 'src', 'main.ts')],
    {
      ...devEnvironment(process.env, devPorts(process.env)),
      CODEC_PORT: String(port),
      CODEC_METRICS_PORT: undefined,
      CODEC_CORS_ORIGINS: undefined,
      CODEC_ALLOWED_HOSTS: host,
      CODEC_DASHBOARD_DIR: process.env['DEV_DASHBOARD_DIR'],
      CODEC_PATH_PREFIX: pathPrefix || undefined,
      AUDIT_FILE: undefined,
    },
  );
  await expect
    .poll(
      () =>
        fetch(`http://127.0.0.1:${port}/readyz`).then(
          ({ status }) => status,
          () => server.tail(),
        ),
      { timeout: 120_000 },
    )
    .toBe(200);
  return server;
}

async function directly(): Promise<Site> {
  const [port = 0] = await freePorts(1);
  const server = await serveDashboard('', port, `127.0.0.1:${port}`);
  return { origin: `http://127.0.0.1:${port}`, close: () => server.stop() };
}

/** Starts a reverse proxy that forwards requests below the prefix, with their path and Host header unchanged. */
async function behindProxy(prefix: string): Promise<Site> {
  const [port = 0, codecPort = 0] = await freePorts(2);
  const server = await serveDashboard(prefix, codecPort, `127.0.0.1:${port}`);
  const proxy: Server = createServer((request, response) => {
    if (!request.url?.startsWith(`${prefix}/`)) return void response.writeHead(502).end();
    const { method, url: path, headers } = request;
    const onward = send({ host: '127.0.0.1', port: codecPort, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  proxy.listen(port, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    origin: `http://127.0.0.1:${port}`,
    close: async () => {
      proxy.close();
      proxy.closeAllConnections();
      await server.stop();
    },
  };
}

/** Records violations of the content security policy, failed requests, and requests outside the base path. */
function watch(page: Page, base: string): string[] {
  const problems: string[] = [];
  // Chromium reports a policy violation as an error on the console.
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('request', (request) => {
    if (!request.url().startsWith(base)) problems.push(`outside the base: ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`);
  });
  return problems;
}

const sites: [place: string, prefix: string, start: () => Promise<Site>][] = [
  ['served by the codec server', '', directly],
  [
    'served by the codec server behind a proxy below /tools/kms/',
    '/tools/kms',
    () => behindProxy('/tools/kms'),
  ],
];
for (const [place, prefix, start] of sites) {
  test(`the build ${place} shows the list, a run with its payloads, and a deep link after a reload`, async ({
    page,
  }) => {
    const site = await start();
    try {
      const base = `${site.origin}${prefix}/`;
      const problems = watch(page, base);
      await page.goto(base);
      await page.getByText('order-1001', { exact: true }).click();
      await page.keyboard.press('Enter');
      await expect(page.getByText(PLAINTEXT).first()).toBeVisible();
      await page
        .getByRole('row', { name: /Workflow Started|Workflow Completed|started/i })
        .first()
        .click();
      await expect(page.getByRole('complementary')).toBeVisible();
      await expect(page).toHaveURL(/[?&]ev=\d+/);
      const deep = page.url();
      expect(deep).toContain(`${base}ns/default/workflows/order-1001/`);
      await page.reload();
      await expect(page.getByText(PLAINTEXT).first()).toBeVisible();
      expect(page.url()).toBe(deep);
      await page.getByRole('navigation').getByRole('link', { name: 'Keys' }).click();
      await expect(page).toHaveURL(`${base}ns/default/keys`);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      expect(problems).toEqual([]);
    } finally {
      await site.close();
    }
  });
}
