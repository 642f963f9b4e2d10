import { execFile } from 'node:child_process';
import crypto from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'tsdown';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { generateSalt } from '../../src/branch-keys/branch-key.ts';
import { generateKey } from '../../src/crypto/data-key.ts';
import { nextNonce } from '../../src/crypto/random.ts';
import { seenByImports } from '../support/builtins.ts';

const run = promisify(execFile);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const draw = (count: number) => new Set(Array.from({ length: count }, () => hex(nextNonce())));

/** Returns this process's file descriptors for the kernel's random generator. */
const kernelDescriptors = () =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === '/dev/urandom';
    } catch {
      return false;
    }
  });

function kernelDescriptor(): number {
  draw(100);
  const [descriptor] = kernelDescriptors();
  expect(descriptor).toBeDefined();
  return Number(descriptor);
}

/** Closes the kernel's generator, and opens a file under the same descriptor. */
function replaceKernel(content: Uint8Array): void {
  const folder = mkdtempSync(join(tmpdir(), 'kernel-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'bytes'), content);
  const descriptor = kernelDescriptor();
  closeSync(descriptor);
  const opened: number[] = [];
  onTestFinished(() => {
    for (const one of opened) closeSync(one);
  });
  // The system assigns the lowest free descriptor, and lower descriptors may be free.
  do opened.push(openSync(join(folder, 'bytes'), 'r'));
  while (opened.at(-1)! < descriptor);
  expect(opened.at(-1)).toBe(descriptor);
}

// [F-2]
describe('nonces', () => {
  it('have 96 bits and do not repeat', () => {
    expect(nextNonce()).toHaveLength(12);
    expect(draw(200_000).size).toBe(200_000);
  });

  it('have no biased bits', () => {
    const counts = Array.from({ length: 96 }, () => 0);
    const total = 20_000;
    for (let n = 0; n < total; n++) {
      const nonce = nextNonce();
      for (let bit = 0; bit < 96; bit++) counts[bit]! += (nonce[bit >> 3]! >> (bit & 7)) & 1;
    }
    // The tolerance is six standard deviations, so a correct generator fails about once in five million runs.
    for (const count of counts) expect(Math.abs(count - total / 2)).toBeLessThan(6 * Math.sqrt(total / 4));
  });

  it("are OpenSSL's bytes XOR the kernel's bytes XOR the clock's reading", () => {
    const kernel = Uint8Array.from({ length: 2_000 }, (_, n) => n);
    replaceKernel(kernel);
    const openSsl = seenByImports(
      vi.spyOn(crypto, 'randomFillSync').mockImplementation((bytes: any) => bytes.fill(0x0f0f0f0f)),
    );
    const clock = vi.spyOn(performance, 'now').mockReturnValue(1.5);
    onTestFinished(() => clock.mockRestore());
    while (openSsl.mock.calls.length === 0) nextNonce();
    const clockBytes = Buffer.from('000000000000f83f00000000', 'hex');
    // The generator returns its 64 nonces from last to first. The loop took the 64th nonce, so the next is
    // the 63rd.
    const expected = [...kernel.subarray(62 * 12, 63 * 12)].map((byte, n) => byte ^ 0x0f ^ clockBytes[n]!);
    expect([...nextNonce()]).toEqual(expected);
  });

  it.each([
    ['closed the file descriptor', () => closeSync(kernelDescriptor())],
    ['replaced the file descriptor', () => replaceKernel(Buffer.alloc(9))],
  ])("use bytes from the kernel's generator, even after other code %s", (_, change) => {
    draw(100);
    change();
    expect(kernelDescriptors()).toHaveLength(0);
    draw(100);
    expect(kernelDescriptors()).toHaveLength(1);
  });
});

it('generated keys have 256 bits, salts have 128 bits, and none of them repeats', () => {
  const keys = Array.from({ length: 1_000 }, () => hex(generateKey()));
  expect(new Set(keys).size).toBe(1_000);
  for (const key of keys) expect(key).toHaveLength(64);
  const salts = Array.from({ length: 1_000 }, () => hex(generateSalt()));
  expect(new Set(salts).size).toBe(1_000);
  for (const salt of salts) expect(salt).toHaveLength(32);
});

describe('two processes that resume from the same memory snapshot', () => {
  it('use different nonces, even if the snapshot contains unused nonces', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'nonces-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const source = fileURLToPath(new URL('../../src/crypto/random.ts', import.meta.url));
    const entry = join(folder, 'entry.ts');
    // Each process that starts from a Node startup snapshot restores the snapshot's heap, including unused
    // nonces.
    await writeFile(
      entry,
      `import { nextNonce } from ${JSON.stringify(source)};
       import { startupSnapshot } from 'node:v8';
       nextNonce();
       startupSnapshot.setDeserializeMainFunction(() => {
         for (let n = 0; n < 100; n++) console.log(Buffer.from(nextNonce()).toString('hex'));
       });`,
    );
    await build({
      entry,
      format: 'cjs',
      outDir: folder,
      dts: false,
      clean: false,
      logLevel: 'silent',
      config: false,
    });
    const snapshot = ['--snapshot-blob', join(folder, 'snapshot.blob')];
    await run(process.execPath, [...snapshot, '--build-snapshot', join(folder, 'entry.cjs')]);
    const clones = await Promise.all([1, 2].map(() => run(process.execPath, snapshot)));
    const [first = [], second = []] = clones.map(({ stdout }) => stdout.trim().split('\n'));
    expect(first).toHaveLength(100);
    expect(second).toHaveLength(100);
    expect(first.filter((nonce) => second.includes(nonce))).toEqual([]);
  }, 300_000);
});
