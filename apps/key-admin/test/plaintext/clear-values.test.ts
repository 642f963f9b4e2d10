import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import { clearValues } from '../../src/plaintext/clear-values.ts';

const EVENT = 'temporal.api.history.v1.HistoryEvent';
const json = (value: unknown) => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(JSON.stringify(value)),
});
const valuesOf = (attributes: object, withPayloads = false) =>
  clearValues(EVENT, proto.temporal.api.history.v1.HistoryEvent.fromObject(attributes), withPayloads).map(
    ({ kind, path, text }) => [kind, path.slice(1).join('.'), text],
  );

describe('clearValues', () => {
  it('returns ids, names, memo keys, search attributes and headers, but no payload content', () => {
    const values = valuesOf({
      workflowExecutionStartedEventAttributes: {
        workflowId: 'w-1',
        workflowType: { name: 'Order' },
        taskQueue: { name: 'q' },
        parentWorkflowExecution: { workflowId: 'p-1' },
        input: { payloads: [json('secret')] },
        memo: { fields: { customer: json('secret') } },
        searchAttributes: { indexedFields: { Customer: json('acme'), Numbers: json([4711]) } },
        header: { fields: { tenant: json({ mail: 'esc\u0061ped' }) } },
      },
    });
    expect(values).toEqual(
      expect.arrayContaining([
        ['workflow id', 'workflowId', 'w-1'],
        ['workflow id', 'parentWorkflowExecution.workflowId', 'p-1'],
        ['name', 'workflowType.name', 'Order'],
        ['task queue', 'taskQueue.name', 'q'],
        ['memo key', 'memo.fields', 'customer'],
        ['search attribute', 'searchAttributes.indexedFields', 'Customer'],
        ['search attribute', 'searchAttributes.indexedFields.Customer', 'acme'],
        ['search attribute', 'searchAttributes.indexedFields.Numbers', '4711'],
        ['header', 'header.fields', 'tenant'],
        ['header', 'header.fields.tenant', 'mail'],
        ['header', 'header.fields.tenant', 'escaped'],
      ]),
    );
    expect(JSON.stringify(values)).not.toContain('secret');
  });

  it('returns the messages and types of failures and of their causes', () => {
    const values = valuesOf({
      activityTaskFailedEventAttributes: {
        failure: {
          message: 'no account for ana',
          applicationFailureInfo: { type: 'NotFound' },
          cause: { message: 'inner', stackTrace: 'at x' },
        },
      },
    });
    expect(values).toEqual(
      expect.arrayContaining([
        ['failure message', 'failure.message', 'no account for ana'],
        ['failure type', 'failure.applicationFailureInfo.type', 'NotFound'],
        ['failure message', 'failure.cause.message', 'inner'],
        ['failure message', 'failure.cause.stackTrace', 'at x'],
      ]),
    );
  });

  it('returns plaintext payload content only on request, and never returns encrypted content', () => {
    const event = {
      workflowExecutionSignaledEventAttributes: {
        signalName: 's',
        input: {
          payloads: [
            json({ mail: 'open' }),
            { metadata: { encoding: Buffer.from('binary/gcp-kms') }, data: Buffer.from('ciphertext') },
          ],
        },
      },
    };
    expect(JSON.stringify(valuesOf(event))).not.toContain('open');
    const values = valuesOf(event, true);
    expect(values).toContainEqual(['payload', 'input.payloads', 'open']);
    expect(JSON.stringify(values)).not.toContain('ciphertext');
  });
});
