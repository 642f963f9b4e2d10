import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { execa } from 'execa';
import which from 'which';
import { withLock } from './lock.ts';
import { devDir } from './project.ts';

/** Arguments for Chromium without a screen. The arguments also turn off Chromium's own network requests. */
export const chromiumArguments: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

// The headless shell is preferred, because it uses about half the CPU time for a page: it draws no browser
// window around the page.
const names = [
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
];
const macApps = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/**
 * Returns the path of a Chromium that starts. Tries, in this order, `CHROMIUM_PATH`, an installed Chromium or
 * Chrome, Playwright's download, and Debian's package (which only root can install).
 *
 * @throws Error that states what to install
 */
export async function findChromium(onProgress?: (line: string) => void): Promise<string> {
  const named = process.env['CHROMIUM_PATH'];
  if (named) {
    if (await starts(named)) return named;
    throw new Error(`CHROMIUM_PATH is ${named}, which does not start as Chromium. Correct it or unset it.`);
  }
  const present = await findPresent();
  if (present) return present;
  return withLock(join(devDir, 'chromium.lock'), async () => {
    const installed =
      (await findPresent()) ?? (await download(onProgress)) ?? (await installFromDebian(onProgress));
    if (installed) return installed;
    throw new Error(noChromium);
  });
}

async function findPresent(): Promise<string | undefined> {
  for (const name of [...names, ...macApps, chromium.executablePath()]) {
    const path = await which(name, { nothrow: true });
    if (path && (await starts(path))) return path;
  }
  return undefined;
}

/**
 * Returns whether a Chromium starts. Chromium cannot start if the system lacks libraries, or if Ubuntu's
 * package lacks its snap.
 */
async function starts(path: string): Promise<boolean> {
  return (await execa(path, ['--version'], { reject: false, timeout: 90_000 })).exitCode === 0;
}

async function download(onProgress?: (line: string) => void): Promise<string | undefined> {
  if (process.env['PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD']) return undefined;
  onProgress?.("Downloading Playwright's Chromium…");
  const cli = createRequire(import.meta.url).resolve('@playwright/test/cli');
  await execa(process.execPath, [cli, 'install', '--no-shell', 'chromium'], {
    reject: false,
    timeout: 600_000,
    env: { PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT: '10000', ...process.env },
  });
  return (await starts(chromium.executablePath())) ? chromium.executablePath() : undefined;
}

async function installFromDebian(onProgress?: (line: string) => void): Promise<string | undefined> {
  const apt = await which('apt-get', { nothrow: true });
  if (!apt || process.getuid?.() !== 0) return undefined;
  onProgress?.("Installing Debian's chromium-headless-shell package…");
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await execa(apt, ['update'], { reject: false, env, timeout: 300_000 });
  await execa(apt, ['install', '--yes', '--no-install-recommends', 'chromium-headless-shell'], {
    reject: false,
    env,
    timeout: 600_000,
  });
  return findPresent();
}

const noChromium = [
  'No working Chromium was found. Do one of these:',
  '  - install Chromium or Chrome (Debian: apt-get install chromium-headless-shell);',
  '  - set CHROMIUM_PATH to the executable;',
  '  - run `npx playwright install --with-deps chromium` if its download site is reachable.',
].join('\n');
