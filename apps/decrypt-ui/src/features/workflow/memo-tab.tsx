import { escapeInvisible } from '@temporal-kms/codec-api';
import { StickyNote } from 'lucide-react';
import { Empty } from '../../components/notice.tsx';
import { PayloadBlock } from '../payload/payload-block.tsx';
import styles from './pages.module.css';
import { useRun } from './run-context.tsx';

/** The run's memo; unlike search attributes it is sealed. */
export function MemoTab() {
  const { description } = useRun();
  const memo = description.payloads.filter(({ path }) => /(^|\.)memo\./.test(path));
  if (memo.length === 0) {
    return (
      <Empty icon={<StickyNote size={16} />} title="This run has no memo">
        A memo is set when a workflow is started, or by the workflow itself.
      </Empty>
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

/** `workflowExecutionInfo.memo.fields.customer` and `….fields["a.b"]` */
function memoName(path: string): string {
  const name = path.replace(/^.*?memo\.fields\.?/, '');
  return escapeInvisible(name.replace(/^\["(.*)"\]$/, '$1') || path);
}
