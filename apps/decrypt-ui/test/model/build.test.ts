import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const outDir = mkdtempSync(join(tmpdir(), 'decrypt-ui-'));
const files = () => readdirSync(outDir, { recursive: true, encoding: 'utf8' });
const scripts = () => files().filter((name) => name.endsWith('.js'));
const read = (name: string) => readFileSync(join(outDir, name), 'utf8');

describe('the built page', () => {
  beforeAll(async () => {
    await build({ root, logLevel: 'error', build: { outDir, emptyOutDir: true } });
  });
  afterAll(() => rmSync(outDir, { recursive: true, force: true }));

  test('holds nothing of Node, of Google’s client or of Temporal’s', () => {
    for (const name of scripts()) {
      expect(read(name), name).not.toMatch(/["'`]node:|@google-cloud\/|@temporalio\/|createDecipheriv/);
    }
  });

  test('has no script or style of its own in its HTML, so that a strict policy lets it run', () => {
    const html = read('index.html');
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
    expect(html).not.toMatch(/<style|\son[a-z]+=|\sstyle=/);
    for (const name of scripts()) expect(read(name), name).not.toMatch(/new Function\(|\beval\(/);
  });

  test('brings its fonts along and asks no other host for anything', () => {
    expect(files().some((name) => /inter-latin-wght-normal.*\.woff2$/.test(name))).toBe(true);
    expect(files().some((name) => /jetbrains-mono-latin-wght-normal.*\.woff2$/.test(name))).toBe(true);
    const styles = files().filter((name) => name.endsWith('.css'));
    for (const name of styles) expect(read(name), name).not.toMatch(/url\(["']?(https?|data):|@import/);
  });

  test('takes its configuration at run time', () => {
    expect(JSON.parse(read('config.json'))).toEqual({ apiUrl: '' });
  });
});
