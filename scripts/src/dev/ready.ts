/**
 * The tasks that wait for servers. `ready.ts VARIABLE` (`temporal:ready`, `kms:ready`) ends when the port in
 * VARIABLE accepts connections. `ready.ts` (`dev:ready`) waits until all servers answer, prints the URLs, and
 * ends.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { projectRoot } from '../project.ts';
import { findTemporalCli } from '../temporal-cli.ts';
import { hasSignIn, isRemote, requiredPort } from './environment.ts';
import { peopleLines } from './sign-in.ts';
import { readyWord } from './start.ts';

/**
 * Waits until `target` is ready: until `http://…` answers with a 2xx status, or `host:port` accepts a
 * connection.
 *
 * @throws Error with the last fault if `target` is not ready within `seconds`
 */
export async function waitUntilReady(target: string, seconds = 180): Promise<void> {
  const deadline = Date.now() + seconds * 1_000;
  for (;;) {
    const fault = await probe(target);
    if (fault === undefined) return;
    if (Date.now() > deadline) throw new Error(`${target} was not ready within ${seconds} s: ${fault}`);
    await sleep(150);
  }
}

async function probe(target: string): Promise<string | undefined> {
  try {
    if (target.startsWith('http')) {
      const response = await fetch(target, { signal: AbortSignal.timeout(5_000) });
      return response.ok ? undefined : `status ${response.status}, ${(await response.text()).slice(0, 200)}`;
    }
    const { hostname, port } = new URL(`tcp://${target}`);
    const socket = connect({ host: hostname, port: Number(port), timeout: 5_000 });
    await once(socket, 'connect');
    socket.destroy();
    return undefined;
  } catch (error) {
    // `fetch` reports the reason in its error's `cause`.
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return reason instanceof Error ? reason.message : String(reason);
  }
}

/** Returns the shell commands that connect Temporal's CLI to `pnpm dev`'s Temporal server. */
export function shellLines(cliPath: string, temporalPort: number, codecPort: number): string[] {
  return [
    `export PATH="${dirname(cliPath)}:$PATH"`,
    `export TEMPORAL_ADDRESS=127.0.0.1:${temporalPort}`,
    `temporal workflow show --workflow-id order-1001 -o json --codec-endpoint http://127.0.0.1:${codecPort}`,
  ];
}

const { packageManager }: { packageManager: string } = JSON.parse(
  readFileSync(join(projectRoot, 'package.json'), 'utf8'),
);

/**
 * Returns shell commands that rotate `pnpm dev`'s key, immediately or on schedule. The commands need no
 * installed pnpm.
 */
export const rotationLines = (controlPort: number): string[] =>
  ['rotate', 'clock --advance 90d'].map(
    (command) => `npx -y ${packageManager} kms-emulator --control-port ${controlPort} ${command}`,
  );

const url = (variable: string) => `http://127.0.0.1:${requiredPort(variable)}`;

async function printReady(): Promise<void> {
  const dashboard = url('DEV_UI_PORT');
  const codecServer = url('DEV_CODEC_PORT');
  const targets = [dashboard, `${codecServer}/readyz`, `${url('DEV_WORKER_PORT')}/readyz`];
  const addresses = [`Dashboard ${dashboard}`, `codec server ${codecServer}`];
  const remote = isRemote(process.env);
  if (!remote) {
    const temporalUi = url('DEV_TEMPORAL_UI_PORT');
    targets.push(temporalUi);
    addresses.splice(1, 0, `Temporal Web UI ${temporalUi}`);
  }
  const signIn = hasSignIn(process.env);
  if (signIn) targets.push(`${url('DEV_SIGN_IN_PORT')}/.well-known/openid-configuration`);
  await Promise.all(targets.map((target) => waitUntilReady(target)));
  if (!remote) {
    console.log("To use Temporal's CLI, run in another terminal:");
    const ports = [requiredPort('DEV_TEMPORAL_PORT'), requiredPort('DEV_CODEC_PORT')] as const;
    const lines = shellLines(await findTemporalCli(), ...ports);
    // With sign-in, the codec endpoint needs a token, which the CLI cannot get.
    for (const line of signIn ? lines.slice(0, -1) : lines) console.log(`  ${line}`);
    console.log('To rotate the key, or to move the clock of the KMS emulator to its next rotation:');
    for (const line of rotationLines(requiredPort('DEV_KMS_CONTROL_PORT'))) console.log(`  ${line}`);
  }
  if (signIn) {
    console.log('To sign in to the dashboard, choose a person:');
    for (const line of peopleLines()) console.log(line);
  }
  // The ready line must be the last line, because programs wait for it.
  console.log(`${readyWord} ${addresses.join(' · ')}`);
}

if (import.meta.main) {
  const variables = process.argv.slice(2);
  for (const variable of variables) await waitUntilReady(`127.0.0.1:${requiredPort(variable)}`);
  if (variables.length === 0) await printReady();
}
