import { execa } from 'execa';
import { NAMESPACE } from './bundle.ts';
import type { LongHistory } from './long-history.ts';

interface Temporal {
  readonly cliPath: string;
  readonly address: string;
}

/**
 * Returns how many seconds `workflow show` of Temporal's CLI takes.
 * @throws Error unless every payload was decrypted
 */
export async function cliShow(
  { cliPath, address }: Temporal,
  run: LongHistory,
  endpoint: string,
  auth?: string,
): Promise<number> {
  const runFlags = ['--workflow-id', run.workflowId, '--run-id', run.runId, '--namespace', NAMESPACE];
  const serverFlags = ['--address', address, '--codec-endpoint', endpoint];
  const authFlags = auth === undefined ? [] : ['--codec-auth', auth];
  const isolation = ['--disable-config-file', '--disable-config-env'];
  const start = performance.now();
  const { stdout } = await execa(
    cliPath,
    ['workflow', 'show', '--output', 'json', ...runFlags, ...serverFlags, ...authFlags, ...isolation],
    { maxBuffer: 2 ** 30, env: { TEMPORAL_VERSION_CHECK_DISABLED: '1' } },
  );
  const seconds = (performance.now() - start) / 1_000;
  expectDecoded(stdout, run);
  return seconds;
}

/** Fails unless every payload was decrypted, because leaving payloads encrypted would be faster. */
export function expectDecoded(text: string, run: LongHistory): void {
  const plain = text.split(Buffer.from('json/plain').toString('base64')).length - 1;
  if (plain !== run.payloads) throw new Error(`Only ${plain} of ${run.payloads} payloads were decrypted.`);
}
