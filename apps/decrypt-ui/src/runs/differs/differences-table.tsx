import { Link } from '@tanstack/react-router';
import { escapeInText } from '@temporal-kms/codec-api';
import { ABSENT, type Difference, type FieldMap, type WhatDiffers } from '@temporal-kms/histories/why';
import { Fragment } from 'react';
import { formatCount, plural } from '../../ui/format/number.ts';
import { Table } from '../../ui/page/table.tsx';
import { Breakable } from '../../ui/text/breakable.tsx';
import {
  chanceText,
  effectText,
  fieldTime,
  type FieldTime,
  fieldWords,
  medianTexts,
  queryFor,
} from './difference-words.ts';
import styles from './differs.module.css';
import type { Queries } from './presets.ts';
import { type DifferenceGroup, joinSameRuns } from './same-runs.ts';

interface DifferencesTableProps {
  readonly namespace: string;
  readonly result: WhatDiffers;
  /** The queries of the sets as the user wrote them. */
  readonly texts: Queries;
  /** The runs of both sets. */
  readonly runs: readonly FieldMap[];
}

const sections: readonly (readonly [time: FieldTime, title: string])[] = [
  ['start', 'From the start and the first workflow task'],
  ['changing', 'Search attributes: may have changed during the run'],
  ['end', 'Outcome: may be an effect, not a cause'],
];

const isOutcome = ({ field }: Difference) => fieldTime(field) === 'end';

/** The fields that differ, with the clearest differences first. Fields that may be effects of the cause come last. */
export function DifferencesTable(props: DifferencesTableProps) {
  const { result, runs } = props;
  const groups = [
    ...joinSameRuns(
      result.differences.filter((each) => !isOutcome(each)),
      runs,
    ),
    ...joinSameRuns(result.differences.filter(isOutcome), runs),
  ];
  return sections.map(([time, title]) => {
    const own = groups.filter(({ difference }) => fieldTime(difference.field) === time);
    return time === 'start' || own.length > 0 ? (
      <Section key={time} {...props} id={`differs-${time}`} title={title} groups={own} />
    ) : null;
  });
}

interface SectionProps extends DifferencesTableProps {
  readonly id: string;
  readonly title: string;
  readonly groups: readonly DifferenceGroup[];
}

function Section({ id, title, groups, ...rest }: SectionProps) {
  const [a, b] = rest.result.sizes;
  return (
    <section className={styles['section']} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {groups.length === 0 ? (
        <p className="t2">No significant difference ({plural(rest.result.comparisons, 'comparison')}).</p>
      ) : (
        <Table
          className={styles['table']}
          headingId={id}
          columns={[
            'Field',
            'Value',
            `A (${plural(a, 'run')})`,
            `B (${plural(b, 'run')})`,
            'Difference',
            'By chance',
            'Runs',
          ]}
        >
          {groups.map((group) => (
            <Row key={group.difference.field} group={group} {...rest} />
          ))}
        </Table>
      )}
    </section>
  );
}

interface RowProps extends DifferencesTableProps {
  readonly group: DifferenceGroup;
}

function Row({ namespace, group, result, texts, runs }: RowProps) {
  const { difference, same } = group;
  const { field, value, first, second, p } = difference;
  const [a, b] = result.sizes;
  const medians = medianTexts(difference, result.sizes);
  const isMoreInA = first / a >= second / b;
  const query = [difference, ...same]
    .map((each) => queryFor(each, isMoreInA ? texts[0] : texts[1], runs))
    .find((text) => text !== undefined);
  return (
    <tr>
      <td>
        <FieldName field={field} />
        {same.length > 0 ? (
          <span className={styles['same']}>
            same runs as{' '}
            {same.map((other, index) => (
              <Fragment key={other.field}>
                {index > 0 ? ', ' : ''}
                <FieldName field={other.field} />
              </Fragment>
            ))}
          </span>
        ) : null}
      </td>
      <td className={styles['value']} data-head="Value">
        {value === undefined ? <span className="t3">median</span> : <Value value={value} />}
      </td>
      {(
        [
          ['A', first, a, medians?.[0]],
          ['B', second, b, medians?.[1]],
        ] as const
      ).map(([set, count, of, median]) => (
        <td key={set} data-head={set}>
          {median === undefined ? (
            <Share count={count} of={of} />
          ) : (
            <span className={styles['number']}>{median}</span>
          )}
        </td>
      ))}
      <td className={styles['number']} data-head="Difference">
        {effectText(difference, result.sizes)}
      </td>
      <td className="t2" data-head="By chance">
        {chanceText(p)}
      </td>
      <td className={styles['runs']}>
        {query === undefined ? null : (
          <Link to="/ns/$namespace/workflows" params={{ namespace }} search={{ q: query }}>
            Show {isMoreInA ? 'A’s' : 'B’s'} runs
          </Link>
        )}
      </td>
    </tr>
  );
}

function FieldName({ field }: { field: string }) {
  const { text, isPath } = fieldWords(field);
  return isPath ? (
    <span className="mono">
      <Breakable>{text}</Breakable>
    </span>
  ) : (
    text
  );
}

const Value = ({ value }: { value: string }) =>
  value === ABSENT ? <span className="t3">absent</span> : <span className="mono">{escapeInText(value)}</span>;

/** Shows how many runs of a set have the value, as a bar and in numbers. */
function Share({ count, of }: { count: number; of: number }) {
  return (
    <span className={styles['share']}>
      <i aria-hidden="true">
        <i style={{ width: `${of === 0 ? 0 : (count / of) * 100}%` }} />
      </i>
      {formatCount(count)} of {formatCount(of)}
    </span>
  );
}
