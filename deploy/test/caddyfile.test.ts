import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findCaddy } from '@temporal-kms/scripts/caddy';
import { answers, type Child, startChild, untilReady } from '@temporal-kms/scripts/child';
import { freePorts } from '@temporal-kms/scripts/ports';
import { projectRoot } from '@temporal-kms/scripts/project';

const docker = join(projectRoot, 'deploy/docker');

let folder: string;
let caddy: string | undefined;
let server: Child | undefined;
let url: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'temporal-kms-caddy-'));
  caddy = await findCaddy('the Caddyfile is not tested');
  if (caddy === undefined) return;
  const site = join(folder, 'srv');
  await mkdir(join(site, 'assets'), { recursive: true });
  await writeFile(join(site, 'index.html'), '<div id="root"></div>');
  await writeFile(join(site, 'assets/app-1a2b.js'), 'export {};');
  const config = join(folder, 'Caddyfile');
  const text = await readFile(join(docker, 'Caddyfile'), 'utf8');
  await writeFile(config, text.replaceAll('/srv', site));
  const [port, unused] = await freePorts(2);
  url = `http://127.0.0.1:${port}`;
  const started = await startChild(caddy, ['run', '--config', config, '--adapter', 'caddyfile'], {
    // Caddy cannot create a folder here, as in a container with a read-only file system.
    HOME: '/proc/self/fdinfo',
    DASHBOARD_PORT: String(port),
    CODEC_UPSTREAM: `127.0.0.1:${unused}`,
  });
  server = started;
  await untilReady(
    'Caddy',
    started,
    () => answers(`${url}/healthz`),
    () => started.stop(),
  );
}, 900_000);
afterAll(async () => {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function get(path: string): Promise<{ status: number; body: string; cached: string | null }> {
  const response = await fetch(url + path);
  const cached = response.headers.get('cache-control');
  return { status: response.status, body: await response.text(), cached };
}

describe('the dashboard’s Caddyfile', () => {
  beforeEach(({ skip }) => {
    if (caddy === undefined) skip();
  });

  it('lets browsers cache files whose names contain a hash', async () => {
    expect(await get('/assets/app-1a2b.js')).toEqual({
      status: 200,
      body: 'export {};',
      cached: 'public, max-age=31536000, immutable',
    });
  });

  it('responds to another version’s file name with a 404 that no cache may store', async () => {
    expect(await get('/assets/app-9z8y.js')).toEqual({ status: 404, body: '', cached: null });
  });

  it.for(['/', '/ns/default/workflows'])(
    'serves the page at %s, and makes browsers revalidate it each time',
    async (path) => {
      expect(await get(path)).toEqual({ status: 200, body: '<div id="root"></div>', cached: 'no-cache' });
    },
  );

  it('serves the configuration with a header that forbids caching', async () => {
    expect(await get('/config.json')).toEqual({
      status: 200,
      body: '{"apiUrl":"","temporalUiUrl":""}',
      cached: 'no-store',
    });
  });

  it('starts without an error on a read-only file system', () => {
    expect(server?.tail()).toContain('serving initial configuration');
    expect(server?.tail()).not.toContain('"level":"error"');
  });

  it('is tested with the Caddy version in the image', async () => {
    const [, version] =
      /^FROM caddy:([\d.]+)-/m.exec(await readFile(join(docker, 'Dockerfile'), 'utf8')) ?? [];
    const { stdout } = await execa(caddy ?? '', ['version']);
    expect(stdout.split(' ')[0]).toBe(`v${version}`);
  });
});
