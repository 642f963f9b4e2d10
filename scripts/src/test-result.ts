/**
 * This script is part of a release. Prints the checks and their results, as the predicate of an attestation
 * (https://github.com/in-toto/attestation/blob/main/spec/predicates/test-result.md). Each argument names a
 * script and the file with the script's output: `node scripts/src/test-result.ts .ci/run=gate.log`.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { projectRoot } from './project.ts';

export interface CheckedScript {
  /** The script's path, relative to the project's root. */
  readonly script: string;
  /** The output of the script. */
  readonly output: string;
}

interface Resource {
  readonly name: string;
  readonly uri?: string;
  readonly digest?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface TestResult {
  readonly result: 'PASSED' | 'WARNED';
  readonly configuration: readonly Resource[];
  readonly url?: string;
  readonly passedTests: readonly string[];
  readonly warnedTests: readonly string[];
  readonly failedTests: readonly [];
}

/**
 * Returns the predicate. `passedTests` contains the promises of `docs/security-model.md` that were kept.
 * `warnedTests` contains the tests that passed only on the second attempt.
 * @throws Error if an output doesn't end with the line "N passed, 0 failed", or contains a broken promise
 */
export async function testResult(checked: readonly CheckedScript[], url?: string): Promise<TestResult> {
  const passed = new Set<string>();
  const warned = new Set<string>();
  const scripts: Resource[] = [];
  for (const { script, output } of checked) {
    const lines = output.trimEnd().split('\n');
    const summary = lines.at(-1) ?? '';
    if (!/^[1-9]\d* passed, 0 failed$/.test(summary)) throw new Error(`${script} ended with: ${summary}`);
    for (const line of lines) {
      if (/^✗ [A-Z]\d+ /.test(line)) throw new Error(`${script} reported a broken promise: ${line}`);
      const [, promise] = /^✓ ([A-Z]\d+ .*) Tests: /.exec(line) ?? [];
      if (promise !== undefined) passed.add(promise);
      const [, flaky] = /^passed on the second attempt: (.*)/.exec(line) ?? [];
      if (flaky !== undefined) warned.add(flaky);
    }
    scripts.push({ name: script, digest: await digestOf(script), annotations: { summary } });
  }
  const { stdout: gitCommit } = await execa('git', ['rev-parse', 'HEAD'], { cwd: projectRoot });
  const { packageManager }: { packageManager: string } = JSON.parse(await read('package.json'));
  return {
    result: warned.size > 0 ? 'WARNED' : 'PASSED',
    configuration: [
      { name: 'source', digest: { gitCommit } },
      { name: 'pnpm-lock.yaml', digest: await digestOf('pnpm-lock.yaml') },
      { name: 'node', uri: `pkg:generic/node@${process.versions.node}` },
      { name: 'pnpm', uri: `pkg:npm/${packageManager}` },
      ...scripts,
    ],
    ...(url && { url }),
    passedTests: [...passed],
    warnedTests: [...warned],
    failedTests: [],
  };
}

const read = (file: string): Promise<string> => readFile(join(projectRoot, file), 'utf8');

const digestOf = async (file: string): Promise<{ readonly sha256: string }> => ({
  sha256: createHash('sha256')
    .update(await read(file))
    .digest('hex'),
});

if (import.meta.main) {
  const checked = process.argv.slice(2).map(async (argument) => {
    const [script = '', log = ''] = argument.split('=');
    return { script, output: await readFile(log, 'utf8') };
  });
  console.log(JSON.stringify(await testResult(await Promise.all(checked), process.env['RUN_URL']), null, 2));
}
