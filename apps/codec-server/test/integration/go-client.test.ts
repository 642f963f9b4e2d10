import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildPayloads } from '../../src/json/payload-json.ts';
import type { RunningServer } from '../../src/server/listen.ts';
import { findGo } from '@temporal-kms/scripts/go';
import { type Kms, plain, serve, startKms } from '../support/stack.ts';

// The Go SDK's `converter.NewRemotePayloadCodec` against this server. The program is in interop/go.
const BUILD_MS = 600_000;

let kms: Kms;
let server: RunningServer;
let program: string | undefined;
beforeAll(async () => {
  kms = await startKms();
  server = await serve(kms, { pathPrefix: '/codec', namespacePaths: true });
  const go = await findGo('the test with a Go client is skipped');
  program = await go?.build(join(import.meta.dirname, '../../../../interop/go'));
}, BUILD_MS);
afterAll(async () => {
  await server.close(0);
  await kms.close();
});

const client = async (path: string, namespace: string, values: string[], given = '{"payloads":[]}') => {
  const endpoint = `http://127.0.0.1:${server.port}${path}`;
  return execa(program ?? '', ['-endpoint', endpoint, '-namespace', namespace, ...values], {
    input: given,
    reject: false,
  });
};

it('encodes and decodes for the Go SDK, and decodes the TypeScript codec’s payloads', async ({ skip }) => {
  if (program === undefined) return skip('Go was not found');
  const encrypted = await kms.codec.encode([plain('from TypeScript'), plain('ü')], { namespace: 'payments' });
  for (const path of ['/codec', '/codec/payments']) {
    const { stdout, stderr } = await client(
      path,
      'payments',
      ['one', 'two'],
      String(buildPayloads(encrypted)),
    );
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      decoded: ['from TypeScript', 'ü'],
      encodings: ['binary/envelope-kms-v2', 'binary/envelope-kms-v2'],
      returned: ['one', 'two'],
    });
  }
});

it('returns an error that the Go SDK reports', async ({ skip }) => {
  if (program === undefined) return skip('Go was not found');
  const { stderr, exitCode } = await client('/codec', 'elsewhere', ['one']);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('no keys for the namespace')]);
});
