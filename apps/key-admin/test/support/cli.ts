import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyManagementServiceClient } from '@google-cloud/kms';
import type { ProjectsClient } from '@google-cloud/resource-manager';
import { type Emulator, type EmulatorOptions, startEmulator } from '@temporal-kms/kms-emulator';
import { beforeAll, onTestFinished } from 'vitest';
import { connectGoogle } from '../../src/google/client.ts';
import { runCli } from '../../src/run-cli.ts';

/** The functions that `afterwards` has registered in the hook of `beforeTests` that is running. */
let registered: (() => unknown)[] | undefined;

/**
 * Registers a function to run after the current test. Such functions run in reverse order. This module itself must not
 * call `afterEach`: test files share a process, so the module is evaluated only for the first of them.
 */
export function afterwards(close: () => unknown): void {
  if (registered === undefined) onTestFinished(async () => void (await close()));
  else registered.push(close);
}

/** Runs a function before the tests of a file. What it registers with `afterwards` runs after these tests. */
export function beforeTests(start: () => Promise<void>): void {
  beforeAll(async () => {
    const closing: (() => unknown)[] = [];
    registered = closing;
    const close = async (): Promise<void> => {
      for (const each of closing.toReversed()) await each();
    };
    try {
      await start();
    } catch (error) {
      await close();
      throw error;
    } finally {
      registered = undefined;
    }
    return close;
  });
}

export const RING = 'projects/acme/locations/us-east1/keyRings/temporal-keys';
export const KEY = `${RING}/cryptoKeys/workflow-encryption`;
export const ADMIN = 'admin@acme.iam.gserviceaccount.com';
export const VIEWER = 'viewer@acme.iam.gserviceaccount.com';
export const WORKER = 'worker@acme.iam.gserviceaccount.com';

export const member = (email: string): string => `serviceAccount:${email}`;

/** The variables of an application that uses {@link KEY}. */
export const variables = {
  GCP_PROJECT: 'acme',
  GCP_KMS_LOCATION: 'us-east1',
  GCP_KMS_KEY_RING: 'temporal-keys',
  GCP_KMS_KEY: 'workflow-encryption',
};

export interface Ran {
  readonly code: number;
  readonly out: string;
  /** Standard output as bytes. */
  readonly bytes: Buffer;
  readonly err: string;
  /** Returns the value that `--json` printed. */
  readonly json: () => any;
}

export interface RunOptions {
  readonly env?: Record<string, string | undefined>;
  readonly now?: () => Date;
  /** The content of standard input. */
  readonly input?: string | Uint8Array;
  /**
   * The person's answer, or a function that acts first and then returns the answer. `undefined` means that
   * there is no terminal.
   */
  readonly answer?: string | (() => Promise<string>);
  /** Whether standard output is a terminal. */
  readonly showsOutput?: boolean;
  /** Receives the text that the command prints on standard error. */
  readonly onProgress?: (text: string) => void;
}

/** Runs the command line in this process. */
export async function temporalKms(
  args: readonly string[],
  { env = {}, now = () => new Date(), answer, input = '', onProgress, showsOutput = false }: RunOptions = {},
): Promise<Ran> {
  const out: Buffer[] = [];
  let err = '';
  const code = await runCli(args, {
    env,
    now,
    stdin: async function* () {
      yield Buffer.from(input);
    },
    stdout: (text) => void out.push(Buffer.from(text)),
    stderr: (text) => {
      err += text;
      onProgress?.(text);
    },
    isTerminal: answer !== undefined,
    showsOutput,
    ask: (question) => {
      err += question;
      return typeof answer === 'function' ? answer() : Promise.resolve(answer ?? '');
    },
  });
  const bytes = Buffer.concat(out);
  return { code, out: bytes.toString(), bytes, err, json: () => JSON.parse(bytes.toString()) };
}

export interface Cloud {
  readonly emulator: Emulator;
  /** The emulator's owner, who may do everything. */
  readonly owner: KeyManagementServiceClient;
  /** The owner's Resource Manager client. */
  readonly projects: ProjectsClient;
  /** Returns the variables of an application that calls Cloud KMS as this identity. */
  readonly as: (email: string) => Record<string, string>;
  /** Adds a binding to the policy of a resource. */
  readonly grant: (email: string, role: string, resource?: string) => Promise<void>;
  /** All plaintexts that were encrypted or decrypted. */
  readonly plaintexts: readonly Buffer[];
}

/** Starts an emulator in which each identity has only the permissions that are granted to it. */
export async function startCloud(options: EmulatorOptions = {}): Promise<Cloud> {
  const plaintexts: Buffer[] = [];
  const emulator = await startEmulator({
    keys: [KEY],
    identities: { [ADMIN]: 0, [VIEWER]: 0, [WORKER]: 0 },
    plaintext: (bytes) => plaintexts.push(Buffer.from(bytes)),
    ...options,
  });
  afterwards(() => emulator.close());
  const google = await connectGoogle(emulator.address, { progress: () => undefined });
  afterwards(() => google.close());
  return {
    emulator,
    owner: google.kms,
    projects: google.projects,
    plaintexts,
    as: (email) => ({ ...variables, KMS_EMULATOR_HOST: emulator.identities[email] ?? '' }),
    grant: async (email, role, resource = KEY) => {
      const { bindings } = emulator.policy(resource);
      await emulator.setPolicy(resource, [...bindings, { role, members: [member(email)] }]);
    },
  };
}

/** Creates a version of the key, makes it primary, and returns its number. */
export async function rotate({ owner }: Pick<Cloud, 'owner'>, key = KEY): Promise<number> {
  const [{ name }] = await owner.createCryptoKeyVersion({ parent: key, cryptoKeyVersion: {} });
  const version = Number(name!.slice(name!.lastIndexOf('/') + 1));
  await owner.updateCryptoKeyPrimaryVersion({ name: key, cryptoKeyVersionId: String(version) });
  return version;
}

/** Returns a folder that exists until the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'temporal-kms-'));
  afterwards(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a file that exists until the test ends, and returns its path. */
export async function temporaryFile(name: string, content: string): Promise<string> {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, content);
  return path;
}

/** Writes these rules to a keys file that exists until the test ends, and returns the file's path. */
export const keysFile = (namespaces: Record<string, object>): Promise<string> =>
  temporaryFile('keys.yaml', `${JSON.stringify({ namespaces })}\n...\n`);
