import { type AuditEntry } from '@temporal-kms/codec-api';
import { Download, Square } from 'lucide-react';
import { useRef, useState } from 'react';
import { useServices } from '../session/services.tsx';
import { Button } from '../ui/controls/button.tsx';
import { csvOf } from '../ui/format/csv.ts';
import { plural } from '../ui/format/number.ts';
import { announce } from '../ui/live-region.tsx';
import { Menu, MenuAction } from '../ui/overlays/menu.tsx';
import { saveFile } from '../ui/save-file.ts';
import { useTask } from '../ui/use-task.ts';
import { type AuditConditions, searchAudit } from './api.ts';
import { auditCells } from './audit-rows.ts';
import styles from './audit.module.css';

/** Maximum number of lines in an export, all of which are in memory until the file is saved. */
const MOST = 50_000;
/** Maximum number of lines that the server returns per request. */
const PAGE_SIZE = 1_000;

type Form = 'jsonl' | 'csv';

interface AuditExportProps {
  readonly namespace: string;
  readonly conditions: AuditConditions;
}

/** Saves all lines that match the filter, loaded or not, as JSON Lines or CSV. */
export function AuditExport({ namespace, conditions }: AuditExportProps) {
  const { api } = useServices();
  const [count, setCount] = useState(0);
  const form = useRef<Form>('jsonl');

  /** Finds and saves the lines in one function, so that no entry stays in memory afterwards. */
  async function save(signal: AbortSignal) {
    const lines: AuditEntry[] = [];
    let after: string | undefined;
    do {
      const page = await searchAudit(
        api,
        namespace,
        { ...conditions, limit: PAGE_SIZE, ...(after !== undefined && { after }) },
        signal,
      );
      lines.push(...page.entries);
      setCount(lines.length);
      after = page.next;
    } while (after !== undefined && lines.length < MOST);
    const isComplete = after === undefined;
    const parts = ['audit', namespace, ...(isComplete ? [] : ['newest']), form.current];
    signal.throwIfAborted();
    if (form.current === 'csv') saveFile(parts, csvOf(auditCells(lines)), 'text/csv');
    else saveFile(parts, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), 'application/x-ndjson');
    return { count: lines.length, isComplete };
  }

  const task = useTask(save, (found, error) => {
    if (!found) {
      announce(`The export failed: ${error?.message ?? ''}`);
      return;
    }
    announce(`Saved ${plural(found.count, 'line')}${found.isComplete ? '' : ', the newest that match'}.`);
  });
  const start = (chosen: Form) => {
    form.current = chosen;
    setCount(0);
    task.run();
  };

  if (task.running) {
    return (
      <Button onClick={task.stop} aria-label="Stop the export">
        <Square size={12} />
        Stop, {plural(count, 'line')}
      </Button>
    );
  }
  return (
    <>
      {task.error ? (
        <span className={styles['problem']} role="alert">
          The export failed: {task.error.message}
        </span>
      ) : null}
      {task.result && !task.result.isComplete ? (
        <span className={styles['partial']}>saved the newest {plural(task.result.count, 'line')} only</span>
      ) : null}
      <Menu label="Export" trigger="Export" align="end">
        <MenuAction icon={<Download size={14} />} onClick={() => start('jsonl')}>
          Found lines as JSON Lines
        </MenuAction>
        <MenuAction icon={<Download size={14} />} onClick={() => start('csv')}>
          Found lines as CSV
        </MenuAction>
      </Menu>
    </>
  );
}
