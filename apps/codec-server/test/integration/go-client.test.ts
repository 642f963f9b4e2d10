import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildPayloads } from '../../src/json/payload-json.ts';
import type { RunningServer } from '../../src/server/listen.ts';
import { findGo, type Go } from '../support/go.ts';
import { type Kms, plain, serve, startKms } from '../support/stack.ts';

// The Go SDK's own `converter.NewRemotePayloadCodec` against this server; interop/go is the program.
const BUILD_MS = 600_000;

let kms: Kms;
let server: RunningServer;
let directory: string;
let go: Go | undefined;
beforeAll(async () => {
  kms = await startKms();
  server = await serve(kms, { pathPrefix: '/codec', namespacePaths: true });
  directory = await mkdtemp(join(tmpdir(), 'go-client-'));
  go = await findGo("clients in Go aren't tried");
  await go?.build(join(import.meta.dirname, '../../../../interop/go'), join(directory, 'client'));
}, BUILD_MS);
afterAll(async () => {
  await server.close(0);
  await kms.close();
  await rm(directory, { recursive: true });
});

const client = async (path: string, namespace: string, values: string[], given = '{"payloads":[]}') => {
  const endpoint = `http://127.0.0.1:${server.port}${path}`;
  return execa(join(directory, 'client'), ['-endpoint', endpoint, '-namespace', namespace, ...values], {
    input: given,
    reject: false,
  });
};

test('encodes, decodes, and opens what TypeScript sealed', async ({ skip }) => {
  if (go === undefined) return skip('no Go was found');
  const sealed = await kms.codec.encode([plain('from TypeScript'), plain('ü')], { namespace: 'payments' });
  for (const path of ['/codec', '/codec/payments']) {
    const { stdout, stderr } = await client(path, 'payments', ['one', 'two'], String(buildPayloads(sealed)));
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      opened: ['from TypeScript', 'ü'],
      encodings: ['binary/envelope-kms-v2', 'binary/envelope-kms-v2'],
      returned: ['one', 'two'],
    });
  }
});

test('is told why not', async ({ skip }) => {
  if (go === undefined) return skip('no Go was found');
  const { stderr, exitCode } = await client('/codec', 'elsewhere', ['one']);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('no keys for the namespace')]);
});
