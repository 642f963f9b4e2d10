import { afterEach, vi } from 'vitest';
import { page } from 'vitest/browser';
import { cleanup } from 'vitest-browser-react';
import '@fontsource-variable/inter/index.css';
import '@fontsource-variable/jetbrains-mono/index.css';
import '../../src/ui/styles/tokens.css';
import '../../src/ui/styles/base.css';
import { announce } from '../../src/ui/live-region.tsx';
import { setSheetShare } from '../../src/ui/preferences/sheet-height.ts';

const { innerWidth: width, innerHeight: height } = window;

// Removes what a test leaves in the page, because the next test uses the same page, even if it is in another file.
// `renderApp` resets the preferences. What the page keeps for a namespace may stay, because each test has its own
// namespace.
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  await cleanup();
  announce('');
  setSheetShare(undefined);
  if (window.innerWidth !== width || window.innerHeight !== height) await page.viewport(width, height);
});
