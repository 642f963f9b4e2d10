import { useNavigate } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { FileText, X } from 'lucide-react';
import { useStore } from 'zustand';
import headerStyles from '../runs/frame/run-header.module.css';
import { RunTitle } from '../runs/frame/run-title.tsx';
import { StatusChip } from '../runs/page/run-header.tsx';
import { useRun } from '../runs/run/run-context.tsx';
import { Button } from '../ui/controls/button.tsx';
import { CopyButton } from '../ui/controls/copy-button.tsx';
import { formatCount } from '../ui/format/number.ts';
import { shortRunId } from '../ui/format/run-id.ts';
import styles from './file.module.css';
import { useHistoryFiles } from './use-history-files.ts';

/** The header of a history file's run: workflow id, status and file name. */
export function FileHeader() {
  const { address, description } = useRun();
  const files = useHistoryFiles();
  const { name, file } = useStore(files.store);
  const navigate = useNavigate();
  const { namespace, workflowId, runId } = address;
  const runs = file?.runs.length ?? 1;
  return (
    <div className={headerStyles['header']}>
      <RunTitle address={address} />
      <CopyButton what="workflow id" text={() => workflowId} className={headerStyles['copy']} />
      <StatusChip workflow={description.workflow} />
      {runId === '' ? null : (
        <>
          <span className={headerStyles['run']}>{shortRunId(runId)}</span>
          <CopyButton what="run id" text={() => runId} className={headerStyles['copyRun']} />
        </>
      )}
      <span className="spacer" />
      {runs > 1 ? (
        <Button look="ghost" onClick={() => files.choose(undefined)}>
          {formatCount(runs)} runs in the file
        </Button>
      ) : null}
      <span className={styles['chip']} title={escapeInvisible(name)}>
        <FileText size={14} aria-hidden="true" />
        <span className="ellipsis">{escapeInvisible(name)}</span>
        <Button
          look="ghost"
          size="small"
          icon
          aria-label="Close the file"
          data-tip="Close the file"
          onClick={() => {
            files.close();
            void navigate({ to: '/ns/$namespace/workflows', params: { namespace } });
          }}
        >
          <X size={14} />
        </Button>
      </span>
    </div>
  );
}
