import { escapeInvisible } from '@temporal-kms/codec-api';
import { useState } from 'react';
import { Button } from '../ui/controls/button.tsx';
import { formatCount, plural } from '../ui/format/number.ts';
import { formatMoment } from '../ui/format/time.ts';
import { useTimeFormat } from '../ui/preferences/preferences.ts';
import styles from './file.module.css';
import type { FileRun, OpenedFile } from './history-file.ts';
import { useHistoryFiles } from './use-history-files.ts';

/** Number of rows rendered at first; the user can request more. */
const FIRST_ROWS = 200;

/** Lets the user choose one of a file's runs: Temporal Cloud exports many runs into one file. */
export function FileRuns({ file }: { file: OpenedFile }) {
  const files = useHistoryFiles();
  const format = useTimeFormat();
  const [filter, setFilter] = useState('');
  const [shown, setShown] = useState(FIRST_ROWS);
  const rows = file.runs.map((run, index) => ({ run, index })).filter(({ run }) => matches(run, filter));
  return (
    <div className={styles['choice']}>
      <header className={styles['head']}>
        <h1 className={styles['title']}>{plural(file.runs.length, 'run')} in the file</h1>
        <p className="t2">{escapeInvisible(file.name)}</p>
        <input
          type="search"
          className={styles['filter']}
          aria-label="Filter by workflow id, run id or type"
          placeholder="Workflow id, run id or type"
          spellCheck={false}
          autoComplete="off"
          value={filter}
          onChange={(event) => {
            setFilter(event.target.value);
            setShown(FIRST_ROWS);
          }}
        />
      </header>
      <div className={styles['frame']}>
        <table className={styles['table']} aria-label="Runs in the file">
          <thead>
            <tr>
              <th scope="col">Workflow</th>
              <th scope="col" className={styles['type']}>
                Type
              </th>
              <th scope="col">Started</th>
              <th scope="col" className={styles['count']}>
                Events
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map(({ run, index }) => (
              <tr key={index}>
                <th scope="row">
                  <button type="button" className={styles['open']} onClick={() => files.choose(index)}>
                    {nameOf(run)}
                  </button>
                  {run.runId === undefined ? null : (
                    <span className={styles['run']}>{escapeInvisible(run.runId)}</span>
                  )}
                </th>
                <td className={styles['type']}>{escapeInvisible(run.type ?? '–')}</td>
                <td>{run.startedAt === undefined ? '–' : formatMoment(run.startedAt, format)}</td>
                <td className={styles['count']}>{formatCount(run.length)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        {rows.length === 0 ? <p className={styles['none']}>No run in the file matches.</p> : null}
        {rows.length > shown ? (
          <Button look="ghost" onClick={() => setShown(shown + FIRST_ROWS)}>
            Show more of the {plural(rows.length, 'run')}
          </Button>
        ) : null}
      </div>
    </div>
  );
}

const nameOf = ({ workflowId, type }: FileRun) => escapeInvisible(workflowId ?? type ?? 'Unnamed workflow');

function matches({ workflowId = '', runId = '', type = '' }: FileRun, filter: string): boolean {
  const text = filter.trim().toLowerCase();
  return [workflowId, runId, type].some((name) => name.toLowerCase().includes(text));
}
