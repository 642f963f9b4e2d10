import { expect, it } from 'vitest';
import { z } from 'zod';
import { testResult } from '../src/test-result.ts';

/** https://in-toto.io/attestation/test-result/v0.1, whose configuration is a list of in-toto's ResourceDescriptor. */
const schema = z.strictObject({
  result: z.enum(['PASSED', 'WARNED', 'FAILED']),
  configuration: z.array(
    z
      .strictObject({
        name: z.string().optional(),
        uri: z.url().optional(),
        digest: z
          .union([
            z.strictObject({ sha256: z.hash('sha256') }),
            z.strictObject({ gitCommit: z.hash('sha1') }),
          ])
          .optional(),
        annotations: z.record(z.string(), z.unknown()).optional(),
      })
      .refine(({ uri, digest }) => uri !== undefined || digest !== undefined),
  ),
  url: z.url().optional(),
  passedTests: z.array(z.string()).optional(),
  warnedTests: z.array(z.string()).optional(),
  failedTests: z.array(z.string()).optional(),
});

const gate = `✓ A1 A promise. Tests: a.test.ts (3)
deploy: 4 passed in 2 s
passed on the second attempt: e2e/test/list.spec.ts: lists runs
    Error: timeout
12 passed, 0 failed
`;
const long =
  '✓ A1 A promise. Tests: a.test.ts (pnpm test)\n✓ B2 Another. Tests: b.test.ts (1)\n3 passed, 0 failed\n';
const scripts = { gate: '.ci/run', long: 'scripts/src/test/long-proofs.ts' };
const checked = (output: string) => ({ script: scripts.gate, output });

it('testResult contains the source, the versions, and each script with its result, in in-toto’s format', async () => {
  const url = 'https://ci.example/runs/1';
  const result = await testResult([checked(gate), { script: scripts.long, output: long }], url);
  expect(schema.parse(result)).toEqual(result);
  expect(result).toMatchObject({
    result: 'WARNED',
    url,
    passedTests: ['A1 A promise.', 'B2 Another.'],
    warnedTests: ['e2e/test/list.spec.ts: lists runs'],
  });
  expect(result.configuration.map(({ name, annotations }) => [name, annotations?.['summary']])).toEqual([
    ['source', undefined],
    ['pnpm-lock.yaml', undefined],
    ['node', undefined],
    ['pnpm', undefined],
    ['.ci/run', '12 passed, 0 failed'],
    ['scripts/src/test/long-proofs.ts', '3 passed, 0 failed'],
  ]);
  expect((await testResult([{ script: scripts.long, output: long }])).result).toBe('PASSED');
});

it.each([
  ['a failed test', '12 passed, 1 failed'],
  ['no test', '0 passed, 0 failed'],
  ['output that was cut off', '✓ A1 A promise. Tests: a.test.ts (3)'],
  ['no output', ''],
  ['a broken promise', '✗ A1 A promise. Tests: a.test.ts (did not run)\n12 passed, 0 failed'],
])('testResult throws an error after %s', async (_, output) => {
  await expect(testResult([checked(output)])).rejects.toThrow(/^\.ci\/run (ended|reported)/);
});
