import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it } from 'vitest';
import { findGo } from '@temporal-kms/scripts/go';
import { forFile } from '../support/for-file.ts';
import { bodyOf, plain, serve, startKms } from '../support/stack.ts';

// Runs the Go SDK's `converter.NewRemotePayloadCodec` against this server. The Go program is in interop/go.
const kms = forFile(await startKms());
const server = forFile(await serve(kms, { pathPrefix: '/codec', namespacePaths: true }));
const go = await findGo('the test with a Go client is skipped');
const program = await go?.build(join(import.meta.dirname, '../../../../interop/go'));

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
    const { stdout, stderr } = await client(path, 'payments', ['one', 'two'], bodyOf(encrypted));
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      decoded: ['from TypeScript', 'ü'],
      encodings: ['binary/envelope-kms-v2', 'binary/envelope-kms-v2'],
      returned: ['one', 'two'],
    });
  }
});

it('returns errors that the Go SDK reports', async ({ skip }) => {
  if (program === undefined) return skip('Go was not found');
  const { stderr, exitCode } = await client('/codec', 'elsewhere', ['one']);
  expect([exitCode, stderr]).toEqual([1, expect.stringContaining('no keys for the namespace')]);
});
