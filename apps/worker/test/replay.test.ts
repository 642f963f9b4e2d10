import { KmsCodecPlugin } from '@temporal-kms/kms-codec';
import { encodingOf, payloadsIn, textOf } from '@temporal-kms/testing/history';
import type { WorkflowCode } from '@temporal-kms/testing/workflow-code';
import type { Payload } from '@temporalio/common';
import type { temporal } from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog, installRuntime } from '../src/log.ts';
import * as workflows from '../src/workflows/index.ts';
import { readRecorded, RECORDED_NAME, recordedCodec } from './support/recorded.ts';
import { compiledSamples } from './support/stack.ts';

const recorded = await readRecorded();

/**
 * Removes the data about local activities and patches that Core adds to markers after the codec has encoded
 * them.
 */
function withoutCoreData(event: temporal.api.history.v1.IHistoryEvent) {
  const {
    data: _times,
    'patch-data': _patch,
    ...details
  } = event.markerRecordedEventAttributes?.details ?? {};
  return { ...event, markerRecordedEventAttributes: details };
}

/**
 * Whether a payload is not a search attribute. Temporal adds the metadata `type` to every search attribute, in
 * plaintext.
 */
const isNoSearchAttribute = ({ metadata }: Payload) => metadata?.['type'] === undefined;

describe('the recorded histories', () => {
  const codec = recordedCodec();
  let workflowBundle: WorkflowCode;

  beforeAll(async () => {
    installRuntime(createLog('silent'));
    ({ workflowBundle } = await compiledSamples());
  });
  afterAll(() => codec.close());

  it('include every workflow that can complete', () => {
    const types = new Set(recorded.map(({ workflowType }) => workflowType));
    const functions = Object.entries(workflows).filter(([, value]) => typeof value === 'function');
    expect([...types, 'loyaltyReport'].toSorted()).toEqual(functions.map(([name]) => name).toSorted());
  });

  it.each(recorded)('can be replayed: $file', async ({ history, workflowId }) => {
    await Worker.runReplayHistory(
      { workflowBundle, plugins: [new KmsCodecPlugin(codec)] },
      history,
      workflowId,
    );
  });

  it.each(recorded)('contain only payloads that the codec decrypts: $file', async ({ history, text }) => {
    const payloads = payloadsIn(history.events?.map(withoutCoreData)).filter(isNoSearchAttribute);
    expect(payloads.length).toBeGreaterThan(0);
    expect(text).not.toContain(RECORDED_NAME);
    expect(new Set(payloads.map(encodingOf))).toEqual(new Set(['binary/envelope-kms-v2']));
    const decoded = await codec.decode(payloads, { namespace: 'default' });
    expect(decoded.map(textOf).join('\n')).toContain(RECORDED_NAME);
  });

  it('cannot be replayed with another key', async () => {
    const other = recordedCodec('another text');
    const [first] = recorded;
    const replay = Worker.runReplayHistory(
      { workflowBundle, plugins: [new KmsCodecPlugin(other)] },
      first?.history,
      first?.workflowId,
    );
    await expect(replay).rejects.toThrow();
    await other.close();
  });
});
