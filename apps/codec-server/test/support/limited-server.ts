import { once } from 'node:events';
import { cp, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '@temporal-kms/scripts/ports';
import { expect } from 'vitest';
import { built } from './built.ts';
import { keepForSearch } from './leak-search.ts';
import { type MemoryLimit, peakResident } from './memory-limit.ts';
import { posted } from './served.ts';
import { eventually, NAMESPACE } from './temporal.ts';

/** Returns a new folder with a copy of the server's bundle. */
export async function copyServer(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'codec-server-'));
  await cp(built, directory, { recursive: true });
  return directory;
}

export const post = (url: string, text: string): Promise<Outcome> => outcomeOf(fetch(url, posted(text)));

export interface Outcome {
  /** The HTTP status, or 0 if the connection was closed. */
  readonly status: number;
  readonly text: string;
}

/** Returns the status and the last characters of a response of any length. */
export async function outcomeOf(pending: Promise<Response>): Promise<Outcome> {
  try {
    const response = await pending;
    let last = Buffer.alloc(0);
    for await (const chunk of response.body!)
      last = Buffer.concat([last.subarray(-2_000), chunk.subarray(-2_000)]);
    const text = String(last);
    return { status: response.status, text };
  } catch {
    return { status: 0, text: '' };
  }
}

/** Starts the bundled server under a memory limit. */
export async function startLimited(
  directory: string,
  limit: MemoryLimit,
  kms: string,
  temporal: string,
  env: Record<string, string>,
) {
  const [port = 0, metricsPort = 0] = await freePorts(2);
  const child = limit.spawnNode([join(directory, 'main.mjs')], {
    cwd: directory,
    env: {
      HOME: directory,
      GCP_PROJECT: 'test',
      GCP_KMS_KEY_RING: 'temporal-keys',
      GCP_KMS_KEY: 'payments',
      KMS_EMULATOR_HOST: kms,
      TEMPORAL_ADDRESS: temporal,
      TEMPORAL_NAMESPACE: NAMESPACE,
      CODEC_PORT: String(port),
      CODEC_METRICS_PORT: String(metricsPort),
      AUDIT_FILE: join(directory, `audit-${port}.jsonl`),
      ...env,
    },
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      out = (out + text).slice(-20_000);
      keepForSearch(text);
    });
  }
  const ended = once(child, 'close');
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => (await fetch(`${url}/healthz`)).text());
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
  };
  const isAlive = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    url,
    metric,
    isAlive,
    why: () => `exit ${child.exitCode}, signal ${child.signalCode}: ${out.slice(-3_000)}`,
    peak: () => peakResident(child.pid ?? 0),
    /** Restarts the measurement of `peak`, if the operating system supports that. */
    resetPeak: () => writeFile(`/proc/${child.pid}/clear_refs`, '5').catch(() => undefined),
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
export type LimitedServer = Awaited<ReturnType<typeof startLimited>>;

/** Probes `/healthz` during `work`. @returns the longest response time in ms */
export async function whileProbing(server: LimitedServer, work: () => Promise<void>): Promise<number> {
  const done = new AbortController();
  let slowest = 0;
  const probe = async (): Promise<void> => {
    const begun = performance.now();
    const signal = AbortSignal.timeout(20_000);
    const { status } = await fetch(`${server.url}/healthz`, { signal }).catch((error: unknown) => {
      throw new Error(`/healthz did not respond; the server: ${server.why()}`, { cause: error });
    });
    expect(status).toBe(200);
    slowest = Math.max(slowest, performance.now() - begun);
  };
  const probing = (async () => {
    while (!done.signal.aborted) {
      await probe();
      await sleep(50);
    }
  })();
  try {
    await Promise.race([work(), probing]);
  } finally {
    done.abort();
  }
  await probing;
  return slowest;
}
