import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { standardOutput } from '../../src/observability/log.ts';

/** Returns a standard output whose reader takes a line only when the test permits it. */
function output() {
  const taken: string[] = [];
  let go: (() => void) | undefined;
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk, _, done) => {
      taken.push(String(chunk));
      go = done;
    },
  });
  const drain = (): void => {
    while (go !== undefined) {
      const next = go;
      go = undefined;
      next();
    }
  };
  return { taken, drain, stream, output: standardOutput(stream) };
}

describe('standard output without a reader', () => {
  it('keeps a limited part of the log, and later reports how many lines were dropped', async () => {
    const { taken, drain, stream, output: to } = output();
    const line = `${'x'.repeat(1_023)}\n`;
    for (let n = 0; n < 5_000; n += 1) to.log.write(line);
    await new Promise(setImmediate);
    expect(stream.writableLength).toBeLessThan(1.1 * 2 ** 20);
    const kept = stream.writableLength / line.length;
    await expect
      .poll(() => {
        drain();
        return stream.writableLength;
      })
      .toBe(0);
    to.log.write('{"message":"next"}\n');
    await expect
      .poll(() => {
        drain();
        return taken.at(-1);
      })
      .toMatch(/\n\{"message":"next"\}\n$/);
    const [report = ''] = taken.at(-1)!.split('\n');
    expect(JSON.parse(report)).toMatchObject({ dropped: 5_000 - kept, message: 'log lines dropped' });
  });

  it('resolves a required write once the output has accepted the line', async () => {
    const { drain, output: to } = output();
    let written = false;
    const waiting = to.append('line\n').then(() => (written = true));
    await new Promise(setImmediate);
    expect(written).toBe(false);
    drain();
    await waiting;
  });
});

it("writes one turn's log lines in a single write, before later required writes", async () => {
  const { taken, drain, output: to } = output();
  for (const line of ['a', 'b', 'c']) to.log.write(`${line}\n`);
  const written = to.append('audit\n');
  to.log.write('d\n');
  await expect.poll(() => (drain(), taken)).toEqual(['a\nb\nc\n', 'audit\n', 'd\n']);
  await written;
});

it('writes the last log lines of a process that exits immediately afterwards', () => {
  const source = pathToFileURL(join(import.meta.dirname, '..', '..', 'src', 'observability', 'log.ts'));
  const program = `import { standardOutput } from '${source.href}'; standardOutput().log.write('last\\n'); process.exit(3);`;
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  expect({ stdout, status }).toEqual({ stdout: 'last\n', status: 3 });
});

it('rejects required writes when the reader disconnects, without ending the process', async () => {
  const { stream, output: to } = output();
  stream.destroy(Object.assign(new Error('broken pipe'), { code: 'EPIPE' }));
  to.log.write('line\n');
  await expect(to.append('line\n')).rejects.toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
});
