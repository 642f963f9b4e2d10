import { execFileSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const work =
  'let kept = []; for (let n = 0; n < 20_000; n += 1) kept.push(new ArrayBuffer(32_768)) > 500 && (kept = [])';
const ours = pathToFileURL(join(import.meta.dirname, '..', 'src', 'garbage.ts'));

/** How often V8 marks its whole heap while 640 MiB of buffers are made, at most 16 MiB of them alive. */
function markings(program: string): number {
  const args = ['--trace-gc', '--input-type=module', '--eval', program];
  return execFileSync(process.execPath, args, { encoding: 'utf8' }).split('Mark-Compact').length - 1;
}

// V8's flags come and go: an update of Node that drops this one shall be noticed here, not by half the speed.
test('buffers that die young do not make V8 mark its whole heap', () => {
  expect(markings(work)).toBeGreaterThan(3);
  expect(
    markings(`import { countBuffersAsHeap } from '${ours.href}'; countBuffersAsHeap(); ${work}`),
  ).toBeLessThan(3);
});
