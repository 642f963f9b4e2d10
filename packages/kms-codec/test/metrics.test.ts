import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '@temporal-kms/scripts/ports';
import { Runtime } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type CodecMetrics, combineObservers, renewedMeter, reportMetrics } from '../src/index.ts';
import {
  callsWaiting,
  counters,
  keyGauges,
  kmsCallDuration,
  storeFailing,
  workerReady,
  workerRestarts,
} from '../src/metrics/definitions.ts';
import { codecWith, cryptoKey, inNamespace, json } from './support/codec.ts';
import { FakeKeyService } from './support/fake-key-service.ts';

const rules = { pay: { encrypt: cryptoKey('pay') }, hidden: { encrypt: cryptoKey('pay') } };
const SECRET = 'card-4111';

/* Tests a codec's metrics, as Temporal's Core serves them to Prometheus. */

let scrape: () => Promise<string>;
let metrics: CodecMetrics;
const keyService = new FakeKeyService();
let codec: ReturnType<typeof codecWith>['codec'];

beforeAll(async () => {
  const [port] = await freePorts(1);
  const bindAddress = `127.0.0.1:${port}`;
  Runtime.install({
    telemetryOptions: {
      metrics: { prometheus: { bindAddress, countersTotalSuffix: true, unitSuffix: true } },
    },
  });
  scrape = async () => (await fetch(`http://${bindAddress}/metrics`)).text();
  metrics = reportMetrics(Runtime.instance().metricMeter);
  ({ codec } = codecWith(rules, { keyService, observer: metrics.observer }));
  metrics.follow(codec, ['pay']);
});
afterAll(async () => {
  metrics.stop();
  await codec.close();
  await Runtime.instance().shutdown();
});

/** Returns the value of a time series, or undefined if the time series does not exist. */
async function valueOf(name: string, labels: Readonly<Record<string, string>>): Promise<number | undefined> {
  for (const line of (await scrape()).split('\n')) {
    const [, series, text = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    const has = Object.entries(labels).every(([key, label]) => text.includes(`${key}="${label}"`));
    if (series === name && has) return Number(value);
  }
  return undefined;
}

const eventually = (name: string, labels: Readonly<Record<string, string>>, value: number) =>
  vi.waitFor(async () => expect(await valueOf(name, labels)).toBe(value), { timeout: 20_000, interval: 200 });

describe('codec metrics', () => {
  it('exist from the start with the value 0, including the metrics about failures', async () => {
    await eventually('codec_payloads_refused_total', { namespace: 'pay', code: 'key_disabled' }, 0);
    await eventually('codec_payloads_decrypted_total', { namespace: 'pay' }, 0);
    await eventually('codec_autonomy_seconds', { namespace: 'pay' }, 0);
  });

  it('count payloads, data-key lookups and Cloud KMS calls', async () => {
    const encrypted = await codec.encode([json(1), json(2)], inNamespace('pay'));
    await codec.decode(encrypted, inNamespace('pay'));
    await eventually('codec_payloads_encrypted_total', { namespace: 'pay', format: 'envelope-v2' }, 2);
    await eventually('codec_payloads_decrypted_total', { namespace: 'pay', format: 'envelope-v2' }, 2);
    await eventually('codec_data_key_lookups_total', { namespace: 'pay', outcome: 'hit' }, 2);
    await eventually('codec_data_key_rotations_total', { namespace: 'pay', reason: 'first' }, 1);
    await eventually('codec_autonomy_seconds', { namespace: 'pay' }, 24 * 3_600);
    await eventually('codec_kms_failing', { namespace: 'pay' }, 0);
    const call = { key: cryptoKey('pay'), milliseconds: 1, requests: 1 };
    metrics.observer.kmsCall?.({ ...call, operation: 'wrap' });
    await eventually('codec_kms_calls_total', { operation: 'wrap', code: 'ok' }, 1);
    await eventually('codec_kms_calls_total', { operation: 'wrap', code: 'kms_quota' }, 0);
    await eventually('codec_kms_call_duration_seconds_count', { operation: 'wrap', code: 'ok' }, 1);
  });

  it('count the calls that are waiting for Cloud KMS', async () => {
    const waitMs = { other: 60_000 };
    const reader = codecWith(rules, { keyService, observer: metrics.observer, waitMs });
    metrics.follow(reader.codec, []);
    const encrypted = await codec.encode([json(1)], inNamespace('pay'));
    keyService.latencyMs = 60_000;
    const stop = new AbortController();
    const decoded = [1, 2, 3].map(() =>
      reader.codec.decode(encrypted, inNamespace('pay'), { signal: stop.signal }),
    );
    await eventually('codec_calls_waiting', {}, 3);
    stop.abort(new Error('enough'));
    await Promise.all(decoded.map((each) => expect(each).rejects.toThrow('enough')));
    await eventually('codec_calls_waiting', {}, 0);
    keyService.latencyMs = 0;
    await reader.codec.close();
  });

  it('include the readiness and restarts that runWorker reports', async () => {
    const readiness = { status: 'ready' as 'ready' | 'not_ready', restarts: 0 };
    metrics.followWorker({ readiness: () => readiness });
    await eventually('codec_worker_restarts_total', {}, 0);
    await eventually('codec_worker_ready', {}, 1);
    Object.assign(readiness, { status: 'not_ready', restarts: 2 });
    await eventually('codec_worker_restarts_total', {}, 2);
    await eventually('codec_worker_ready', {}, 0);
  });

  it('contain no payload content, and no namespace that was not passed to `follow`', async () => {
    const encrypted = await codec.encode([json(SECRET)], inNamespace('hidden'));
    await expect(codec.decode(encrypted, inNamespace('pay'))).rejects.toThrow();
    await eventually('codec_payloads_encrypted_total', { namespace: 'other' }, 1);
    await eventually('codec_payloads_refused_total', { namespace: 'pay', code: 'namespace_mismatch' }, 1);
    const text = await scrape();
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain('hidden');
  });
});

it('renewedMeter does not throw if the current meter cannot be created, but writes the totals to a later meter', () => {
  const added: number[] = [];
  let isFree = false;
  const instrument = { add: (value: number) => void added.push(value) };
  const fake = { createCounter: () => instrument, createGauge: vi.fn(), createHistogram: vi.fn() };
  const meter = renewedMeter(() => {
    if (!isFree) throw new Error('The port is in use.');
    return fake;
  });
  const counter = meter.createCounter('name', undefined, 'text');
  counter.add(2, {});
  counter.add(3, {});
  expect(added).toEqual([]);
  isFree = true;
  meter.renew();
  counter.add(1, {});
  expect(added).toEqual([5, 1]);
});

describe('the codec’s metrics, after runWorker has replaced the worker and its Runtime,', () => {
  it('keep their totals and values', async () => {
    const renewed = reportMetrics(renewedMeter(() => Runtime.instance().metricMeter));
    const readiness = { status: 'ready' as const, restarts: 1 };
    const other = codecWith({ again: { encrypt: cryptoKey('pay') } }, { observer: renewed.observer }).codec;
    renewed.follow(other, ['again']);
    renewed.followWorker({ readiness: () => readiness });
    const series = { namespace: 'again', format: 'envelope-v2' };
    await other.encode([json(1), json(2)], inNamespace('again'));
    await eventually('codec_payloads_encrypted_total', series, 2);

    await Runtime.instance().shutdown();
    await other.encode([json(3)], inNamespace('again'));
    readiness.restarts = 2;
    await eventually('codec_payloads_encrypted_total', series, 3);
    await eventually('codec_worker_restarts_total', {}, 2);
    await eventually('codec_worker_ready', {}, 1);
    await eventually('codec_payloads_refused_total', { namespace: 'again', code: 'key_disabled' }, 0);
    renewed.stop();
    await other.close();
  });
});

describe('docs/metrics.md', () => {
  it('lists each metric of the codec and of runWorker, with its labels', async () => {
    const metricsPage = join(import.meta.dirname, '../../../docs/metrics.md');
    const page = await readFile(metricsPage, 'utf8');
    const listed = (heading: string) => {
      const [, rest = ''] = page.split(`\n### ${heading}\n`);
      const [section = ''] = rest.split('\n#');
      return [...section.matchAll(/^- `(codec_\w+)`(?: \(([^)]*)\))?: /gm)]
        .map(([, name, labels = '']) => `${name} ${labels.replaceAll('`', '')}`)
        .toSorted();
    };
    const codecMetrics = [
      ...counters.map(
        ({ name, labels }) => `${name}_total ${labels.flatMap((one) => one?.name ?? []).join(', ')}`,
      ),
      ...keyGauges.map(({ name }) => `${name} namespace`),
      `${kmsCallDuration.name} operation, code`,
      `${callsWaiting.name} `,
      `${storeFailing.name} operation`,
    ];
    expect(listed('Codec metrics')).toEqual(codecMetrics.toSorted());
    expect(listed('Worker metrics')).toEqual([`${workerReady.name} `, `${workerRestarts.name}_total `]);
  });
});

describe('combineObservers', () => {
  it('calls the observers in order, and has handlers only for events that at least one observer handles', () => {
    const called: string[] = [];
    const both = combineObservers(
      { notEncrypted: () => void called.push('first') },
      { notEncrypted: () => void called.push('second'), kmsRetry: () => void called.push('retry') },
    );
    both.notEncrypted?.({ namespace: 'pay' });
    expect(called).toEqual(['first', 'second']);
    expect(Object.keys(both).toSorted()).toEqual(['kmsRetry', 'notEncrypted']);
  });
});
