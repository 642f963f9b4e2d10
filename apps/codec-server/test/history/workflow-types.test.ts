import { describe, expect, it } from 'vitest';
import { workflowTypesOf } from '../../src/history/workflow-types.ts';

/**
 * Imitates a Temporal server that has one run of each type, and lists the runs in pages of `pageSize`
 * runs. Understands only the queries that `workflowTypesOf` sends.
 */
function temporal(types: readonly string[], pageSize: number) {
  const queries: string[] = [];
  const list = async (query: string) => {
    queries.push(query);
    const literals = [...query.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) =>
      text.replaceAll(/\\(.)/g, '$1'),
    );
    const prefix = query.startsWith('WorkflowType STARTS_WITH') ? literals.shift()! : '';
    const left = types.filter((type) => type.startsWith(prefix) && !literals.includes(type));
    return { types: left.slice(0, pageSize), more: left.length > pageSize };
  };
  return { queries, list };
}

describe('workflowTypesOf', () => {
  it('returns each type once, sorted, with a call for each page of runs whose types are not known yet', async () => {
    const { queries, list } = temporal(['b', 'a', 'b', 'b', 'c'], 2);
    expect(await workflowTypesOf('', list)).toEqual({ types: ['a', 'b', 'c'], complete: true });
    expect(queries).toEqual(['', 'WorkflowType NOT IN ("b", "a")']);
  });

  it('asks for the types that begin with the prefix, whatever characters the prefix contains', async () => {
    const { queries, list } = temporal(['pay "x\\', 'pay', 'payment', 'order'], 2);
    expect(await workflowTypesOf('pay', list)).toEqual({
      types: ['pay', 'pay "x\\', 'payment'],
      complete: true,
    });
    expect(queries[1]).toBe(
      String.raw`WorkflowType STARTS_WITH "pay" AND WorkflowType NOT IN ("pay \"x\\", "pay")`,
    );
    expect(await workflowTypesOf('pay "', list)).toEqual({ types: ['pay "x\\'], complete: true });
  });

  it('stops after the maximum number of calls, and reports that there may be more types', async () => {
    const many = temporal(
      Array.from({ length: 1_000 }, (_, n) => `type-${n}`),
      1,
    );
    const found = await workflowTypesOf('', many.list);
    expect(found.complete).toBe(false);
    expect(many.queries).toHaveLength(8);
    const wide = temporal(
      Array.from({ length: 1_000 }, (_, n) => `type-${n}`),
      100,
    );
    expect((await workflowTypesOf('', wide.list)).types).toHaveLength(100);
    expect(wide.queries).toHaveLength(1);
  });
});
