import { afterEach } from 'vitest';
import { page } from 'vitest/browser';
import '@fontsource-variable/inter/index.css';
import '@fontsource-variable/jetbrains-mono/index.css';
import '../../src/ui/styles/tokens.css';
import '../../src/ui/styles/base.css';

const { innerWidth: width, innerHeight: height } = window;

// Restores the size of the window after a test that changed it.
afterEach(async () => {
  if (window.innerWidth !== width || window.innerHeight !== height) await page.viewport(width, height);
});
