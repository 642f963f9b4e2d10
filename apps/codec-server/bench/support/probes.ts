import { setTimeout as sleep } from 'node:timers/promises';
import type { KmsCodec } from '@temporal-kms/kms-codec';
import { NAMESPACE } from './bundle.ts';

/** Response times for one kind of request, in ms. */
export interface ProbeResult {
  readonly name: string;
  readonly responses: number;
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

type Probes = Readonly<Record<string, () => Promise<Response>>>;

export const protocolHeaders = { 'content-type': 'application/json', 'x-namespace': NAMESPACE };

/** Returns the body of a `/decode` request with one payload: the given data, encrypted by the codec. */
export async function encryptedBody(codec: KmsCodec, data: Uint8Array): Promise<string> {
  const [encrypted] = await codec.encode([{ metadata: {}, data }], { namespace: NAMESPACE });
  if (encrypted === undefined) throw new Error('The codec returned no payload.');
  const metadata = { encoding: Buffer.from(encrypted.metadata?.['encoding'] ?? []).toString('base64') };
  return JSON.stringify({
    payloads: [{ metadata, data: Buffer.from(encrypted.data ?? []).toString('base64') }],
  });
}

/** Returns the requests of another caller: /healthz, and /decode with one payload of 1 KiB. */
export async function otherCaller(url: string, codec: KmsCodec): Promise<Probes> {
  const body = await encryptedBody(codec, Buffer.alloc(1_024, 'x'));
  return {
    '/healthz': () => fetch(`${url}/healthz`),
    '/decode, 1 × 1 KiB': () => fetch(`${url}/decode`, { method: 'POST', headers: protocolHeaders, body }),
  };
}

const EVERY_MS = 50;

/**
 * Sends each request every 50 ms, without waiting for earlier responses, so that the results include every
 * request that a stall delays.
 */
export async function measureProbes(probes: Probes, seconds: number): Promise<readonly ProbeResult[]> {
  const sent = new Map(Object.keys(probes).map((name) => [name, { ms: [] as number[], failed: 0 }]));
  const waiting: Promise<void>[] = [];
  const end = performance.now() + seconds * 1_000;
  for (let next = performance.now(); next < end; next += EVERY_MS) {
    await sleep(Math.max(0, next - performance.now()));
    for (const [name, send] of Object.entries(probes)) {
      const results = sent.get(name);
      if (results !== undefined) waiting.push(probe(send, results));
    }
  }
  await Promise.all(waiting);
  return [...sent].map(([name, { ms, failed }]) => {
    const sorted = ms.toSorted((a, b) => a - b);
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
    return { name, responses: ms.length, failed, p50: at(0.5), p99: at(0.99), max: at(1) };
  });
}

async function probe(
  send: () => Promise<Response>,
  results: { readonly ms: number[]; failed: number },
): Promise<void> {
  const start = performance.now();
  try {
    const response = await send();
    await response.arrayBuffer();
    if (response.status !== 200) results.failed += 1;
  } catch {
    results.failed += 1;
  }
  results.ms.push(performance.now() - start);
}

export const TABLE_HEAD =
  '| load | request | responses | failed | p50 ms | p99 ms | max ms |\n|---|---|---|---|---|---|---|';

/** Returns the results as rows of the table. */
export const rowsOf = (load: string, results: readonly ProbeResult[]): string =>
  results
    .map(
      ({ name, responses, failed, p50, p99, max }) =>
        `| ${load} | ${name} | ${responses} | ${failed} | ${p50.toFixed(1)} | ${p99.toFixed(1)} | ${max.toFixed(1)} |`,
    )
    .join('\n');

/** Repeats an action until the signal is aborted. */
export async function repeat(
  signal: AbortSignal,
  action: () => Promise<void>,
  failed: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await action();
    } catch (error) {
      if (!signal.aborted) failed(error);
    }
  }
}
