import { expect, type Page } from '@playwright/test';

/*
 * The screens that the dashboard shows while the codec server, or a service that the codec server needs,
 * fails or is slow.
 */

const LIST = '/ns/default/workflows';
const ORDER = `${LIST}/order-1001`;

const isList = ({ pathname }: URL) => pathname.startsWith('/api/') && pathname.endsWith('/workflows');
const isDecode = (url: URL) => url.pathname.endsWith('/payloads:decode');
const isHistory = (url: URL) => url.pathname.endsWith('/history');

const refuse = (page: Page, which: (url: URL) => boolean, status: number, code: string, message: string) =>
  page.route(which, (route) => route.fulfill({ status, json: { error: { code, message } } }));
const shown = (page: Page, text: string | RegExp) => expect(page.getByText(text).first()).toBeVisible();

/** Functions that open a screen, by the screen's name. Each function intercepts requests until the caller ends that. */
export const failingScreens: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  'a server that does not answer': async (page) => {
    await page.route(
      (url) => url.pathname.startsWith('/api/'),
      (route) => route.abort(),
    );
    await page.goto(LIST);
    await expect(page.getByRole('heading', { name: 'The codec server does not answer' })).toBeVisible();
  },
  'a list that is loading': async (page) => {
    await page.route(isList, () => undefined);
    await page.goto(LIST);
    await expect(page.getByRole('treegrid')).toHaveAttribute('aria-busy', 'true');
  },
  'a list that cannot be loaded': async (page) => {
    await refuse(page, isList, 503, 'temporal_unavailable', 'Temporal does not answer.');
    await page.goto(LIST);
    await shown(page, 'The workflows could not be loaded');
  },
  'a run that is loading': async (page) => {
    await page.route(
      (url) => /^\/api\/.*\/workflows\/order-1001$/.test(url.pathname),
      () => undefined,
    );
    await page.goto(ORDER);
    await expect(page.getByRole('heading', { level: 1, name: 'order-1001' })).toBeVisible();
  },
  'a history that cannot be loaded': async (page) => {
    await page.route(isHistory, (route) => route.abort());
    await page.goto(ORDER);
    await shown(page, 'Reconnecting to the history');
  },
  'payloads that cannot be requested': async (page) => {
    await refuse(page, isDecode, 503, 'busy', 'Too many requests are in flight.');
    await page.goto(ORDER);
    await shown(page, /payloads were not decoded/);
  },
};
