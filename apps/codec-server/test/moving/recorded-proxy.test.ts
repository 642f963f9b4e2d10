import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KmsCodecPlugin, createKmsCodec } from '@temporal-kms/kms-codec';
import { encodingOf, payloadsIn } from '@temporal-kms/testing/history';
import { Closers } from '@temporal-kms/testing/stack';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { afterAll, describe, expect, it } from 'vitest';
import { temporalWith } from '../support/planted-run.ts';
import { RUN } from '../support/routes.ts';
import { post } from '../support/stack.ts';
import { NAMESPACE, quiet } from '../support/temporal.ts';
import { createServer, startKeys } from './support/keys.ts';
import { workflowCode } from './support/move.ts';

/*
 * `recorded/temporal-proxy.json` is the history of an order (`support/workflows.ts`) that temporal-proxy
 * 0.5.1 has encrypted under a key of the KMS emulator. The emulator's data file with this key is in the same
 * folder; the key protects nothing else.
 */

const recorded = join(import.meta.dirname, 'recorded');
const closers = new Closers();
afterAll(() => closers.close());

quiet();
const history = historyFromJSON(JSON.parse(await readFile(join(recorded, 'temporal-proxy.json'), 'utf8')));
const keys = await startKeys(closers, {
  keysFile: 'from-proxy.yaml',
  dataFile: join(recorded, 'temporal-proxy-kms.json'),
});
const app = createServer(closers, keys, temporalWith(history.events ?? []));

const exported = async (form: string): Promise<any> =>
  (await post(app, `${RUN}/history:export`, { form })).json();

describe('a history encrypted by temporal-proxy', () => {
  it('contains encrypted markers of patches and of a local activity', () => {
    const markers = (history.events ?? []).flatMap(({ markerRecordedEventAttributes: one }) => one ?? []);
    expect(markers.map(({ markerName }) => markerName)).toEqual([
      'core_patch',
      'core_local_activity',
      'core_patch',
    ]);
    const payloads = markers.flatMap(({ details }) => payloadsIn(details));
    expect(new Set(payloads.map(encodingOf))).toEqual(new Set(['binary/encrypted']));
    for (const { metadata } of payloads) {
      expect(Object.keys(metadata ?? {}).toSorted()).toEqual([
        'encoding',
        'encryption-dek',
        'encryption-key-id',
      ]);
    }
  });

  it('cannot be replayed on a worker that connects directly, although the worker’s codec reads the payloads', async () => {
    const codec = closers.use(createKmsCodec(keys.settings, { namespace: NAMESPACE }));
    const plugins = [new KmsCodecPlugin(codec)];
    const workflowBundle = await workflowCode(plugins);
    const replay = Worker.runReplayHistory({ workflowBundle, plugins }, history, 'order');
    await expect(replay).rejects.toThrow(/Local activity marker was unparsable/);
  });

  it('cannot be replayed even if only patch markers are encrypted', async () => {
    const [encoded, decoded] = await Promise.all([exported('encoded'), exported('decoded')]);
    for (const [index, event] of decoded.events.entries()) {
      if (event.markerRecordedEventAttributes?.markerName !== 'core_patch') continue;
      event.markerRecordedEventAttributes = encoded.events[index].markerRecordedEventAttributes;
    }
    const workflowBundle = await workflowCode();
    const replay = Worker.runReplayHistory({ workflowBundle }, decoded, 'order');
    await expect(replay).rejects.toThrow(/TMPRL1100/);
  });

  it('is readable in the codec server', async () => {
    const { events, summary } = await exported('readable');
    expect(summary).toMatchObject({ unreadable: {} });
    const result = events.at(-1).workflowExecutionCompletedEventAttributes.result.payloads;
    expect(result).toEqual([expect.arrayContaining(['Recorded Person paid', 'shipped to Recorded Person'])]);
  });

  it('can be replayed from its decoded export', async () => {
    const workflowBundle = await workflowCode();
    await Worker.runReplayHistory({ workflowBundle }, await exported('decoded'), 'order');
  });
});
