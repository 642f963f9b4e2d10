import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@temporal-kms/scripts/ports';
import { build } from 'tsdown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { body, compressingCodec, jsonBombs, largest, MAX_ZEROS, zeros } from '../support/bombs.ts';
import { keepForSearch } from '../support/leak-search.ts';
import { limitMemory, type MemoryLimit, peakResident } from '../support/memory-limit.ts';
import type { Payload } from '../support/stack.ts';
import { eventually, NAMESPACE, plantRun, runPath, type Stack, startStack } from '../support/temporal.ts';

// The bundled server, under the memory limits of docs/operations.md.
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
  /** Small bodies for `/decode` that decompress to very large plaintext. */
  readonly compressed: Record<string, string>;
  /** Runs that any client with permission to start a workflow can create. */
  readonly runs: Record<string, { workflowId: string; runId: string; refs: string[] }>;
}

const times = (count: number, payload: Payload): Payload[] => Array.from({ length: count }, () => payload);

async function makeBombs(): Promise<Bombs> {
  const codec = compressingCodec(stack.kms);
  const encrypted = async (bytes: number): Promise<Payload> => {
    const [payload] = await codec.encode([zeros(bytes)], { namespace: NAMESPACE });
    if (payload === undefined) throw new RangeError('The codec returned no payload.');
    return payload;
  };
  const large = await encrypted(MAX_ZEROS);
  const allowed = await encrypted(11 * MiB);
  const middling = await encrypted(1 * MiB);
  const small = await encrypted(64 * 1024);
  await codec.close();
  const manyKeys: Payload = {
    metadata: Object.fromEntries(
      Array.from({ length: 100_000 }, (_, n) => [`k${n.toString(36)}`, Buffer.alloc(0)]),
    ),
    data: Buffer.from('1'),
  };
  const plant = async (input: Payload[], more?: Parameters<typeof plantRun>[2]) => {
    const run = await plantRun(stack, input, more);
    const refs = Array.from({ length: Math.min(200, Math.max(1, input.length)) }, (_, n) => `1:${n}`);
    return { ...run, refs };
  };
  return {
    compressed: {
      '20 payloads of 16 MiB of zeros': body(times(20, large)),
      '2,000 payloads of 16 MiB of zeros': body(times(2_000, large)),
      '2,000 payloads of 1 MiB of zeros': body(times(2_000, middling)),
      '10,000 payloads of 64 KiB of zeros': body(times(10_000, small)),
    },
    runs: {
      '100 arguments of 16 MiB of zeros': await plant(times(100, large)),
      '6 arguments of 11 MiB of zeros': await plant(times(6, allowed)),
      '200 arguments of 1 MiB of zeros': await plant(times(200, middling)),
      'an argument of 100,000 metadata keys': await plant([manyKeys, small]),
      '500,000 empty arguments': await plant(times(500_000, {})),
      'a memo of 60,000 fields': await plant([small], {
        memo: {
          fields: Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`f${n.toString(36)}`, {}])),
        },
      }),
      'a header of 60,000 fields': await plant([small], {
        header: {
          fields: Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`f${n.toString(36)}`, {}])),
        },
      }),
    },
  };
}

const post = async (url: string, text: string): Promise<Outcome> =>
  outcomeOf(
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-namespace': NAMESPACE },
      body: text,
    }),
  );

interface Outcome {
  /** 0 if the connection was closed. */
  readonly status: number;
  readonly text: string;
}

/** Returns the status and the last characters of a response of any length. */
async function outcomeOf(pending: Promise<Response>): Promise<Outcome> {
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

const inParallel = (count: number, send: () => Promise<Outcome>): Promise<Outcome[]> =>
  Promise.all(Array.from({ length: count }, send));

/** The server answers 500 `too_large` for a run whose history exceeds what it decodes; other runs are not affected. */
function expectSurvived(name: string, status: number, text: string): void {
  expect([200, 500, 503], `${name}: ${text}`).toContain(status);
  if (status === 500) expect(text, name).toContain('too_large');
}

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

/** Probes `/healthz` during `work`. @returns the longest response time in ms */
async function whileProbing(server: Limited, work: () => Promise<void>): Promise<number> {
  const done = new AbortController();
  let slowest = 0;
  const probe = async (): Promise<void> => {
    const begun = performance.now();
    const signal = AbortSignal.timeout(20_000);
    const { status } = await fetch(`${server.url}/healthz`, { signal }).catch((error: unknown) => {
      throw new Error(`/healthz did not answer; the server: ${server.why()}`, { cause: error });
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

describe.each([
  ['512 MiB, the recommended limit', 512, {}],
  [
    '256 MiB, the smallest supported limit',
    256,
    { NODE_OPTIONS: '--max-old-space-size=96 --max-semi-space-size=8' },
  ],
])('a server with a memory limit of %s', (_, mebibytes, env) => {
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
    const slowest = await whileProbing(server, work);
    expect(server.isAlive(), server.why()).toBe(true);
    const plain = body([
      { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"canary-after"') },
    ]);
    const encoded = await post(`${server.url}/encode`, plain);
    expect(encoded.status).toBe(200);
    expect(await post(`${server.url}/decode`, encoded.text)).toEqual({ status: 200, text: plain });
    await expect.poll(() => server.metric('codec_memory_in_use_bytes'), { timeout: 15_000 }).toBe(0);
    if (limit.kind === 'heap limit') expect(await server.peak()).toBeLessThan(mebibytes);
    slowestProbe = Math.max(slowestProbe, slowest);
  };

  it('survives JSON that takes disproportionate work to parse', { timeout: 240_000 }, async () => {
    await survives(async () => {
      for (const [name, bomb] of Object.entries(jsonBombs())) {
        const routes = ['decode', 'encode', 'decode', 'encode'];
        const sent = routes.map((route) => post(`${server.url}/${route}`, bomb));
        for (const { status, text } of await Promise.all(sent))
          expect([400, 413, 503], `${name}: ${text}`).toContain(status);
      }
    });
  });

  it('survives compressed zeros in /decode', { timeout: 120_000 }, async () => {
    await survives(async () => {
      for (const bomb of Object.values(bombs.compressed)) {
        for (const { status, text } of await inParallel(4, () => post(`${server.url}/decode`, bomb)))
          expect([413, 503], text).toContain(status);
      }
    });
  });

  const streams: [name: string, send: (url: string, refs: string[]) => Promise<Outcome>][] = [
    ['history', (url) => outcomeOf(fetch(`${url}/history`))],
    ['payloads:decode', (url, refs) => post(`${url}/payloads:decode`, JSON.stringify({ refs }))],
    ['history:search', (url) => post(`${url}/history:search`, JSON.stringify({ text: 'zzz' }))],
    ...['encoded', 'decoded', 'readable'].map((form): [string, (url: string) => Promise<Outcome>] => [
      `history:export, ${form}`,
      (url) => post(`${url}/history:export`, JSON.stringify({ form })),
    ]),
  ];
  it.each(streams)('survives malicious workflows in %s', { timeout: 240_000 }, async (_name, send) => {
    await survives(async () => {
      for (const [name, { refs, ...run }] of Object.entries(bombs.runs)) {
        for (const { status, text } of await inParallel(3, () => send(server.url + runPath(run), refs)))
          expectSurvived(name, status, text);
      }
    });
  });
  it('survives descriptions and lists of malicious workflows', { timeout: 120_000 }, async () => {
    const api = `${server.url}/api/namespaces/${NAMESPACE}/workflows`;
    await survives(async () => {
      for (const { workflowId } of Object.values(bombs.runs)) {
        for (const { status, text } of await inParallel(4, () => outcomeOf(fetch(`${api}/${workflowId}`))))
          expectSurvived(workflowId, status, text);
      }
      await inParallel(8, () => outcomeOf(fetch(api)));
    });
  });

  it('survives clients that never finish sending their request heads', { timeout: 60_000 }, async () => {
    await survives(async () => {
      const { hostname, port } = new URL(server.url);
      const lines = Array.from({ length: 14 }, (__, n) => `x-${n}: ${'x'.repeat(4_300)}\r\n`);
      const head = `GET / HTTP/1.1\r\nhost: ${hostname}\r\n${lines.join('')}`;
      const sockets = [];
      for (let n = 0; n < 3_800; n += 1) {
        const socket = connect(Number(port), hostname).on('error', () => undefined);
        socket.write(head);
        sockets.push(socket);
        if (n % 200 === 0) await sleep(20);
      }
      // Wait until the server has closed late connections, since `survives` needs a connection.
      await sleep(3_000);
      for (const socket of sockets) socket.destroy();
    });
  });

  it('accepts the largest documented body', { timeout: 60_000 }, async () => {
    const maxBody = mebibytes === 512 ? 16 * MiB : 4 * MiB;
    const encoded = await post(`${server.url}/encode`, largest(maxBody));
    expect(encoded.status).toBe(200);
  });
});
