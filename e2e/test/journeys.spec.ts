import { expect, test } from '@playwright/test';
import { journeys } from './journeys.ts';
import { latestRun } from './stack.ts';

/* What a person does with the dashboard, without sign-in. signed-in-screens.spec.ts does the same with sign-in. */

test.beforeAll(async () => {
  for (const [id, status] of [
    ['order-1001', 'Completed'],
    ['checkout-2001', 'Failed'],
  ] as const)
    await expect.poll(async () => (await latestRun(id)).status, { timeout: 60_000 }).toBe(status);
});

for (const [size, use] of [
  ['a desktop', { viewport: { width: 1440, height: 900 } }],
  ['a phone', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }],
] as const) {
  test.describe(`on ${size}`, () => {
    test.use(use);
    for (const [name, journey] of Object.entries(journeys)) {
      test(`a person ${name}`, ({ page }) => journey(page, ''));
    }
  });
}
