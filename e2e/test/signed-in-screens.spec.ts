import { expectAccessible } from './screens.ts';
import { test } from './sign-in-stack.ts';
import { openSignedIn, signedInScreens } from './signed-in-screens.ts';

/* Tests each screen of the dashboard that exists only with sign-in. */

for (const [number, [name, screen]] of Object.entries(signedInScreens).entries()) {
  test(`axe finds no violation on ${name}`, async ({ sharedPage: page, stack }) => {
    await openSignedIn(page, screen, stack.origin);
    await expectAccessible(page, process.env['SLOW'] ? undefined : number);
  });
}
