import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { combineObservers, createKmsCodec, kmsEnvironment, type KmsSettings } from '@temporal-kms/kms-codec';
import { type Emulator, startEmulator } from '@temporal-kms/kms-emulator';
import { codeBlocks } from '@temporal-kms/testing/markdown';
import type { Closers } from '@temporal-kms/testing/stack';
import { createKeyUsage } from '../../../src/observability/key-usage.ts';
import { kmsCharges } from '../../../src/observability/kms-calls.ts';
import { watchKms } from '../../../src/observability/kms-health.ts';
import type { TemporalService } from '../../../src/temporal/service.ts';
import { appWith } from '../../support/stack.ts';

const page = await readFile(join(import.meta.dirname, '../../../../../docs/moving.md'), 'utf8');

export interface KeysOptions {
  /** The title of the keys file in docs/moving.md. */
  readonly keysFile: string;
  readonly replace?: (keysFile: string) => string;
  /** Further files to write next to the keys file. */
  readonly files?: Readonly<Record<string, string>>;
  /** The emulator's data file. The emulator uses a copy of the file. By default, the emulator creates new keys. */
  readonly dataFile?: string;
}

export interface Keys {
  readonly emulator: Emulator;
  /** The environment for a program that uses the keys file and the emulator. */
  readonly variables: Readonly<Record<string, string>>;
  readonly settings: KmsSettings;
}

/** Starts the KMS emulator with the keys of a keys file in docs/moving.md. */
export async function startKeys(closers: Closers, options: KeysOptions): Promise<Keys> {
  const { keysFile, replace = (file: string) => file, files = {}, dataFile } = options;
  const block = codeBlocks(page).find(({ info }) => info.includes(`title="${keysFile}"`));
  if (!block) throw new Error(`docs/moving.md has no block with the title ${keysFile}.`);
  const text = replace(block.code);
  const folder = await mkdtemp(join(tmpdir(), 'moving-'));
  closers.defer(() => rm(folder, { recursive: true }));
  const path = (name: string) => join(folder, name);
  for (const [name, content] of Object.entries(files)) await writeFile(path(name), content);
  await writeFile(path('keys.yaml'), text);
  if (dataFile !== undefined) await copyFile(dataFile, path('kms.json'));
  const emulator = closers.use(
    await startEmulator({
      keys: text.match(/projects\/[^\s\],]+/g) ?? [],
      ...(dataFile !== undefined && { dataFile: path('kms.json') }),
    }),
  );
  const variables = { KMS_KEYS_FILE: path('keys.yaml'), KMS_EMULATOR_HOST: emulator.address };
  return { emulator, variables, settings: kmsEnvironment.parse(variables) };
}

/** Returns a codec server that uses a keys file. */
export function createServer(
  closers: Closers,
  { settings }: Keys,
  temporal: TemporalService,
): ReturnType<typeof appWith> {
  const watch = watchKms();
  const use = createKeyUsage();
  const observer = combineObservers(watch.observer, use.observer, kmsCharges);
  const codec = closers.use(createKmsCodec(settings, { observer, waitMs: { other: 15_000 } }));
  return appWith({ codec, watch, use }, { temporal });
}
