import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const outDir = mkdtempSync(join(tmpdir(), 'decrypt-ui-'));
const files = () => readdirSync(outDir, { recursive: true, encoding: 'utf8' });
const scripts = () => files().filter((name) => name.endsWith('.js'));
const read = (name: string) => readFileSync(join(outDir, name), 'utf8');

describe('the built page', () => {
  beforeAll(async () => {
    await build({ root, logLevel: 'error', build: { outDir, emptyOutDir: true } });
  });
  afterAll(() => rmSync(outDir, { recursive: true, force: true }));

  test('contains no code of Node, of Google’s client or of Temporal’s SDK', () => {
    for (const name of scripts()) {
      expect(read(name), name).not.toMatch(/["'`]node:|@google-cloud\/|@temporalio\/|createDecipheriv/);
    }
  });

  test('has no inline script or style, so that it runs under a strict content security policy', () => {
    const html = read('index.html');
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
    expect(html).not.toMatch(/<style|\son[a-z]+=|\sstyle=/);
    for (const name of scripts()) expect(read(name), name).not.toMatch(/new Function\(|\beval\(/);
  });

  test('contains its fonts and loads nothing from another host', () => {
    expect(files().some((name) => /inter-latin-wght-normal.*\.woff2$/.test(name))).toBe(true);
    expect(files().some((name) => /jetbrains-mono-latin-wght-normal.*\.woff2$/.test(name))).toBe(true);
    const styles = files().filter((name) => name.endsWith('.css'));
    for (const name of styles) expect(read(name), name).not.toMatch(/url\(["']?(https?|data):|@import/);
  });

  test('reads its configuration at run time', () => {
    expect(JSON.parse(read('config.json'))).toEqual({ apiUrl: '' });
  });
});
