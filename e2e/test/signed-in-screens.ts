import { expect, type Page } from '@playwright/test';

/* The screens of the dashboard that exist with sign-in only: `DEV_AUTH=1 pnpm dev`. */

const PAYMENT = '/ns/payments/workflows/payment-4711';
const ORDER = '/ns/default/workflows/order-1001';

interface SignedInScreen {
  /** The sample person. Undefined: without sign-in. */
  readonly person?: string;
  readonly path: string;
  /** What the person does there. */
  readonly open: (page: Page) => Promise<unknown>;
}

const heading = (page: Page, name: string | RegExp) =>
  expect(page.getByRole('heading', { name })).toBeVisible();
const shown = (page: Page, text: string | RegExp) => expect(page.getByText(text).first()).toBeVisible();

async function revealDialog(page: Page): Promise<void> {
  await expect(page.locator('[data-key="g1"] [data-masked]')).toBeVisible();
  await page.keyboard.press('Shift+R');
  await expect(page.getByRole('dialog', { name: 'Reveal payloads' })).toBeVisible();
}

export const signedInScreens: Readonly<Record<string, SignedInScreen>> = {
  'the sign-in': {
    path: '/ns/default/workflows',
    open: (page) => expect(page.getByRole('button', { name: /^Sign in with/ })).toBeVisible(),
  },
  'locked payloads': {
    person: 'Olivia Oncall',
    path: `${PAYMENT}?ev=1`,
    open: async (page) => {
      await shown(page, 'Payloads are shown with a justification only.');
      await expect(page.locator('[data-key="g1"] [data-masked]')).toBeVisible();
    },
  },
  'the justification of a reveal': { person: 'Olivia Oncall', path: PAYMENT, open: revealDialog },
  'revealed payloads': {
    person: 'Olivia Oncall',
    path: `${PAYMENT}?ev=1`,
    open: async (page) => {
      await revealDialog(page);
      await page.keyboard.type('PAY-4711: failed capture');
      await page.keyboard.press('Enter');
      await shown(page, 'Mira Lindqvist');
      await expect(page.getByRole('timer').first()).toBeVisible();
    },
  },
  'metadata without payloads': {
    person: 'Sam Support',
    path: `${ORDER}?ev=1`,
    open: (page) => shown(page, 'You can see metadata, not payloads.'),
  },
  'a forbidden namespace': {
    person: 'Sam Support',
    path: '/ns/payments/workflows',
    open: (page) => heading(page, 'You may not read workflows in payments'),
  },
  'keys that a person may not read': {
    person: 'Sam Support',
    path: '/ns/payments/keys',
    open: (page) => heading(page, 'You may not read keys in payments'),
  },
  'a person without permissions': {
    person: 'Nora New',
    path: '/',
    open: (page) => heading(page, 'You may not read workflows in any namespace'),
  },
  'an audit that a person may not read': {
    person: 'Olivia Oncall',
    path: '/ns/default/audit',
    open: (page) => heading(page, 'You may not read the audit in default'),
  },
  'the audit of an auditor': {
    person: 'Audrey Audit',
    path: '/ns/payments/audit',
    open: (page) => expect(page.getByRole('row', { name: /audrey/ }).first()).toBeVisible(),
  },
  'the account': {
    person: 'Olivia Oncall',
    path: '/ns/default/workflows',
    open: async (page) => {
      await page.getByRole('button', { name: 'Account' }).click();
      await shown(page, 'olivia.oncall@example.com');
    },
  },
  'an expired sign-in': {
    person: 'Olivia Oncall',
    path: ORDER,
    open: async (page) => {
      await shown(page, 'Please wrap it as a present');
      // The provider and the server refuse the person from now on.
      await page.route(
        (url) => url.pathname === '/token' || url.pathname.startsWith('/api/'),
        (route) =>
          route.fulfill({
            status: route.request().url().endsWith('/token') ? 400 : 401,
            json: { error: route.request().url().endsWith('/token') ? 'invalid_grant' : refused },
            headers: { 'access-control-allow-origin': '*' },
          }),
      );
      await expect(page.getByText('Your sign-in has expired.')).toBeVisible({ timeout: 60_000 });
    },
  },
  'the page after a sign-out': {
    person: 'Olivia Oncall',
    path: '/ns/default/workflows',
    open: async (page) => {
      await page.getByRole('button', { name: 'Account' }).click();
      await page.getByRole('menuitem', { name: 'Sign out' }).click();
      await page.getByRole('button', { name: /Yes/ }).click();
      await heading(page, 'You are signed out');
    },
  },
};

const refused = { code: 'unauthenticated', message: 'The token is refused.' };
