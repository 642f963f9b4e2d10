import { join } from 'node:path';
import { freePorts } from '@temporal-kms/scripts/ports';
import { findGo } from '@temporal-kms/scripts/go';
import { type Measured, startMeasured } from './measured.ts';

const source = join(import.meta.dirname, '..', 'rival-go');

/**
 * Builds a codec server with the handler of Temporal's Go SDK.
 * @returns undefined, after printing the reason, if there is no suitable Go
 */
export async function buildRival(directory: string): Promise<{ start(): Promise<Measured> } | undefined> {
  const go = await findGo("the Go SDK's codec server is not measured, and there are no ratios");
  if (go === undefined) return undefined;
  const binary = await go.build(source);
  return {
    start: async () => {
      const [port = 0] = await freePorts(1);
      const output = join(directory, 'rival.log');
      return startMeasured([binary, String(port)], { cwd: directory, env: {}, port, output });
    },
  };
}
