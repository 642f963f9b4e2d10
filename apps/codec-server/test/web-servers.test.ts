import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pageBelow, pageCacheControl, pageHeaders } from '@temporal-kms/codec-api';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findCaddy } from '@temporal-kms/scripts/caddy';
import { type Child, startChild } from '@temporal-kms/scripts/child';
import { findNginx } from '@temporal-kms/scripts/nginx';
import { freePorts } from '@temporal-kms/scripts/ports';
import { ask } from './support/ask-raw.ts';

const projectRoot = join(import.meta.dirname, '../../..');
const PAGE = '<script src="/early.js"></script><div id="root"></div>';
const types = 'types { text/html html; text/javascript js; application/json json; }';

let folder: string;
let codecServer: Server;
let codecPort: number;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'temporal-kms-web-'));
  [codecPort = 0] = await freePorts(1);
  codecServer = createServer(({ url, headers }, response) => {
    response.setHeader('content-security-policy', "default-src 'none'; sandbox");
    response.setHeader('cache-control', 'no-store');
    response.end(JSON.stringify({ url, host: headers.host }));
  });
  await new Promise<void>((resolve) => {
    codecServer.listen(codecPort, '127.0.0.1', resolve);
  });
});
afterAll(async () => {
  codecServer.close();
  codecServer.closeAllConnections();
  await rm(folder, { recursive: true, force: true });
});

/** Writes a small build into a new folder. */
async function writeSite(name: string, page = PAGE): Promise<string> {
  const site = join(folder, name);
  await mkdir(join(site, 'assets'), { recursive: true });
  await writeFile(join(site, 'index.html'), page);
  await writeFile(join(site, 'config.json'), '{"apiUrl":""}');
  await writeFile(join(site, 'early.js'), 'void 0;');
  await writeFile(join(site, 'assets/app-1a2b.js'), 'export {};');
  await writeFile(join(folder, 'secret.js'), 'canary');
  await symlink(join(folder, 'secret.js'), join(site, 'assets/link-3c4d.js'));
  return site;
}

async function started(server: Child, url: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const up = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (up) return;
    if (server.hasEnded() || Date.now() > deadline) throw new Error(`No web server. ${server.tail()}`);
    await sleep(100);
  }
}

interface Running {
  readonly origin: string;
  stop(): Promise<void>;
}

/** Starts Caddy with the image's Caddyfile. Returns undefined if there is no Go to build Caddy. */
async function startCaddy(basePath: string): Promise<Running | undefined> {
  const caddy = await findCaddy('the Caddyfile is not tested');
  if (caddy === undefined) return undefined;
  const site = await writeSite(`caddy${basePath}`);
  await rm(join(site, 'assets/link-3c4d.js'));
  const config = join(folder, `Caddyfile${basePath.replaceAll('/', '-')}`);
  const caddyfile = await readFile(join(projectRoot, 'deploy/docker/Caddyfile'), 'utf8');
  await writeFile(config, caddyfile.replaceAll('/srv', site));
  const [port = 0] = await freePorts(1);
  const server = await startChild(caddy, ['run', '--config', config, '--adapter', 'caddyfile'], {
    HOME: folder,
    DASHBOARD_PORT: String(port),
    CODEC_UPSTREAM: `127.0.0.1:${codecPort}`,
    ...(basePath && { BASE_PATH: basePath }),
  });
  const origin = `http://127.0.0.1:${port}`;
  await started(server, `${origin}/healthz`);
  return { origin, stop: () => server.stop() };
}

/** Returns the commands in docs/deploy.md that write the page and the configuration for a base path. */
async function documentedCommands(): Promise<string> {
  const docs = await readFile(join(projectRoot, 'docs/deploy.md'), 'utf8');
  return /### With nginx[^]*?```sh\n([^]*?)```/.exec(docs)?.[1] ?? '';
}

async function startNginx(basePath: string): Promise<Running> {
  const nginx = await findNginx();
  const prefix = await mkdtemp(join(folder, 'nginx-'));
  const root = join(prefix, 'www');
  const site = await writeSite(join(relative(folder, prefix), basePath ? 'dist' : 'www'));
  let config = await readFile(join(projectRoot, 'deploy/nginx/dashboard.conf'), 'utf8');
  if (basePath) {
    const commands = (await documentedCommands())
      .replaceAll('/tools/kms', basePath)
      .replaceAll('/srv/dashboard', root)
      .replaceAll('deploy/nginx', join(projectRoot, 'deploy/nginx'))
      .replaceAll('dist/', `${site}/`)
      .replaceAll('/etc/nginx/conf.d', prefix);
    await execa('sh', ['-ec', commands], { cwd: prefix });
    config = await readFile(join(prefix, 'dashboard.conf'), 'utf8');
  }
  const [port = 0] = await freePorts(1);
  await writeFile(
    join(prefix, 'dashboard.conf'),
    config
      .replace('listen 8080', `listen 127.0.0.1:${port}`)
      .replace('127.0.0.1:8088', `127.0.0.1:${codecPort}`)
      .replace('/srv/dashboard', root),
  );
  // By default, an nginx that runs as root switches to another user, who cannot read the temporary folder.
  const user = process.getuid?.() === 0 ? 'user root;\n' : '';
  await writeFile(
    join(prefix, 'nginx.conf'),
    `${user}daemon off;\npid nginx.pid;\nerror_log stderr;\nevents {}\nhttp { ${types}\naccess_log off;\ninclude dashboard.conf; }\n`,
  );
  const server = await startChild(nginx, ['-p', prefix, '-c', join(prefix, 'nginx.conf')], {});
  const origin = `http://127.0.0.1:${port}`;
  await started(server, `${origin}${basePath}/`);
  return { origin, stop: () => server.stop() };
}

const normal = (name: string, value: string | null): string | null =>
  name === 'Content-Security-Policy' && value !== null
    ? value
        .split(';')
        .map((directive) => directive.trim().split(/\s+/).join(' '))
        .join('; ')
    : value;

const servers: [name: string, start: (basePath: string) => Promise<Running | undefined>][] = [
  ['Caddy', startCaddy],
  ['nginx', startNginx],
];
for (const [name, start] of servers) {
  for (const basePath of ['', '/tools/kms']) {
    describe(`${name} below the base path "${basePath}"`, () => {
      let running: Running | undefined;
      let url = '';
      beforeAll(async () => {
        running = await start(basePath);
        url = `${running?.origin}${basePath}`;
      }, 900_000);
      afterAll(() => running?.stop());
      beforeEach(({ skip }) => {
        if (running === undefined) skip();
      });

      const files = [
        '/',
        '/ns/default/workflows/a%2Fb/run',
        '/sign-in',
        '/config.json',
        '/early.js',
        '/assets/app-1a2b.js',
      ];
      it.for(files)('sends the dashboard’s headers with %s', async (path) => {
        const response = await fetch(url + path);
        expect(response.status).toBe(200);
        for (const [header, value] of Object.entries(pageHeaders()))
          expect([header, normal(header, response.headers.get(header))]).toEqual([header, value]);
        expect(response.headers.get('cache-control')).toBe(pageCacheControl(path));
      });

      it('serves the page with the base path in its URLs', async () => {
        for (const path of ['/', '/ns/default/workflows']) {
          const response = await fetch(url + path);
          expect(response.headers.get('content-type')).toMatch(/^text\/html/);
          expect(await response.text()).toBe(pageBelow(PAGE, basePath));
        }
      });

      it('does not tell caches to store a 404', async () => {
        const response = await fetch(`${url}/assets/app-9z8y.js`);
        expect(response.status).toBe(404);
        expect([null, 'no-store']).toContain(response.headers.get('cache-control'));
      });

      it.for([
        '/assets/../../secret.js',
        '/assets/%2e%2e/%2e%2e/secret.js',
        '/assets/link-3c4d.js',
        '/assets..%2f..%2fsecret.js',
      ])('does not serve files outside its folder for %s', async (path) => {
        // `fetch` would resolve the dots.
        const { host, hostname, port } = new URL(url);
        const head = [`Host: ${host}`, 'Connection: close'];
        const to = { host: hostname, port: Number(port) };
        const { status, body } = await ask(to, `GET ${basePath}${path} HTTP/1.1`, head);
        expect([200, 400, 403, 404]).toContain(status);
        expect(body).not.toContain('canary');
        if (status === 200) expect(body).toContain('<div id="root">');
      });

      if (basePath !== '') {
        it('redirects from the base path without its last slash to the page, whatever scheme and port a proxy uses', async () => {
          const response = await fetch(url, { redirect: 'manual' });
          expect([301, 308]).toContain(response.status);
          expect(response.headers.get('location')).toBe(`${basePath}/`);
        });

        it('serves nothing outside the base path', async () => {
          for (const path of ['/', '/ns/default/workflows', '/assets/app-1a2b.js', '/config.json', '/api/me'])
            expect([403, 404], path).toContain((await fetch(running?.origin + path)).status);
        });
      }

      it('forwards API requests with the path and Host unchanged, and the codec server’s headers unchanged', async () => {
        for (const path of ['/api/namespaces/a%2Fb/workflows?q=%20', '/encode', '/decode']) {
          const response = await fetch(url + path);
          const { host } = new URL(url);
          expect(await response.json()).toEqual({ url: `${basePath}${path}`, host });
          expect(response.headers.get('content-security-policy')).toContain('sandbox');
        }
      });
    });
  }
}
