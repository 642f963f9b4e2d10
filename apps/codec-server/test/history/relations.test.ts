import { workflowRelations as contract } from '@temporal-kms/codec-api';
import proto from '@temporalio/proto';
import { expect, test } from 'vitest';
import { workflowRelations } from '../../src/history/relations.ts';

const described = (fields: object): any =>
  proto.temporal.api.workflowservice.v1.DescribeWorkflowExecutionResponse.fromObject(fields);

test('a child names its parent, the root, its own children, the first run and the run after a reset', () => {
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

test('a run that stands alone has no relations', () => {
  const alone = {
    execution: { workflowId: 'w', runId: 'r' },
    rootExecution: { workflowId: 'w', runId: 'r' },
  };
  expect(workflowRelations(described({ workflowExecutionInfo: alone }))).toEqual({
    children: [],
    resetPoints: [],
  });
});
