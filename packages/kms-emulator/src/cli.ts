#!/usr/bin/env node
import { Command, InvalidArgumentError } from 'commander';
import { startEmulator } from './emulator.ts';
import type { Binding } from './model/iam/policies.ts';

interface CliOptions {
  readonly host: string;
  readonly port: number;
  readonly controlPort: number;
  readonly dataFile?: string;
  readonly key?: string[];
  readonly identity?: Record<string, number>;
  readonly grant?: Grant[];
}

interface Grant {
  readonly resource: string;
  readonly binding: Binding;
}

const help = `
Examples:
  $ kms-emulator --key projects/demo/locations/global/keyRings/temporal-keys/cryptoKeys/workflow-encryption
  $ kms-emulator --data-file .dev/kms.json --port 9061 --control-port 9062 \\
      --identity worker@demo.iam.gserviceaccount.com=9071 \\
      --grant serviceAccount:worker@demo.iam.gserviceaccount.com,roles/cloudkms.cryptoKeyEncrypter,projects/demo

The caller on --port may do everything. Clients send no credentials over an insecure channel, so each
further identity has a port of its own and may do only what policies grant it.
The data file holds key material in clear. This is for development and tests; it protects nothing.`;

const command = new Command('kms-emulator')
  .description('Google Cloud KMS on a laptop: a gRPC KeyManagementService on loopback.')
  .option('--host <address>', 'loopback address to listen on', '127.0.0.1')
  .option(
    '--port <number>',
    'gRPC port of the owner, who may do everything; 0 takes a free one',
    parsePort,
    9061,
  )
  .option('--control-port <number>', 'HTTP port of the control API; 0 takes a free one', parsePort, 9062)
  .option('--data-file <path>', 'keep keys and policies in this file, mode 0600 (default: in memory only)')
  .option('--key <name>', 'crypto key to create if it is missing; may be repeated', collect)
  .option('--identity <email=port>', 'further caller and its gRPC port; may be repeated', parseIdentityPort)
  .option('--grant <member,role,resource>', 'add a binding to a policy; may be repeated', parseGrant)
  .addHelpText('after', help)
  .action(run);

await command.parseAsync();

async function run({ key = [], identity = {}, grant = [], ...options }: CliOptions): Promise<void> {
  const emulator = await start({ ...options, keys: key, identities: identity }, grant);
  const stop = () => {
    // Started twice by a runner that forwards signals: closing again does no harm.
    void emulator.close();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);

  const identities = Object.entries(emulator.identities).map(([name, address]) => `, ${name} on ${address}`);
  process.stdout.write(
    `KMS emulator ready: gRPC ${emulator.address}${identities.join('')}, control ${emulator.controlUrl}, ` +
      `keys ${options.dataFile === undefined ? 'in memory' : `in ${options.dataFile}`}\n`,
  );
}

async function start(options: Parameters<typeof startEmulator>[0], grants: readonly Grant[]) {
  try {
    const emulator = await startEmulator(options);
    for (const { resource, binding } of grants) {
      const { bindings } = emulator.policy(resource);
      // oxlint-disable-next-line no-await-in-loop -- each adds to what the one before has left
      await emulator.setPolicy(resource, [...bindings, binding]);
    }
    return emulator;
  } catch (error) {
    return command.error(`kms-emulator: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function parsePort(value: string): number {
  const port = Number(value);
  if (!/^\d+$/.test(value) || port > 65_535)
    throw new InvalidArgumentError('A port is a number from 0 to 65535.');
  return port;
}

function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}

function parseIdentityPort(value: string, previous: Record<string, number> = {}): Record<string, number> {
  const match = /^(.+)=(\d+)$/.exec(value);
  if (match === null) throw new InvalidArgumentError('Write it as worker@demo.iam.gserviceaccount.com=9071.');
  return { ...previous, [match[1] ?? '']: parsePort(match[2] ?? '') };
}

function parseGrant(value: string, previous: Grant[] = []): Grant[] {
  const [member, role, resource, ...rest] = value.split(',');
  if (member === undefined || role === undefined || resource === undefined || rest.length > 0) {
    throw new InvalidArgumentError(
      'Write it as serviceAccount:worker@…,roles/cloudkms.cryptoKeyEncrypter,projects/demo.',
    );
  }
  return [...previous, { resource, binding: { role, members: [member] } }];
}
