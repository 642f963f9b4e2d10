import { test } from '@playwright/test';
import { expectAccessible } from './screens.ts';
import { type SignInStack, startSignInStack } from './sign-in-stack.ts';
import { openSignedIn, signedInScreens } from './signed-in-screens.ts';

/* Tests each screen of the dashboard that exists only with sign-in. */

test.use({ viewport: { width: 1440, height: 900 } });

let stack: SignInStack;
test.beforeAll(async () => {
  test.setTimeout(300_000);
  stack = await startSignInStack();
});
test.afterAll(() => stack.stop());

for (const [number, [name, screen]] of Object.entries(signedInScreens).entries()) {
  test(`axe finds no violation on ${name}`, async ({ page }) => {
    await openSignedIn(page, screen, stack.origin);
    await expectAccessible(page, process.env['SLOW'] ? undefined : number);
  });
}
