import { escapeInvisible } from '@temporal-kms/codec-api';
import { expect, test } from 'vitest';
import { page } from 'vitest/browser';
import { INVISIBLE, invisibleId } from '../fixtures/runs.ts';
import { renderApp, until } from '../support/render-app.tsx';

const run = `/ns/NS/workflows/${encodeURIComponent(invisibleId)}/01997c2e-0000-7000-8000-0000000000ef`;

/** The whole page's text and attributes: names, titles, labels. */
const shown = () => `${document.title}\n${document.documentElement.outerHTML}`;
const hidden = () =>
  Array.from(INVISIBLE).flatMap((character) => {
    const at = shown().indexOf(character);
    return at < 0 ? [] : [escapeInvisible(shown().slice(Math.max(0, at - 80), at + 2))];
  });
const text = () => document.body.textContent ?? '';

test.each([
  ['the list', '/ns/NS/workflows?q=invisible', 'Type\\u202e'],
  ['the history', run, 'activity\\u202e'],
  ['the payloads of an event', `${run}?ev=1`, 'a text'],
  ['a payload without permission', `${run}?ev=3`, 'you may not read it there'],
  ['the attributes', `${run}?ev=2&pane=attributes`, 'worker\\u202e'],
  ['the failure', `${run}?ev=4&pane=failure`, 'failed\\u202e'],
  ['the raw event', `${run}?ev=2&pane=raw`, 'signal\\u202e'],
  ['the keys', `${run}?ev=3&pane=crypto`, 'Crypto'],
  ['the memo', `${run}?tab=memo`, 'memo value\\u202e'],
  ['the metadata', `${run}?tab=metadata`, 'attribute value\\u202e'],
  [
    'an unknown workflow',
    `/ns/NS${encodeURIComponent(INVISIBLE)}/workflows/no${encodeURIComponent(INVISIBLE)}`,
    'No workflow',
  ],
])('shows no invisible character on the page of %s', async (_, path, expected) => {
  await renderApp(path);
  await until(() => text().includes(expected), expected);
  await expect.poll(hidden, { timeout: 30_000 }).toEqual([]);
});

test('shows each build id with a button that copies the id', async () => {
  await renderApp(`${run}?tab=metadata`);
  await expect.element(page.getByRole('button', { name: 'Copy buildids build 2' })).toBeVisible();
  const ids = [...document.querySelectorAll('dd:has([aria-label^="Copy buildids"]) .mono')];
  expect(ids.map(({ textContent }) => textContent)).toEqual([
    escapeInvisible(`build 1${INVISIBLE}`),
    'build 2',
  ]);
});
