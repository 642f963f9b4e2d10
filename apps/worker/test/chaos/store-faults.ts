import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '@temporal-kms/scripts/ports';
import { startGcs } from '@temporal-kms/scripts/gcs';
import { z } from 'zod';
import { type ProxyMode, startGcsProxy } from './gcs-proxy.ts';
import { BUCKET, bucketEnvironment, type OpenStore } from './stores.ts';

/** A fault of a branch-key store. */
interface StoreFault {
  readonly name: string;
  /**
   * The code that a process logs if it uses the store during the fault. If `undefined`, the process need
   * not notice the fault.
   */
  readonly code?: string;
  readonly begin: () => Promise<void>;
  readonly end: () => Promise<void>;
}

/** A store, with the faults that it can have. */
export interface FaultyStore extends OpenStore {
  readonly faults: readonly StoreFault[];
}

const listing = z.object({ items: z.array(z.object({ name: z.string() })).optional() });
const nothing = (): Promise<void> => Promise.resolve();
const generation = (name: string): number => Number(name.split('.')[1]);
const CORRUPTED = '{"version":1,"current":';

/**
 * Returns a store in a directory. If the test runs as root, the fault "read-only" is left out, because root
 * can write to every directory.
 */
export async function openFaultyDirectory(): Promise<FaultyStore> {
  const folder = await mkdtemp(join(tmpdir(), 'branch-keys-'));
  const parent = join(folder, 'volume');
  const directory = join(parent, 'keys');
  await mkdir(directory, { mode: 0o700, recursive: true });
  const newest = async (): Promise<string> => {
    const names = (await readdir(directory)).filter((name) => name.endsWith('.json'));
    return join(directory, names.toSorted((a, b) => generation(a) - generation(b)).at(-1) ?? '');
  };
  const permissions = (name: string, mode: number, code: string): StoreFault => ({
    name,
    code,
    begin: () => chmod(directory, mode),
    end: () => chmod(directory, 0o700),
  });
  /**
   * Replaces the file atomically, because a process that reads an empty file would be another kind of fault.
   */
  const replaceNewest = async (body: string | Buffer): Promise<void> => {
    const written = join(folder, 'written');
    await writeFile(written, body);
    await rename(written, await newest());
  };
  let old: Buffer;
  return {
    env: { KMS_BRANCH_KEYS: `file:${directory}` },
    close: () => rm(folder, { recursive: true, force: true }),
    faults: [
      {
        name: 'gone',
        code: 'unavailable',
        begin: async () => {
          old = await readFile(await newest());
          await rename(parent, `${parent}-away`);
        },
        end: () => rename(`${parent}-away`, parent),
      },
      ...(process.geteuid?.() === 0 ? [] : [permissions('read-only', 0o500, 'not_permitted')]),
      permissions('writable by others', 0o777, 'untrusted'),
      { name: 'corrupted', code: 'malformed', begin: () => replaceNewest(CORRUPTED), end: nothing },
      { name: 'rolled back', begin: () => replaceNewest(old), end: nothing },
    ],
  };
}

/** Returns a store in a bucket of fake-gcs-server, behind a proxy that delays and refuses requests. */
export async function openFaultyBucket(): Promise<FaultyStore> {
  const [port = 0] = await freePorts(1);
  const open = async () => {
    const server = await startGcs(port);
    await server.createBucket(BUCKET);
    return server;
  };
  let server = await open();
  const proxy = await startGcsProxy(port);
  const objects = async (): Promise<string[]> => {
    const response = await fetch(`${server.url}/storage/v1/b/${BUCKET}/o`);
    const { items = [] } = listing.parse(await response.json());
    return items.map(({ name }) => name);
  };
  const read = async (name: string) =>
    (await fetch(`${server.url}/storage/v1/b/${BUCKET}/o/${encodeURIComponent(name)}?alt=media`)).text();
  const write = async (name: string, body: string): Promise<void> => {
    const url = `${server.url}/upload/storage/v1/b/${BUCKET}/o?uploadType=media&name=${encodeURIComponent(name)}`;
    const { ok } = await fetch(url, { method: 'POST', body });
    if (!ok) throw new Error(`The object ${name} could not be written`);
  };
  const writeAll = async (body: (name: string) => string) => {
    for (const name of await objects()) await write(name, body(name));
  };
  const mode = (name: string, code: string, wanted: ProxyMode): StoreFault => ({
    name,
    code,
    begin: () => proxy.set(wanted),
    end: () => proxy.set('pass'),
  });
  const old = new Map<string, string>();
  return {
    env: bucketEnvironment(proxy.url),
    close: async () => {
      await proxy.close();
      await server.close();
    },
    faults: [
      {
        name: 'gone',
        code: 'unavailable',
        begin: async () => {
          for (const name of await objects()) old.set(name, await read(name));
          await server.close();
        },
        end: async () => {
          server = await open();
        },
      },
      mode('read-only', 'not_permitted', 'refuse writes'),
      mode('slow (3 s a request)', 'unavailable', 'slow'),
      mode('without an answer', 'unavailable', 'hang'),
      { name: 'corrupted', code: 'malformed', begin: () => writeAll(() => CORRUPTED), end: nothing },
      { name: 'rolled back', begin: () => writeAll((name) => old.get(name) ?? ''), end: nothing },
    ],
  };
}
