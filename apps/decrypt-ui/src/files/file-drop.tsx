import { useNavigate } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { FileUp } from 'lucide-react';
import { useCallback, useEffect, useRef } from 'react';
import styles from './file-drop.module.css';
import { useHistoryFiles } from './use-history-files.ts';

/** Whether the user is dragging a file or choosing one, or the file that they dropped. */
export type FileAction = 'drag' | 'choose' | File | undefined;

interface FileDropProps {
  readonly namespace: string;
  readonly action: FileAction;
  /** Called once the file is being opened or the browser's file chooser is open. */
  readonly onDone: () => void;
}

/** Opens a history file that the user dropped, or asks the user to choose a file. */
export function FileDrop({ namespace, action, onDone }: FileDropProps) {
  const files = useHistoryFiles();
  const navigate = useNavigate();
  const input = useRef<HTMLInputElement>(null);
  const handled = useRef<FileAction>(undefined);

  const open = useCallback(
    (file: File) => {
      void files.open(file);
      void navigate({ to: '/ns/$namespace/file', params: { namespace } });
    },
    [files, navigate, namespace],
  );
  useEffect(() => {
    // React may run the effect twice.
    if (handled.current === action) return;
    handled.current = action;
    if (action === undefined || action === 'drag') return;
    if (action === 'choose') input.current?.click();
    else open(action);
    onDone();
  }, [action, open, onDone]);

  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        aria-label="History file"
        accept=".json,.jsonl,.proto,.pb,.bin,application/json"
        onChange={({ target }) => {
          const file = target.files?.[0];
          if (file) open(file);
          // Clears the file chooser, so that the user can choose the same file again.
          target.value = '';
        }}
      />
      {action === 'drag' ? (
        <div className={styles['over']} role="status">
          <p className={styles['text']}>
            <FileUp size={18} aria-hidden="true" />
            Drop the file to open its history in {escapeInvisible(namespace)}
          </p>
        </div>
      ) : null}
    </>
  );
}
