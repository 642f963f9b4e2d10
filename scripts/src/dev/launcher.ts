import { execa } from 'execa';

const launcherName = /(^|\/)(pnpm|npm|npx|corepack)\b/;
const CHECK_EVERY_MS = 500;

/**
 * Calls `onEnd` once when one of this process's launchers has ended: pnpm, npx, npm, or a shell between them.
 *
 * A signal to `npx pnpm dev` ends only npx. pnpm and this process would continue to run, without a parent
 * that could stop them. Node has no event for the end of a parent, so this function checks twice per second.
 */
export async function watchLaunchers(onEnd: () => void): Promise<void> {
  const launchers = await findLaunchers();
  const timer = setInterval(() => {
    if (launchers.every(exists)) return;
    clearInterval(timer);
    onEnd();
  }, CHECK_EVERY_MS);
  timer.unref();
}

/** Returns the process ids from this process's parent up to its outermost launcher. The user's shell is not included. */
async function findLaunchers(): Promise<number[]> {
  const { stdout } = await execa('ps', ['-A', '-o', 'pid=,ppid=,comm='], { reject: false });
  const processes = new Map<number, { readonly parent: number; readonly name: string }>();
  for (const [, pid, parent, name = ''] of (stdout ?? '').matchAll(/^\s*(\d+)\s+(\d+)\s+(.*)$/gm)) {
    processes.set(Number(pid), { parent: Number(parent), name });
  }
  const ancestors: number[] = [];
  let launchers = 0;
  for (let pid = process.ppid; pid > 1; pid = processes.get(pid)?.parent ?? 0) {
    ancestors.push(pid);
    if (launcherName.test(processes.get(pid)?.name ?? '')) launchers = ancestors.length;
  }
  return ancestors.slice(0, launchers);
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
