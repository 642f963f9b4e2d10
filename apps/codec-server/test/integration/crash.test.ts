import { rm } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WITHIN_256_MIB } from '@temporal-kms/scripts/small-memory';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compressingCodec, jsonBombs, largest, MAX_ZEROS, zeros } from '../support/bombs.ts';
import { forFile } from '../support/for-file.ts';
import {
  copyServer,
  type LimitedServer,
  type Outcome,
  outcomeOf,
  post,
  startLimited,
  whileProbing,
} from '../support/limited-server.ts';
import { limitMemory, type MemoryLimit } from '../support/memory-limit.ts';
import type { Payload } from '../support/stack.ts';
import { bodyOf } from '../support/stack.ts';
import { NAMESPACE, plantRun, type Run, runPath, startStack } from '../support/temporal.ts';

// The bundled server runs under the smallest memory limit in docs/limits.md and, with `SLOW=1`, also under
// the recommended limit and with more payloads in a run.
const SLOW = process.env['SLOW'] !== undefined;
const MiB = 2 ** 20;
/** Three clients that read this many payloads of 1 MiB, in Base64, need more than 256 MiB. */
const MIDDLING = SLOW ? 200 : 80;

const directory = await copyServer();
afterAll(() => rm(directory, { recursive: true }));
const stack = forFile(await startStack());

interface Bombs {
  /** Small bodies for `/decode` that decompress to very large plaintext. */
  readonly compressed: Record<string, string>;
  /** Runs that any client with the permission to start a workflow can create. */
  readonly runs: Record<string, Run & { refs: string[] }>;
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
  const [incompressible = {}] = await stack.kms.codec.encode([{ data: Buffer.alloc(1.5 * MiB, 65) }], {
    namespace: NAMESPACE,
  });
  const manyKeys: Payload = {
    metadata: Object.fromEntries(
      Array.from({ length: 100_000 }, (_, n) => [`k${n.toString(36)}`, Buffer.alloc(0)]),
    ),
    data: Buffer.from('1'),
  };
  const fields = Object.fromEntries(Array.from({ length: 60_000 }, (_, n) => [`f${n.toString(36)}`, {}]));
  const plant = async (input: Payload[], more?: Parameters<typeof plantRun>[2]) => {
    const run = await plantRun(stack, input, more);
    // In an event with too many values, a single payload replaces all payloads.
    const count = input.length > 50_000 ? 1 : Math.min(200, Math.max(1, input.length));
    const refs = Array.from({ length: count }, (_, n) => `1:${n}`);
    return { ...run, refs };
  };
  return {
    compressed: {
      '20 payloads of 16 MiB of zeros': bodyOf(times(20, large)),
      '2,000 payloads of 16 MiB of zeros': bodyOf(times(2_000, large)),
      '2,000 payloads of 1 MiB of zeros': bodyOf(times(2_000, middling)),
      '10,000 payloads of 64 KiB of zeros': bodyOf(times(10_000, small)),
    },
    runs: {
      '100 arguments of 16 MiB of zeros': await plant(times(100, large)),
      '6 arguments of 11 MiB of zeros': await plant(times(6, allowed)),
      [`${MIDDLING} arguments of 1 MiB of zeros`]: await plant(times(MIDDLING, middling)),
      'an encrypted argument of 1.5 MiB': await plant([incompressible]),
      'an argument of 100,000 metadata keys': await plant([manyKeys, small]),
      '500,000 empty arguments': await plant(times(500_000, {})),
      'a memo of 60,000 fields': await plant([small], { memo: { fields } }),
      'a header of 60,000 fields': await plant([small], { header: { fields } }),
    },
  };
}

const bombs = await makeBombs();

const inParallel = (count: number, send: () => Promise<Outcome>): Promise<Outcome[]> =>
  Promise.all(Array.from({ length: count }, send));

/** Every run must be readable, except for the parts that exceed a limit. */
function expectSurvived(name: string, status: number, text: string): void {
  expect([200, 503], `${name}: ${text}`).toContain(status);
}

const limits: [name: string, mebibytes: number, env: Record<string, string>][] = [
  ['256 MiB, the smallest supported limit', 256, WITHIN_256_MIB],
  ['512 MiB, the recommended limit', 512, {}],
];
describe.each(SLOW ? limits : limits.slice(0, 1))(
  'a server with a memory limit of %s',
  (_, mebibytes, env) => {
    let limit: MemoryLimit;
    let server: LimitedServer;
    let slowestProbe = 0;
    beforeAll(async () => {
      limit = await limitMemory(mebibytes);
      server = await startLimited(directory, limit, stack.kms.emulator.address, stack.server.address, env);
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
      const plain = bodyOf([
        { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('"canary-after"') },
      ]);
      const encoded = await post(`${server.url}/encode`, plain);
      expect(encoded.status).toBe(200);
      expect(await post(`${server.url}/decode`, encoded.text)).toEqual({ status: 200, text: plain });
      await expect.poll(() => server.metric('codec_memory_in_use_bytes'), { timeout: 15_000 }).toBe(0);
      if (limit.kind === 'heap limit') expect(await server.peak()).toBeLessThan(mebibytes);
      slowestProbe = Math.max(slowestProbe, slowest);
    };

    it('survives JSON that takes disproportionate work to parse', { timeout: 480_000 }, async () => {
      await survives(async () => {
        for (const [name, bomb] of Object.entries(jsonBombs())) {
          const routes = ['decode', 'encode', 'decode', 'encode'];
          const sent = routes.map((route) => post(`${server.url}/${route}`, bomb));
          for (const { status, text } of await Promise.all(sent))
            expect([400, 413, 503], `${name}: ${text}`).toContain(status);
        }
      });
    });

    it('survives compressed zeros in /decode', async () => {
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
    it.each(streams)('survives malicious workflows in %s', { timeout: 480_000 }, async (_name, send) => {
      await survives(async () => {
        for (const [name, { refs, ...run }] of Object.entries(bombs.runs)) {
          for (const { status, text } of await inParallel(3, () => send(server.url + runPath(run), refs)))
            expectSurvived(name, status, text);
        }
      });
    });
    it('survives descriptions and lists of malicious workflows', async () => {
      const api = `${server.url}/api/namespaces/${NAMESPACE}/workflows`;
      await survives(async () => {
        for (const { workflowId } of Object.values(bombs.runs)) {
          for (const { status, text } of await inParallel(4, () => outcomeOf(fetch(`${api}/${workflowId}`))))
            expectSurvived(workflowId, status, text);
        }
        await inParallel(8, () => outcomeOf(fetch(api)));
      });
    });

    it('survives clients that never finish sending their request heads', async () => {
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
        // Waits until the server has closed the incomplete connections, because `survives` needs a
        // connection.
        await sleep(3_000);
        for (const socket of sockets) socket.destroy();
      });
    });

    it('survives streams that stay open and clients that do not read', async () => {
      const run = server.url + runPath(bombs.runs['an encrypted argument of 1.5 MiB']!);
      await survives(async () => {
        const gone = new AbortController();
        const follow = async (): Promise<number> => {
          const init = { signal: gone.signal, headers: { 'accept-encoding': 'gzip' } };
          return (await fetch(`${run}/history?live=true`, init)).status;
        };
        // The number of streams is below the 192 requests that one caller may have in flight.
        const followed = await Promise.all(Array.from({ length: 180 }, follow));
        for (const status of followed) expect([200, 503]).toContain(status);
        expect(followed).toContain(200);
        gone.abort();
        await expect.poll(() => server.metric('codec_open_streams')).toBe(0);
        const unread = Array.from({ length: 180 }, () => {
          const sent = request(`${run}/payloads:decode`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            agent: false,
          });
          sent.on('response', (response) => response.pause().on('error', () => undefined));
          sent.on('error', () => undefined).end(JSON.stringify({ refs: ['1:0'] }));
          return sent;
        });
        await sleep(4_000);
        for (const sent of unread) sent.destroy();
      });
    });

    it('accepts the largest documented body', async () => {
      const maxBody = mebibytes === 512 ? 16 * MiB : 4 * MiB;
      const encoded = await post(`${server.url}/encode`, largest(maxBody));
      expect(encoded.status).toBe(200);
    });
  },
);
