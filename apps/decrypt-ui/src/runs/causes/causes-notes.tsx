import { reasonEntries } from '@temporal-kms/codec-api';
import { CircleAlert } from 'lucide-react';
import { GiveJustification } from '../../payloads/reveal/justification.tsx';
import { reasonText } from '../../payloads/reasons.ts';
import type { ApiFailure } from '../../session/server/failure.ts';
import { Button } from '../../ui/controls/button.tsx';
import { formatCount, plural } from '../../ui/format/number.ts';
import { Notice } from '../../ui/page/notice.tsx';
import type { CausesProgress } from './causes-store.ts';
import styles from './causes.module.css';

interface NotesProps {
  readonly own: CausesProgress;
  /** Continues reading after the last run that was read. */
  readonly onResume: (justification?: string) => void;
}

/** Notes that say why some runs are in no group, or were grouped without their messages. */
export function Notes({ own, onResume }: NotesProps) {
  const { status, failure, total, share, failingTasks, failed, unreadable } = own;
  const reasons = reasonEntries(unreadable);
  return (
    <>
      {failure ? <Failure failure={failure} isPartial={own.runs.length > 0} onResume={onResume} /> : null}
      {status === 'stopped' || status === 'limit' ? (
        <p className={styles['note']}>
          {status === 'stopped'
            ? 'Stopped before all runs were read.'
            : 'The server ended the request before all runs were read: it is restarting, or it reached a limit on time or Cloud KMS calls.'}
        </p>
      ) : null}
      {share < 1 && total !== undefined ? (
        <p className={styles['note']}>
          Sample: {plural(total, 'run')} match; the page reads about {formatCount(Math.round(total * share))},
          picked by run id across the whole time range. Counts refer to the sample.
        </p>
      ) : null}
      {failingTasks ? null : (
        <p className={styles['note']}>
          This Temporal server cannot list running workflows whose workflow task keeps failing, so the page
          does not contain them.
        </p>
      )}
      {failed > 0 ? <p className={styles['note']}>{plural(failed, 'run')} could not be read.</p> : null}
      {reasons.length > 0 ? (
        <p className={styles['note']}>
          {plural(
            reasons.reduce((sum, [, count]) => sum + count, 0),
            'failure',
          )}{' '}
          could not be decrypted:{' '}
          {reasons.map(([reason, count]) => `${reasonText(reason).title} (${formatCount(count)})`).join(', ')}
          . Their runs are grouped by type and step.
        </p>
      ) : null}
    </>
  );
}

interface FailureProps extends Pick<NotesProps, 'onResume'> {
  readonly failure: ApiFailure;
  /** Whether at least one run was read. */
  readonly isPartial: boolean;
}

function Failure({ failure: { code, message }, isPartial, onResume }: FailureProps) {
  const icon = <CircleAlert size={14} />;
  if (code === 'justification_required')
    return (
      <Notice
        severity="error"
        icon={icon}
        title="This namespace requires a justification"
        action={
          <GiveJustification
            title="Reveal messages"
            description="The server decrypts the messages of these runs. This namespace requires a justification."
            action="Reveal"
            onSubmit={onResume}
          />
        }
      />
    );
  const title = isPartial ? 'Not all runs could be read' : 'The runs could not be read';
  return (
    <Notice
      severity="error"
      icon={icon}
      title={code === 'invalid_query' ? 'Temporal rejects the query' : title}
      action={<Button onClick={() => onResume()}>Try again</Button>}
    >
      {message}
    </Notice>
  );
}
