import { type Command, InvalidArgumentError } from 'commander';
import { readFileSync } from 'node:fs';
import { messageOf } from '@temporal-kms/node-utils/error-details';
import { startEmulator } from '../emulator.ts';
import type { Binding } from '../model/iam/policies.ts';
import { addRemoteCommands } from './remote.ts';
import { parseDuration, parsePort } from './values.ts';

interface CliOptions {
  readonly host: string;
  readonly port: number;
  readonly controlPort: number;
  readonly dataFile?: string;
  readonly key?: string[];
  readonly identity?: Record<string, number>;
  readonly grant?: Grant[];
  readonly rotationPeriod?: number;
  readonly tlsCert?: Buffer;
  readonly tlsKey?: Buffer;
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
  $ kms-emulator rotate                 # in another terminal: rotates the keys of the running emulator
  $ kms-emulator clock --advance 90d    # moves the emulator's clock: scheduled rotations and destructions happen

The caller on --port may do everything. Clients send no credentials over an insecure channel, so each
further identity has a separate port, and only the permissions that policies grant to it.
The data file contains key material in plaintext. The emulator is for development and tests; it protects nothing.`;

/** Adds the emulator's options and commands to a program without commands, and returns the program. */
export function addCommands(program: Command): Command {
  program
    .description(
      'A local Google Cloud KMS for development and tests: KeyManagementService over gRPC and REST, on loopback.',
    )
    .option('--host <address>', 'loopback address to listen on', '127.0.0.1')
    .option(
      '--port <number>',
      'port (gRPC and REST) of the owner, who may do everything; 0 chooses a free port',
      parsePort,
      9061,
    )
    .option('--control-port <number>', 'HTTP port of the control API; 0 chooses a free port', parsePort, 9062)
    .option('--data-file <path>', 'keep keys and policies in this file, mode 0600 (default: in memory only)')
    .option('--key <name>', 'crypto key to create if it is missing; may be repeated', collect)
    .option(
      '--rotation-period <duration>',
      'rotation period for those --key keys that have none, such as 90d (default: no rotation)',
      parseDuration,
    )
    .option(
      '--identity <email=port>',
      'additional caller and its port (gRPC and REST); may be repeated',
      parseIdentityPort,
    )
    .option('--grant <member,role,resource>', 'add a binding to a policy; may be repeated', parseGrant)
    .option('--tls-cert <path>', "certificate chain (PEM) for TLS on the callers' ports", readBytes)
    .option('--tls-key <path>', "the certificate's private key (PEM)", readBytes)
    .addHelpText('after', help)
    .enablePositionalOptions()
    .action((given: CliOptions) => run(program, given));
  addRemoteCommands(program);
  return program;
}

async function run(program: Command, given: CliOptions): Promise<void> {
  const { key = [], identity = {}, grant = [], rotationPeriod, tlsCert, tlsKey, ...options } = given;
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    program.error('kms-emulator: set both --tls-cert and --tls-key, or neither.');
  const tls = tlsCert && tlsKey && { tls: { cert: tlsCert, key: tlsKey } };
  const rotation = rotationPeriod !== undefined && { rotationPeriodSeconds: rotationPeriod };
  const all = { ...options, ...tls, ...rotation, keys: key, identities: identity };
  const emulator = await start(all, grant).catch((error: unknown) =>
    program.error(`kms-emulator: ${messageOf(error)}`),
  );
  const stop = () => {
    // A runner that forwards signals can send a signal twice. Closing again has no effect.
    void emulator.close();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);

  const identities = Object.entries(emulator.identities).map(([name, address]) => `, ${name} on ${address}`);
  program
    .configureOutput()
    .writeOut?.(
      `KMS emulator ready: gRPC ${emulator.address}${identities.join('')}, REST ${emulator.url}, control ${emulator.controlUrl}, ` +
        `keys ${options.dataFile === undefined ? 'in memory' : `in ${options.dataFile}`}\n`,
    );
}

async function start(options: Parameters<typeof startEmulator>[0], grants: readonly Grant[]) {
  const emulator = await startEmulator(options);
  try {
    for (const { resource, binding } of grants) {
      const { bindings } = emulator.policy(resource);
      // oxlint-disable-next-line no-await-in-loop -- each binding is added to the policy that contains the
      // previous bindings
      await emulator.setPolicy(resource, [...bindings, binding]);
    }
    return emulator;
  } catch (error) {
    await emulator.close();
    throw error;
  }
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
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
