import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { afterEach, expect, it, onTestFinished, vi } from 'vitest';
import { chromiumArguments, findChromium } from '../src/browser.ts';

afterEach(() => void vi.unstubAllEnvs());

it('findChromium finds a Chromium that Playwright can control', async () => {
  const browser = await chromium.launch({
    executablePath: await findChromium(),
    args: [...chromiumArguments],
  });
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.setContent('<h1>readable</h1>');
  expect(await page.textContent('h1')).toBe('readable');
});

it('findChromium rejects a CHROMIUM_PATH that does not start', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'browser-test-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const broken = join(folder, 'chromium');
  await writeFile(broken, '#!/bin/sh\necho "error while loading shared libraries" >&2; exit 127\n');
  await chmod(broken, 0o755);
  vi.stubEnv('CHROMIUM_PATH', broken);
  await expect(findChromium()).rejects.toThrow(`CHROMIUM_PATH is ${broken}`);
});
