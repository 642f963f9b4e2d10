import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownPorts, startDev } from '@temporal-kms/scripts/dev';
import { test as base } from './screens.ts';

/** A separate stack with sign-in: `DEV_AUTH=1 pnpm dev`, with a real OpenID provider. */
export interface SignInStack {
  /** The origin of the dashboard. */
  readonly origin: string;
  /** The origin of the identity provider. */
  readonly issuer: string;
  readonly auditFile: string;
}

/**
 * A test on this stack. The files that run in the same worker share the stack, because its start takes minutes on a
 * busy machine.
 */
export const test = base.extend<object, { stack: SignInStack }>({
  stack: [
    // From this empty pattern, Playwright infers that the fixture needs no other fixtures.
    // oxlint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const folder = await mkdtemp(join(tmpdir(), 'sign-in-test-'));
      const ports = await ownPorts();
      const auditFile = join(folder, 'audit.jsonl');
      const dev = await startDev({
        ...ports,
        DEV_AUTH: '1',
        // A token's lifetime is so short that almost every test includes renewals.
        DEV_AUTH_TOKEN_SECONDS: '12',
        // Tests open the shop's orders only on the stack without sign-in.
        DEV_SHOP: '0',
        DEV_DATA_DIR: folder,
        AUDIT_FILE: auditFile,
      });
      await use({
        origin: `http://127.0.0.1:${ports['DEV_UI_PORT']}`,
        issuer: `http://127.0.0.1:${ports['DEV_SIGN_IN_PORT']}`,
        auditFile,
      });
      await dev.stop();
      await rm(folder, { recursive: true, maxRetries: 10 });
    },
    { scope: 'worker', timeout: 300_000 },
  ],
});
