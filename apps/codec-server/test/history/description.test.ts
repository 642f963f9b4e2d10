import { type PayloadRef, workflowRelations as contract } from '@temporal-kms/codec-api';
import proto from '@temporalio/proto';
import { expect, it } from 'vitest';
import {
  describedPayloads,
  workflowDescription,
  workflowRelations,
  workflowSummary,
} from '../../src/history/description.ts';
import { createCheckpoint } from '../../src/turns/checkpoint.ts';

const payload = (text: string): any => ({
  metadata: { encoding: Buffer.from('json/plain') },
  data: Buffer.from(text),
});
const inspect = ({ data }: any) => ({ format: 'plain' as const, encoding: 'json/plain', bytes: data.length });

const activity = (activityId: string, ...details: string[]): any => ({
  activityId,
  heartbeatDetails: { payloads: details.map(payload) },
});
const description = (...pendingActivities: any[]): any => ({
  workflowExecutionInfo: {
    execution: { workflowId: 'w', runId: 'r' },
    memo: { fields: { note: payload('"memo"') } },
  },
  pendingActivities,
});

const refsByPath = async (described: any): Promise<Record<string, PayloadRef>> =>
  Object.fromEntries(
    (await workflowDescription(described, 'n', inspect, createCheckpoint())).payloads.map(({ path, ref }) => [
      path,
      ref,
    ]),
  );

it("keeps a payload's ref when an earlier payload disappears", async () => {
  const before = description(activity('1', 'one'), activity('2', 'two'));
  const after = description(activity('2', 'two'));
  const ref = (await refsByPath(before))['pendingActivities[1].heartbeatDetails.payloads[0]']!;
  expect((await refsByPath(after))['pendingActivities[0].heartbeatDetails.payloads[0]']).toBe(ref);
  expect(
    Buffer.from((await describedPayloads(after, createCheckpoint())).get(ref)!.payload.data!).toString(),
  ).toBe('two');
  const gone = (await refsByPath(before))['pendingActivities[0].heartbeatDetails.payloads[0]']!;
  expect((await describedPayloads(after, createCheckpoint())).get(gone)).toBeUndefined();
});

it('gives a ref to an empty payload, because it can be decoded', async () => {
  const Description = proto.temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse;
  const memo = { fields: { empty: {}, entry: { metadata: { encoding: Buffer.alloc(0) } } } };
  const bytes = Description.encode({ workflowExecutionInfo: { memo } }).finish();
  const { payloads } = await workflowDescription(
    Description.decode(bytes),
    'n',
    () => ({ format: 'plain', encoding: '', bytes: 0 }),
    createCheckpoint(),
  );
  expect(payloads).toHaveLength(2);
});

it('gives different refs to equal payloads', async () => {
  const refs = Object.values(
    await refsByPath(description(activity('1', 'same', 'same'), activity('2', 'same'))),
  );
  expect(new Set(refs).size).toBe(4);
});

it('gives refs to thousands of equal payloads in linear time', async () => {
  const described = description(activity('1', ...Array.from({ length: 24_000 }, () => 'same')));
  const begun = performance.now();
  const refs = Object.values(await refsByPath(described));
  expect(performance.now() - begun).toBeLessThan(5_000);
  expect(new Set(refs).size).toBe(24_001);
});

it("gives a memo's payloads the same refs in a list of runs as in the run's description", async () => {
  const described = description(activity('1', 'one'));
  const { memo } = await workflowSummary(described.workflowExecutionInfo, 'n', inspect, createCheckpoint());
  expect(memo).toEqual([
    expect.objectContaining({
      path: 'memo.fields.note',
      ref: (await refsByPath(described))['workflowExecutionInfo.memo.fields.note'],
    }),
  ]);
});

const withStatus = (status: number): any => ({ status });

it('reports a status that the API does not know as Unspecified', async () => {
  expect((await workflowSummary(withStatus(99), 'n', inspect, createCheckpoint())).status).toBe(
    'Unspecified',
  );
  expect((await workflowSummary(withStatus(7), 'n', inspect, createCheckpoint())).status).toBe('TimedOut');
});

const described = (fields: object): any =>
  proto.temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse.fromObject(fields);

it('lists the parent, the root, the children, the first run and the run after a reset', async () => {
  const relations = workflowRelations(
    described({
      workflowExecutionInfo: {
        execution: { workflowId: 'w', runId: 'r' },
        parentExecution: { workflowId: 'p', runId: 'pr' },
        parentNamespaceId: 'ns-id',
        rootExecution: { workflowId: 'root', runId: 'rr' },
        firstRunId: 'first',
        autoResetPoints: {
          points: [
            {
              buildId: 'b1',
              runId: 'r',
              firstWorkflowTaskCompletedId: 4,
              createTime: { seconds: 1 },
              resettable: true,
            },
          ],
        },
      },
      workflowExtendedInfo: { resetRunId: 'after' },
      pendingChildren: [{ workflowId: 'c', runId: 'cr', workflowTypeName: 'Child', initiatedId: 7 }],
    }),
  );
  expect(contract.parse(relations)).toEqual({
    parent: { workflowId: 'p', runId: 'pr', namespaceId: 'ns-id' },
    root: { workflowId: 'root', runId: 'rr' },
    firstRunId: 'first',
    resetRunId: 'after',
    children: [{ workflowId: 'c', runId: 'cr', type: 'Child', initiatedId: '7' }],
    resetPoints: [
      { buildId: 'b1', runId: 'r', eventId: '4', created: '1970-01-01T00:00:01Z', resettable: true },
    ],
  });
});

it('lists no relations for a run without relations', async () => {
  const unrelated = {
    execution: { workflowId: 'w', runId: 'r' },
    rootExecution: { workflowId: 'w', runId: 'r' },
  };
  expect(workflowRelations(described({ workflowExecutionInfo: unrelated }))).toEqual({
    children: [],
    resetPoints: [],
  });
});
