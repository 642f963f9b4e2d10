import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@temporal-kms/scripts/ports';
import { build } from 'tsdown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { body, compressingCodec, jsonBombs, largest, MAX_ZEROS, zeros } from '../support/bombs.ts';
import { keepForSearch } from '../support/leak-search.ts';
import { limitMemory, type MemoryLimit, peakResident } from '../support/memory-limit.ts';
import type { Payload } from '../support/stack.ts';
import { eventually, NAMESPACE, type Stack, startStack } from '../support/temporal.ts';

// The server as it is deployed, under the memory limits that docs/operations.md names.
const MiB = 2 ** 20;

let directory: string;
let stack: Stack;
let bombs: Bombs;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'codec-server-'));
  const root = fileURLToPath(new URL('../..', import.meta.url));
  await build({ cwd: root, config: join(root, 'tsdown.config.ts'), outDir: directory, logLevel: 'silent' });
  stack = await startStack();
  bombs = await makeBombs();
});
afterAll(async () => {
  await stack.close();
  await rm(directory, { recursive: true });
});

interface Bombs {
  /** Bodies for `/decode` that are small and decompress to much. */
  readonly compressed: Record<string, string>;
}

const times = (count: number, one: Payload): Payload[] => Array.from({ length: count }, () => one);

async function makeBombs(): Promise<Bombs> {
  const codec = compressingCodec(stack.kms);
  const sealed = async (bytes: number): Promise<Payload> => {
    const [one] = await codec.encode([zeros(bytes)], { namespace: NAMESPACE });
    if (one === undefined) throw new RangeError('nothing was sealed');
    return one;
  };
  const large = await sealed(MAX_ZEROS);
  const middling = await sealed(1 * MiB);
  const small = await sealed(64 * 1024);
  await codec.close();
  return {
    compressed: {
      '20 payloads of 16 MiB of zeros': body(times(20, large)),
      '2,000 payloads of 16 MiB of zeros': body(times(2_000, large)),
      '2,000 payloads of 1 MiB of zeros': body(times(2_000, middling)),
      '10,000 payloads of 64 KiB of zeros': body(times(10_000, small)),
    },
  };
}

const post = async (url: string, text: string): Promise<Answer> =>
  answered(
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-namespace': NAMESPACE },
      body: text,
    }),
  );

interface Answer {
  /** 0 where the connection was cut. */
  readonly status: number;
  readonly text: string;
}

/** The last characters of the answer, which may be as long as it likes. */
async function answered(asked: Promise<Response>): Promise<Answer> {
  try {
    const response = await asked;
    let text = '';
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream()))
      text = (text + piece).slice(-2_000);
    return { status: response.status, text };
  } catch {
    return { status: 0, text: '' };
  }
}

const inParallel = (count: number, ask: () => Promise<Answer>): Promise<Answer[]> =>
  Promise.all(Array.from({ length: count }, ask));

async function startLimited(limit: MemoryLimit, env: Record<string, string>) {
  const [port = 0, metricsPort = 0] = await freePorts(2);
  const child = limit.spawnNode([join(directory, 'main.mjs')], {
    cwd: directory,
    env: {
      HOME: directory,
      GCP_PROJECT: 'test',
      GCP_KMS_KEY_RING: 'temporal-keys',
      GCP_KMS_KEY: 'payments',
      KMS_EMULATOR_HOST: stack.kms.emulator.address,
      TEMPORAL_ADDRESS: stack.server.address,
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
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
type Limited = Awaited<ReturnType<typeof startLimited>>;

/** Asks `/healthz` while something else goes on. @returns the longest that an answer took, in ms */
async function whileAsking(server: Limited, work: () => Promise<void>): Promise<number> {
  const done = new AbortController();
  let slowest = 0;
  const ask = async (): Promise<void> => {
    const begun = performance.now();
    const signal = AbortSignal.timeout(20_000);
    const { status } = await fetch(`${server.url}/healthz`, { signal }).catch((error: unknown) => {
      throw new Error(`/healthz was not answered; ${server.why()}`, { cause: error });
    });
    expect(status).toBe(200);
    slowest = Math.max(slowest, performance.now() - begun);
  };
  const asking = (async () => {
    while (!done.signal.aborted) {
      await ask();
      await sleep(50);
    }
  })();
  try {
    await Promise.race([work(), asking]);
  } finally {
    done.abort();
  }
  await asking;
  return slowest;
}

describe.each([
  ['512 MiB, as docs/operations.md recommends', 512, {}],
  [
    '256 MiB, the least that docs/operations.md names',
    256,
    { NODE_OPTIONS: '--max-old-space-size=96 --max-semi-space-size=8' },
  ],
])('a server within %s', (_, mebibytes, env) => {
  let limit: MemoryLimit;
  let server: Limited;
  let slowestProbe = 0;
  beforeAll(async () => {
    limit = await limitMemory(mebibytes);
    server = await startLimited(limit, env);
  });
  afterAll(async () => {
    process.stdout.write(
      `crash suite: ${mebibytes} MiB, limited by a ${limit.kind}; at most ${(await server.peak()).toFixed(0)} MiB resident, ` +
        `/healthz within ${slowestProbe.toFixed(0)} ms\n`,
    );
    await server.stop();
    await limit.remove();
  });

  const survives = async (work: () => Promise<void>): Promise<void> => {
    const slowest = await whileAsking(server, work);
    expect(server.isAlive(), server.why()).toBe(true);
    const plain = body([
      { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"canary-after"') },
    ]);
    const encoded = await post(`${server.url}/encode`, plain);
    expect(encoded.status).toBe(200);
    expect(await post(`${server.url}/decode`, encoded.text)).toEqual({ status: 200, text: plain });
    await expect.poll(() => server.metric('codec_memory_in_use_bytes'), { timeout: 15_000 }).toBe(0);
    if (limit.kind === 'heap limit') expect(await server.peak()).toBeLessThan(mebibytes);
    process.stdout.write(
      `  ${expect.getState().currentTestName}: /healthz within ${slowest.toFixed(0)} ms\n`,
    );
  };

  test('survives JSON that is far more work than it looks like', { timeout: 240_000 }, async () => {
    await survives(async () => {
      for (const [name, bomb] of Object.entries(jsonBombs())) {
        const routes = ['decode', 'encode', 'decode', 'encode'];
        const asked = routes.map((route) => post(`${server.url}/${route}`, bomb));
        for (const { status, text } of await Promise.all(asked))
          expect([400, 413, 503], `${name}: ${text}`).toContain(status);
      }
    });
  });

  test('survives compressed zeros in /decode', { timeout: 120_000 }, async () => {
    await survives(async () => {
      for (const bomb of Object.values(bombs.compressed)) {
        for (const { status, text } of await inParallel(4, () => post(`${server.url}/decode`, bomb)))
          expect([413, 503], text).toContain(status);
      }
    });
  });

  test('takes the largest body that it promises to take', { timeout: 60_000 }, async () => {
    const maxBody = mebibytes === 512 ? 16 * MiB : 7 * MiB;
    const encoded = await post(`${server.url}/encode`, largest(maxBody));
    expect(encoded.status).toBe(200);
  });
});
