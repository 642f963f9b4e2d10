import { StrictMode } from 'react';
import { expect, test } from 'vitest';
import { page } from 'vitest/browser';
import { render } from 'vitest-browser-react';
import { CurrentDetails } from '../../../src/runs/now/current-details.tsx';

const show = (text: string) =>
  render(
    <StrictMode>
      <CurrentDetails text={text} />
    </StrictMode>,
  );

test.each([
  ['a link', '[invoice&#x202E;fdp.exe](https://shop.example)', String.raw`invoice\u202efdp.exe`],
  ['a heading', '## a&#8203;b', String.raw`a\u200bb`],
  ['a named reference in HTML', '<em>a&rlm;b</em>', String.raw`a\u200fb`],
  ['a table', '| a&shy;b |\n| - |\n| c |', String.raw`a\u00adb`],
])('escapes the invisible characters that %s refers to', async (_, text, expected) => {
  await show(text);
  await expect.element(page.getByText(expected)).toBeVisible();
});

test.each([
  ['is nested too deeply', '>'.repeat(4999)],
  ['is too long', `# ${'['.repeat(20_000)}`],
])('shows the text of Markdown that %s', async (_, text) => {
  await show(text);
  await expect.element(page.getByRole('group', { name: 'Current details' })).toBeVisible();
  expect(document.querySelector('h1, blockquote')).toBeNull();
  expect(document.body.textContent).toContain(text.slice(0, 2000));
});
