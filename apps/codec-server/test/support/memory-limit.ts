import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** The kind of memory limit of a process. */
type LimitKind = 'memory cgroup' | 'heap limit' | 'no limit';

/** Starts processes with a memory limit. */
export interface MemoryLimit {
  readonly kind: LimitKind;
  readonly mebibytes: number;
  /**
   * Spawns Node with these arguments. The kernel kills the process if it exceeds the limit of a memory
   * cgroup.
   */
  spawnNode(args: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv }): ChildProcess;
  remove(): Promise<void>;
}

/**
 * Returns the strictest memory limit that the machine supports: a memory cgroup (version 1 or 2, as root), or
 * else a limit on V8's heap. With a heap limit, the caller must check the resident memory.
 */
export async function limitMemory(mebibytes: number): Promise<MemoryLimit> {
  return (await cgroupAsRoot(mebibytes)) ?? heapLimit(mebibytes);
}

/** Starts processes without a memory limit, so that they see all of the machine's memory. */
export const unlimited: MemoryLimit = {
  kind: 'no limit',
  mebibytes: Number.POSITIVE_INFINITY,
  spawnNode: (args, options) => spawn(process.execPath, args, options),
  remove: async () => undefined,
};

/**
 * Returns, for each version of cgroups, the folder for child cgroups and the names of the files that set
 * their limits.
 */
function hierarchies(): { parent: string; files: readonly string[] }[] {
  const own = existsSync('/proc/self/cgroup') ? readFileSync('/proc/self/cgroup', 'utf8') : '';
  const v1 = /^\d+:(?:\w+,)*memory(?:,\w+)*:(.*)$/m.exec(own)?.[1];
  return [
    ...(v1 === undefined
      ? []
      : [{ parent: join('/sys/fs/cgroup/memory', v1), files: ['memory.limit_in_bytes'] }]),
    // In version 2, a cgroup with processes cannot have children, unless it is the root.
    { parent: '/sys/fs/cgroup', files: ['memory.max'] },
  ];
}

async function cgroupAsRoot(mebibytes: number): Promise<MemoryLimit | undefined> {
  for (const { parent, files } of hierarchies()) {
    const path = join(parent, `codec-server-test-${randomUUID()}`);
    try {
      await mkdir(path);
      try {
        for (const file of files) {
          // The kernel creates these files only if the controller is enabled.
          await writeFile(join(path, file), String(mebibytes * 2 ** 20), { flag: 'r+' });
        }
        // Prevents swapping. The file is missing if swap accounting is disabled.
        await writeFile(join(path, 'memory.swap.max'), '0', { flag: 'r+' }).catch(() => undefined);
      } catch (error) {
        await rmdir(path);
        throw error;
      }
    } catch {
      continue;
    }
    return {
      kind: 'memory cgroup',
      mebibytes,
      spawnNode: (args, options) =>
        spawn(
          'sh',
          ['-c', 'echo $$ > "$0" && exec "$@"', join(path, 'cgroup.procs'), process.execPath, ...args],
          options,
        ),
      remove: async () => {
        // The cgroup may still list a process that was just killed.
        for (let tries = 0; ; tries += 1) {
          try {
            return await rmdir(path);
          } catch (error) {
            if (tries === 50) throw error;
            await sleep(100);
          }
        }
      },
    };
  }
  return undefined;
}

/** The share of the memory limit for V8's heap. The process needs the rest outside the heap. */
const HEAP_SHARE = 0.5;

function heapLimit(mebibytes: number): MemoryLimit {
  const heap = `--max-old-space-size=${Math.floor(mebibytes * HEAP_SHARE)}`;
  return {
    kind: 'heap limit',
    mebibytes,
    spawnNode: (args, options) => spawn(process.execPath, [heap, ...args], options),
    remove: async () => undefined,
  };
}

/** Returns the peak resident memory of a process so far, in MiB. Returns NaN on systems other than Linux. */
export async function peakResident(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}
