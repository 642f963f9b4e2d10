import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { standardOutput } from '../src/standard-output.ts';

/** Standard output whose reader takes a line when it is told to. */
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

describe('while nobody reads', () => {
  test('the log keeps a bounded part, and says afterwards how many lines it dropped', async () => {
    const { taken, drain, stream, output: to } = output();
    const line = `${'x'.repeat(1_023)}\n`;
    for (let n = 0; n < 5_000; n += 1) to.log.write(line);
    expect(stream.writableLength).toBeLessThan(1.1 * 2 ** 20);
    const kept = stream.writableLength / line.length;
    await expect
      .poll(() => {
        drain();
        return stream.writableLength;
      })
      .toBe(0);
    to.log.write('{"msg":"next"}\n');
    await expect
      .poll(() => {
        drain();
        return taken.at(-1);
      })
      .toBe('{"msg":"next"}\n');
    expect(JSON.parse(taken.at(-2)!)).toMatchObject({ dropped: 5_000 - kept, msg: 'log lines dropped' });
  });

  test('what has to be written waits for its own callback', async () => {
    const { drain, output: to } = output();
    let written = false;
    const waiting = to.append('line\n').then(() => (written = true));
    await new Promise(setImmediate);
    expect(written).toBe(false);
    drain();
    await waiting;
  });
});

test('a reader that has gone away ends no process, and refuses what has to be written', async () => {
  const { stream, output: to } = output();
  stream.destroy(Object.assign(new Error('broken pipe'), { code: 'EPIPE' }));
  to.log.write('line\n');
  await expect(to.append('line\n')).rejects.toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
});
