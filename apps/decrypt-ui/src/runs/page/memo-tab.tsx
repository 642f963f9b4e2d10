import { escapeInvisible } from '@temporal-kms/codec-api';
import { StickyNote } from 'lucide-react';
import { PayloadBlock } from '../../payloads/view/payload-block.tsx';
import { EmptyState } from '../../ui/page/notice.tsx';
import { useRun } from '../run/run-context.tsx';
import { memoPayloads } from './memo-payloads.ts';
import styles from './tabs.module.css';

/** The Memo tab. Unlike search attributes, a memo is encrypted. */
export function MemoTab() {
  const { description } = useRun();
  const memo = memoPayloads(description);
  if (memo.length === 0) {
    return (
      <EmptyState icon={<StickyNote size={16} />} title="This run has no memo">
        The client sets a memo when it starts a workflow, and the workflow can change it.
      </EmptyState>
    );
  }
  return (
    <div className={styles['column']}>
      <h2 className="sr-only">Memo</h2>
      {memo.map((stub) => (
        <PayloadBlock key={stub.ref} stub={stub} title={memoName(stub.path)} />
      ))}
    </div>
  );
}

/** Returns the name of a memo field from a path such as `workflowExecutionInfo.memo.fields.customer` or `….fields["a.b"]`. */
function memoName(path: string): string {
  const name = path.replace(/^.*?memo\.fields\.?/, '');
  return escapeInvisible(name.replace(/^\["(.*)"\]$/, '$1') || path);
}
