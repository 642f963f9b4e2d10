import { expect, test, vi } from 'vitest';
import { page } from 'vitest/browser';
import { render } from 'vitest-browser-react';
import { StartFailure } from '../../src/session/pages/start-pages.tsx';

test.each([
  [
    'Failed to fetch dynamically imported module: http://127.0.0.1/assets/x.js',
    'Reload the page',
    /was updated/,
  ],
  ['config.json is invalid.', 'Try again', /^config\.json is invalid\.$/],
])('a start that fails with “%s” offers the button “%s”', async (message, action, text) => {
  await render(<StartFailure error={new TypeError(message)} onRetry={vi.fn()} />);
  await expect.element(page.getByRole('button', { name: action })).toBeVisible();
  await expect.element(page.getByText(text)).toBeVisible();
  expect(document.body.textContent).not.toContain('http://');
});
