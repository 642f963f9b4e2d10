import { escapeInText } from '@temporal-kms/codec-api';
import { formatCount, plural } from '../../ui/format/number.ts';
import styles from './compare-page.module.css';
import type { Substitution } from './consequences.ts';
import type { PlacedDifference } from './pair-state.ts';
import type { Verdict } from './step-scan.tsx';

/** Maximum number of characters shown of a value. */
const SHOWN = 120;

const shortened = (text: string) =>
  escapeInText(text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text).split('\n', 1)[0];

/** Renders `1290 → 51290`, with the first run's value first. */
function ChangedValue({ left, right }: Partial<Substitution>) {
  return (
    <span className={styles['change']}>
      <Value text={left} /> <span aria-hidden="true">→</span>
      <span className="sr-only">, in the second run </span> <Value text={right} />
    </span>
  );
}

const Value = ({ text }: { text: string | undefined }) =>
  text === undefined ? (
    <span className="t3">nothing</span>
  ) : (
    <span className={styles['value']}>{text === '' ? '""' : shortened(text)}</span>
  );

/** The first differing value of a step: its path, and the values in both runs. */
export function FirstDifference({ values }: { values: readonly PlacedDifference[] }) {
  const [first] = values;
  if (!first) return null;
  const { title, path, left, right } = first;
  return (
    <>
      <span className="ellipsis">
        <span className={styles['path']}>
          {title} {path === '' ? null : <span className="mono">{escapeInText(path)}</span>}
        </span>{' '}
        <ChangedValue {...(left !== undefined && { left })} {...(right !== undefined && { right })} />
      </span>
      {values.length > 1 ? (
        <span className={styles['others']}>+{formatCount(values.length - 1)} more</span>
      ) : null}
    </>
  );
}

interface ConsequencesProps {
  readonly substitutions: readonly Substitution[];
  readonly verdicts: ReadonlyMap<string, Verdict>;
}

/** Maximum number of substitutions shown. */
const MOST = 4;

/** Lists, once instead of at each step, the differences that follow from the inputs. */
export function Consequences({ substitutions, verdicts }: ConsequencesProps) {
  const counts = substitutions.map((substitution, index) => ({
    substitution,
    count: [...verdicts.values()].reduce((sum, { consequences }) => sum + (consequences[index] ?? 0), 0),
  }));
  const seen = counts.filter(({ count }) => count > 0).toSorted((a, b) => b.count - a.count);
  if (seen.length === 0) return null;
  return (
    <ul className={styles['consequences']} aria-label="Follows from the input">
      {seen.slice(0, MOST).map(({ substitution, count }) => (
        <li key={substitution.left}>
          <ChangedValue {...substitution} />, {plural(count, 'time')}
        </li>
      ))}
      {seen.length > MOST ? <li>and {formatCount(seen.length - MOST)} more</li> : null}
    </ul>
  );
}
