import { join } from 'node:path';
import { execa } from 'execa';
import { freePort, type Measured, startMeasured } from './measured.ts';

const source = join(import.meta.dirname, '..', 'rival-go');

/** Where installers put Go when the PATH doesn't have it. */
const GO = ['go', '/usr/local/go/bin/go', '/usr/lib/go/bin/go'];

/** Of go.mod. */
const GO_VERSION = [1, 26] as const;

/**
 * Builds the codec server of Temporal's Go SDK.
 * @returns undefined, having said why, where there is no Go that can
 */
export async function buildRival(directory: string): Promise<{ start(): Promise<Measured> } | undefined> {
  const go = await findGo();
  if (go === undefined) {
    console.log(
      `No Go ${GO_VERSION.join('.')} or newer was found: the rival isn't measured, and there are no ratios.\n`,
    );
    return undefined;
  }
  const binary = join(directory, 'rival');
  await execa(go, ['build', '-trimpath', '-o', binary, '.'], { cwd: source });
  return {
    start: async () => {
      const port = await freePort();
      const output = join(directory, 'rival.log');
      return startMeasured([binary, String(port)], { cwd: directory, env: {}, port, output });
    },
  };
}

async function findGo(): Promise<string | undefined> {
  for (const file of GO) {
    const { stdout, failed } = await execa(file, ['env', 'GOVERSION'], { reject: false });
    const [, major, minor] = /^go(\d+)\.(\d+)/.exec(failed ? '' : stdout) ?? [];
    if (Number(major) === GO_VERSION[0] && Number(minor) >= GO_VERSION[1]) return file;
  }
  return undefined;
}
