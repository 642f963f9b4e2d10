import { groupName } from '@temporal-kms/histories/events';
import type { PathKind, PathStep } from '@temporal-kms/histories/why';
import type { ReactNode } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { formatDurationShort } from '../../ui/format/duration.ts';
import { Table } from '../../ui/page/table.tsx';
import { type Group, groupOfEvent } from '../events/history.ts';
import { LabelText } from '../history/summary-cell.tsx';
import { useRun } from '../run/run-context.tsx';
import { useRunTimes } from '../run/use-run-times.ts';
import styles from './path-table.module.css';

const kinds = ['work', 'queue', 'retry', 'idle'] as const satisfies readonly PathKind[];
const heads: Readonly<Record<PathKind, string>> = {
  work: 'Work',
  queue: 'Queue',
  retry: 'Retries',
  idle: 'Idle',
};

/** Maximum number of steps in the table; the remaining steps are summed up. */
const MAX_STEPS = 10;

const timeOf = (step: PathStep): number => kinds.reduce((sum, kind) => sum + step[kind], 0);

const isMessage = ({ category }: Group): boolean => category === 'signal' || category === 'update';

interface PathTableProps {
  readonly onSelect: (eventId: number) => void;
}

/** Shows where a run's time went: the steps on its critical path, longest first. */
export function PathTable({ onSelect }: PathTableProps) {
  const path = useRunTimes(true)?.path;
  if (path === undefined) return null;
  const { steps, total } = path;
  const sorted = steps.toSorted((a, b) => timeOf(b) - timeOf(a));
  const rest = sorted.slice(MAX_STEPS);
  return (
    <section className={styles['path']} aria-label="Critical path">
      <h2 id="critical-path" className="sr-only">
        Critical path
      </h2>
      <Table
        headingId="critical-path"
        className={styles['table']}
        columns={[
          'Step',
          ...[...kinds.map((kind) => heads[kind]), 'Total'].map((head) => [head, styles['number']] as const),
        ]}
      >
        <Times name="The whole run" step={{ group: 0, ...total }} />
        {sorted.slice(0, MAX_STEPS).map((step) => (
          <Times key={step.group} name={<StepName step={step} onSelect={onSelect} />} step={step} />
        ))}
        {rest.length > 0 ? <Times name={`${rest.length} other steps`} step={rest.reduce(add)} /> : null}
      </Table>
    </section>
  );
}

const add = (a: PathStep, b: PathStep): PathStep => ({
  group: 0,
  work: a.work + b.work,
  queue: a.queue + b.queue,
  retry: a.retry + b.retry,
  idle: a.idle + b.idle,
});

function Times({ name, step }: { readonly name: ReactNode; readonly step: PathStep }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      {[...kinds.map((kind) => step[kind]), timeOf(step)].map((millis, index) => (
        // oxlint-disable-next-line react/no-array-index-key -- a column is identified by its position
        <td key={index} className={styles['number']}>
          {millis === 0 ? '' : formatDurationShort(millis)}
        </td>
      ))}
    </tr>
  );
}

function StepName({ step, onSelect }: PathTableProps & { readonly step: PathStep }) {
  const { history } = useRun().follow;
  const group = groupOfEvent(history, step.group);
  if (group === undefined) return history.groups.some(isMessage) ? 'Waiting for a message' : 'Other waiting';
  return (
    <Button look="ghost" size="small" onClick={() => onSelect(group.id)}>
      {group.category === 'task' ? 'Workflow task' : <LabelText label={groupName(group)} />}{' '}
      <span className="t3">#{group.id}</span>
    </Button>
  );
}
