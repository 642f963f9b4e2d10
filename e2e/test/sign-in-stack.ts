import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownPorts, startDev } from '@temporal-kms/scripts/dev';

/** A separate stack with sign-in: `DEV_AUTH=1 pnpm dev`, with a real OpenID provider. */
export interface SignInStack {
  /** The origin of the dashboard. */
  readonly origin: string;
  /** The origin of the identity provider. */
  readonly issuer: string;
  readonly auditFile: string;
  /** Restarts the stack on the same ports and data, with additional variables of `pnpm dev`. */
  restart(env: Record<string, string>): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the stack on free ports and new data. On a busy machine, this takes minutes. */
export async function startSignInStack(env: Record<string, string> = {}): Promise<SignInStack> {
  const folder = await mkdtemp(join(tmpdir(), 'sign-in-test-'));
  const ports = await ownPorts();
  const auditFile = join(folder, 'audit.jsonl');
  const start = (more: Record<string, string>) =>
    startDev({ ...ports, DEV_AUTH: '1', DEV_DATA_DIR: folder, AUDIT_FILE: auditFile, ...env, ...more });
  let dev = await start({});
  return {
    origin: `http://127.0.0.1:${ports['DEV_UI_PORT']}`,
    issuer: `http://127.0.0.1:${ports['DEV_SIGN_IN_PORT']}`,
    auditFile,
    restart: async (more) => {
      await dev.stop();
      dev = await start(more);
    },
    stop: async () => {
      await dev.stop();
      await rm(folder, { recursive: true, maxRetries: 10 });
    },
  };
}
