import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { historyFrame, workflowList } from '@temporal-kms/codec-api';
import { closeServer, listenOnLoopback } from '@temporal-kms/testing/network';
import { afterAll, afterEach, expect, onTestFinished, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { folderForFile, forFile } from '../support/for-file.ts';
import { keepForSearch, RUN_FOLDER } from '../support/leak-search.ts';
import { copyServer } from '../support/limited-server.ts';
import { keepAnswers, untilListening } from '../support/process.ts';
import { posted } from '../support/served.ts';
import { eventually, lines, NAMESPACE, runOf, runPath, startStack } from '../support/temporal.ts';

// This is the deployed artefact: the bundle's files in an otherwise empty folder, without node_modules in any
// parent folder.
const directory = await copyServer();
afterAll(() => rm(directory, { recursive: true }));
const stack = forFile(await startStack());

/** Where Node caches compiled modules, so that each process starts faster. */
const compileCache = await folderForFile();

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

const { version } = packageJson;
const keyVariables = { GCP_PROJECT: 'test', GCP_KMS_KEY_RING: 'temporal-keys', GCP_KMS_KEY: 'payments' };
const SECRET = 'canary-b0d1e5';

function start(env: Record<string, string>, args: string[] = []) {
  const child = spawn(process.execPath, [...keepAnswers, 'main.mjs', ...args], {
    cwd: directory,
    env: { HOME: directory, NODE_COMPILE_CACHE: compileCache, [RUN_FOLDER]: process.env[RUN_FOLDER], ...env },
  });
  running.push(child);
  const output = { out: '', err: '' };
  for (const [name, stream] of [['out', child.stdout] as const, ['err', child.stderr] as const]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      keepForSearch(text);
    });
  }
  const exited = once(child, 'close').then(([code]) => ({ code, ...output }));
  return { child, output, exited };
}

async function startServing(env: Record<string, string> = {}) {
  const server = start({
    ...keyVariables,
    KMS_EMULATOR_HOST: stack.kms.emulator.address,
    TEMPORAL_ADDRESS: stack.server.address,
    TEMPORAL_NAMESPACE: NAMESPACE,
    CODEC_PORT: '0',
    ...env,
  });
  const { url } = await untilListening(server);
  return { ...server, url };
}

const post = (url: string, body: string) => fetch(url, posted(body));

test('consists of three files: the Node version check, the server, and the worker thread for large payloads', async () => {
  expect((await readdir(directory)).toSorted()).toEqual(['app.mjs', 'main.mjs', 'text-worker.mjs']);
});

test('encodes, decodes and lists without node_modules, and reports its version and that its keys come from an emulator', async () => {
  const { url, output } = await startServing();
  const payload = {
    metadata: { encoding: 'anNvbi9wbGFpbg==' },
    data: Buffer.from(JSON.stringify(SECRET)).toString('base64'),
  };
  const encoded = await (await post(`${url}/encode`, JSON.stringify({ payloads: [payload] }))).text();
  expect(encoded).toContain(Buffer.from('binary/envelope-kms-v2').toString('base64'));
  expect(await (await post(`${url}/decode`, encoded)).json()).toEqual({ payloads: [payload] });
  const listed = await fetch(`${url}/api/namespaces/${NAMESPACE}/workflows`);
  expect(workflowList.parse(await listed.json()).workflows).toEqual(expect.any(Array));
  expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({
    status: 'ready',
    kms: { status: 'ok', emulator: true },
  });
  expect(await (await fetch(`${url}/version`)).json()).toEqual({ version });
  expect(output.out).toContain('KMS_EMULATOR_HOST is set');
  expect(output.out).toContain('AUTH=none');
  expect(output.out + output.err).not.toContain(SECRET);
  expect(output.err).toBe('');
});

test('ends a stream with an end line, and exits with status 0, even after several signals', async () => {
  const { url, child, exited } = await startServing();
  const handle = await stack.start('everywhere', [SECRET]);
  const stream = lines(await fetch(`${url}${runPath(await runOf(handle))}/history?live=true`), historyFrame);
  expect((await stream.next()).value).toMatchObject({ type: 'events' });
  child.kill('SIGINT');
  child.kill('SIGTERM');
  child.kill('SIGINT');
  let last;
  for await (const frame of stream) last = frame;
  expect(last).toMatchObject({ type: 'end', reason: 'shutdown' });
  const { code, out } = await exited;
  expect(code).toBe(0);
  expect(out.split('\n').filter((line) => line.includes('"stopping"'))).toHaveLength(1);
  await handle.terminate();
});

test.each([
  ['without its variables', {}, /GCP_PROJECT[^]*GCP_KMS_KEY_RING[^]*GCP_KMS_KEY/],
  [
    "while Google's client would print data keys",
    { ...keyVariables, GOOGLE_SDK_NODE_LOGGING: 'true' },
    /GOOGLE_SDK_NODE_LOGGING/,
  ],
  [
    'while Node would print data keys and tokens',
    { ...keyVariables, NODE_DEBUG: 'stream,net' },
    /NODE_DEBUG/,
  ],
  [
    'with an inspector',
    { ...keyVariables, NODE_OPTIONS: '--inspect=127.0.0.1:0' },
    /NODE_OPTIONS[^]*--inspect: it opens an inspector/,
  ],
  ['with a missing profile', { ...keyVariables, TEMPORAL_PROFILE: 'nowhere' }, /TEMPORAL_\*[^]*nowhere/],
])('refuses to start %s, with status 78', async (_, env, message) => {
  const { code, out, err } = await start(env).exited;
  expect([code, out]).toEqual([78, '']);
  expect(err).toMatch(message);
});

test('opens no inspector on SIGUSR1, and keeps running', async () => {
  const { url, child, output } = await startServing();
  child.kill('SIGUSR1');
  await eventually(() => {
    if (!output.err.includes('TEMPORAL_KMS_INSPECTOR_REFUSED')) throw new Error(`no warning: ${output.err}`);
    return Promise.resolve();
  });
  expect(output.err).not.toMatch(/Debugger listening|Starting inspector/);
  await expect(fetch('http://127.0.0.1:9229/json/version')).rejects.toThrow('fetch failed');
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test('names the variable that sets the port if the port is in use', async () => {
  const other = createServer();
  onTestFinished(() => closeServer(other));
  const port = await listenOnLoopback(other);
  const { code, err } = await start({ ...keyVariables, CODEC_PORT: String(port) }).exited;
  expect([code, err]).toEqual([
    1,
    expect.stringContaining(`${port}: the port is in use; choose another with CODEC_PORT`),
  ]);
});

test('does not start without the file for its worker threads', async () => {
  const file = join(directory, 'text-worker.mjs');
  await rename(file, `${file}.away`);
  try {
    const { code, err } = await start(keyVariables).exited;
    expect([code, err]).toEqual([78, expect.stringContaining('Install text-worker.mjs next to main.mjs')]);
  } finally {
    await rename(`${file}.away`, file);
  }
});

test('describes its environment variables', async () => {
  const { code, out } = await start({}, ['--help']).exited;
  expect(code).toBe(0);
  for (const name of ['CODEC_HOST', 'CODEC_CORS_ORIGINS', 'AUTH', 'TEMPORAL_ADDRESS', 'KMS_KEYS_FILE'])
    expect(out).toContain(name);
});

test('reports its version on the command line', async () => {
  expect(await start({}, ['--version']).exited).toMatchObject({ code: 0, out: `${version}\n` });
});

test.each([['--prot=9'], ['-h'], ['start']])(
  'exits with 64 for the unknown argument %s',
  async (argument) => {
    const { code, err } = await start({}, [argument]).exited;
    expect(code).toBe(64);
    expect(err).toMatch(/Usage: main \[--help \| --version\]/);
  },
);
