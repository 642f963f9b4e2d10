import { expect, type Page } from '@playwright/test';
import { signInAs } from './people.ts';

/* The screens of the dashboard that exist only with sign-in: `DEV_AUTH=1 pnpm dev`. */

const LIST = '/ns/default/workflows';
const PAYMENT = '/ns/payments/workflows/payment-4711';
const ORDER = '/ns/default/workflows/order-1001';
const JUSTIFICATION = 'PAY-4711: failed capture';

interface SignedInScreen {
  /** The sample person who signs in, or `undefined` if no one signs in. */
  readonly person?: string;
  readonly path: string;
  /** Performs the person's actions on this screen. */
  readonly open: (page: Page) => Promise<unknown>;
}

/** Signs the person in, and opens the screen on a new page. */
export async function openSignedIn(
  page: Page,
  { person, path, open }: SignedInScreen,
  origin = '',
): Promise<void> {
  if (person === undefined) await page.goto(`${origin}${path}`);
  else await signInAs(page, person, `${origin}${path}`);
  await open(page);
}

const heading = (page: Page, name: string | RegExp) =>
  expect(page.getByRole('heading', { name })).toBeVisible();
const shown = (page: Page, text: string | RegExp) => expect(page.getByText(text).first()).toBeVisible();

async function revealDialog(page: Page): Promise<void> {
  await expect(page.locator('[data-key="g1"] [data-masked]')).toBeVisible();
  await page.keyboard.press('Shift+R');
  await expect(page.getByRole('dialog', { name: 'Reveal payloads' })).toBeVisible();
}

async function reveal(page: Page): Promise<void> {
  await revealDialog(page);
  await expect(page.getByRole('textbox', { name: 'Justification' })).toBeFocused();
  await page.keyboard.type(JUSTIFICATION);
  await page.keyboard.press('Enter');
}

const signInButton = (page: Page) => page.getByRole('button', { name: /^Sign in with/ });

async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Account' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
}

const isToken = (url: URL) => url.pathname === '/token';
const isApi = (url: URL) => url.pathname.startsWith('/api/') && url.pathname !== '/api/sign-in';

/**
 * From now on, answers the requests that `which` selects with an error, in place of the server or the
 * provider.
 */
const refuse = (page: Page, which: (url: URL) => boolean, status: number, error: unknown) =>
  page.route(which, (route) =>
    route.fulfill({ status, json: { error }, headers: { 'access-control-allow-origin': '*' } }),
  );
const refuseApi = (page: Page) =>
  refuse(page, isApi, 401, { code: 'unauthenticated', message: 'The token is refused.' });

export const signedInScreens: Readonly<Record<string, SignedInScreen>> = {
  'the sign-in': { path: LIST, open: (page) => expect(signInButton(page)).toBeVisible() },
  'a sign-in that failed': {
    path: LIST,
    open: async (page) => {
      await page.route(
        (url) => url.pathname.startsWith('/.well-known/'),
        (route) => route.abort(),
      );
      // The page reads the provider's settings only when it loads, so load it again.
      await page.reload();
      await signInButton(page).click();
      await shown(page, /^This page cannot reach the identity provider\./);
    },
  },
  'a sign-in that the codec server refuses': {
    person: 'Olivia Oncall',
    path: LIST,
    open: async (page) => {
      await refuseApi(page);
      await page.reload();
      await heading(page, 'The codec server does not accept your sign-in');
    },
  },
  'locked payloads': {
    person: 'Olivia Oncall',
    path: `${PAYMENT}?ev=1`,
    open: async (page) => {
      await shown(page, 'Payloads are shown only with a justification.');
      await expect(page.locator('[data-key="g1"] [data-masked]')).toBeVisible();
    },
  },
  'the justification of a reveal': { person: 'Olivia Oncall', path: PAYMENT, open: revealDialog },
  'revealed payloads': {
    person: 'Olivia Oncall',
    path: `${PAYMENT}?ev=1`,
    open: async (page) => {
      await reveal(page);
      await shown(page, 'Mira Lindqvist');
      await expect(page.getByRole('timer').first()).toBeVisible();
    },
  },
  'a reveal that the codec server refuses': {
    person: 'Olivia Oncall',
    path: `${PAYMENT}?ev=1`,
    open: async (page) => {
      const message = 'You may not decode payloads of payments.';
      await refuse(page, (url) => url.pathname.endsWith('/payloads:decode'), 403, {
        code: 'forbidden',
        message,
      });
      await reveal(page);
      await shown(page, /payloads were not decoded/);
    },
  },
  'the justification for a search': {
    person: 'Olivia Oncall',
    path: PAYMENT,
    open: async (page) => {
      await expect(page.locator('[data-key="g1"] [data-masked]')).toBeVisible();
      await page.keyboard.press('Control+Shift+F');
      await page.getByRole('textbox', { name: 'Find in decrypted payloads' }).fill('Lindqvist');
      await page.keyboard.press('Enter');
      await expect(page.getByRole('dialog', { name: 'Search decrypted payloads' })).toBeVisible();
    },
  },
  'payloads that a person has locked': {
    person: 'Olivia Oncall',
    path: `${ORDER}?ev=1`,
    open: async (page) => {
      await shown(page, 'Please wrap it as a present');
      await page.keyboard.press('l');
      await shown(page, 'You have locked the payloads.');
    },
  },
  'metadata without payloads': {
    person: 'Sam Support',
    path: `${ORDER}?ev=1`,
    open: (page) => shown(page, 'You can see metadata, not payloads.'),
  },
  'an export that a person may not do': {
    person: 'Olivia Oncall',
    path: ORDER,
    open: async (page) => {
      await shown(page, 'Please wrap it as a present');
      await page.keyboard.press('x');
      await shown(page, 'You may not export histories here.');
    },
  },
  'the justification for an export': {
    person: 'Adam Admin',
    path: PAYMENT,
    open: async (page) => {
      await expect(page.locator('[data-key="g1"] [data-masked]')).toBeVisible();
      await page.keyboard.press('x');
      await expect(page.getByRole('textbox', { name: 'Justification' })).toBeVisible();
    },
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
    open: async (page) => {
      await heading(page, 'You may not read workflows in any namespace');
      await shown(page, 'nora.new@example.com');
    },
  },
  'an audit that a person may not read': {
    person: 'Olivia Oncall',
    path: '/ns/default/audit',
    open: (page) => heading(page, 'You may not read the audit in default'),
  },
  'the audit for an auditor': {
    person: 'Audrey Audit',
    path: '/ns/payments/audit',
    open: (page) => expect(page.getByRole('row', { name: /audrey/ }).first()).toBeVisible(),
  },
  'the account': {
    person: 'Olivia Oncall',
    path: LIST,
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
      await refuse(page, isToken, 400, 'invalid_grant');
      await refuseApi(page);
      await expect(page.getByText('Your sign-in has expired.')).toBeVisible({ timeout: 60_000 });
    },
  },
  'an expired sign-in while the provider is down': {
    person: 'Olivia Oncall',
    path: ORDER,
    open: async (page) => {
      await shown(page, 'Please wrap it as a present');
      await page.route(isToken, (route) => route.abort());
      await refuseApi(page);
      await expect(page.getByText(/the identity provider cannot be reached/)).toBeVisible({
        timeout: 60_000,
      });
    },
  },
  'the page after a sign-out': {
    person: 'Olivia Oncall',
    path: LIST,
    open: async (page) => {
      await signOut(page);
      await page.getByRole('button', { name: /Yes/ }).click();
      await heading(page, 'You are signed out');
    },
  },
  'the page after a sign-out in another tab': {
    person: 'Olivia Oncall',
    path: LIST,
    open: async (page) => {
      await shown(page, 'order-1001');
      const other = await page.context().newPage();
      await other.goto(page.url());
      await signOut(other);
      await shown(page, /You signed out in another tab/);
      await other.close();
    },
  },
};
