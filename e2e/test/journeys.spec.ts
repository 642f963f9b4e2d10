import { test } from '@playwright/test';
import { journeys } from './journeys.ts';
import { untilSamplesEnded } from './stack.ts';

/* Tests what a person does with the dashboard, without sign-in. */

// Without a preference, unlike all other tests, so that animations run.
test.use({ contextOptions: { reducedMotion: 'no-preference' } });
test.beforeAll(untilSamplesEnded);

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
