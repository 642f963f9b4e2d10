import { useQuery } from '@tanstack/react-query';
import { MAX_FIELD_RUNS } from '@temporal-kms/codec-api';
import { useMemo, useRef } from 'react';
import { messageOf } from '../../ui/errors.ts';
import { plural } from '../../ui/format/number.ts';
import { useRunsApi } from '../api.ts';
import { Filter } from '../filter/filter-field.tsx';
import type { KnownValues } from '../filter/suggestions.ts';
import { parseQuery, printQuery } from '../filter/visibility-query.ts';
import { countQuery } from '../queries.ts';
import styles from './differs.module.css';
import { rejectionOf } from './obstacle.ts';

const nothingKnown: KnownValues = { attributes: [], values: new Map() };

interface ComparedSetProps {
  readonly name: 'A' | 'B';
  readonly namespace: string;
  readonly text: string;
  /** The query in `text`, with its relative times replaced. */
  readonly query: string;
  readonly onApply: (text: string) => void;
}

/** Shows a set's query and its number of runs. */
export function ComparedSet({ name, namespace, text, query, onApply }: ComparedSetProps) {
  const api = useRunsApi();
  const field = useRef<HTMLInputElement>(null);
  const parsed = useMemo(() => parseQuery(text), [text]);
  const { data, error, isPlaceholderData } = useQuery(countQuery(api, namespace, query));
  const invalid = rejectionOf(error);
  return (
    <section className={styles['set']} aria-label={`Set ${name}`}>
      <h2 className={styles['name']}>{name}</h2>
      <Filter
        label={`Runs of set ${name}`}
        namespace={namespace}
        field={field}
        query={parsed}
        known={nothingKnown}
        error={invalid}
        onApply={(next) => onApply(printQuery(next))}
      />
      <span className={styles['count']}>
        {data && !isPlaceholderData && !invalid ? countText(data.total) : null}
        {error && !data && !invalid ? `The runs could not be counted: ${messageOf(error)}` : null}
      </span>
    </section>
  );
}

const countText = (total: number) =>
  total > MAX_FIELD_RUNS ? `${MAX_FIELD_RUNS} of ${plural(total, 'run')}` : plural(total, 'run');
