import { join } from 'node:path';
import { freePorts } from '@temporal-kms/scripts/ports';
import { findGo } from '../../test/support/go.ts';
import { type Measured, startMeasured } from './measured.ts';

const source = join(import.meta.dirname, '..', 'rival-go');

/**
 * Builds the codec server of Temporal's Go SDK.
 * @returns undefined, having said why, where there is no Go that can
 */
export async function buildRival(directory: string): Promise<{ start(): Promise<Measured> } | undefined> {
  const go = await findGo("the rival isn't measured, and there are no ratios");
  if (go === undefined) return undefined;
  const binary = join(directory, 'rival');
  await go.build(source, binary);
  return {
    start: async () => {
      const [port = 0] = await freePorts(1);
      const output = join(directory, 'rival.log');
      return startMeasured([binary, String(port)], { cwd: directory, env: {}, port, output });
    },
  };
}
