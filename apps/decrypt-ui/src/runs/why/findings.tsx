import { type Explanation, type Finding, type Place, placeText } from '@temporal-kms/histories/why';
import { Button } from '../../ui/controls/button.tsx';
import { useTimeFormat } from '../../ui/preferences/preferences.ts';
import { Breakable } from '../../ui/text/breakable.tsx';
import { OutcomeGlyph } from '../../ui/text/outcome.tsx';
import { RunAnchor } from '../run-link.tsx';
import { useRun } from '../run/run-context.tsx';
import { MessageText } from './headline.tsx';
import type { Readings } from './use-readings.ts';
import styles from './why-card.module.css';
import { breadcrumb, factsOf, leadsWithCause, outcomeOfFinding } from './why-text.ts';

interface FindingsProps extends Pick<Readings, 'lockOf'> {
  readonly explanation: Explanation;
  readonly now: number;
  readonly onSelect: (eventId: number) => void;
}

/** The findings of the rules, most urgent first, and how many more there are. */
export function Findings({ explanation, ...rest }: FindingsProps) {
  const { findings, more, refs } = explanation;
  const left = Object.values(more).reduce((sum, count) => sum + count, 0);
  const locks = new Set(refs.map(rest.lockOf));
  return (
    <>
      <ul>
        {findings.map((finding, index) => (
          <FindingItem
            key={`${finding.rule} ${finding.eventId ?? `at ${index}`}`}
            finding={finding}
            isOnly={findings.length === 1}
            {...rest}
          />
        ))}
      </ul>
      {left > 0 ? <p className={styles['more']}>And {left} more of the same kinds.</p> : null}
      {locks.has('refused') ? (
        <p className={styles['more']}>Messages are encrypted, and you lack the permission to decrypt them.</p>
      ) : locks.has('locked') ? (
        <p className={styles['more']}>Messages are locked: reveal the explanation to read them.</p>
      ) : null}
    </>
  );
}

interface FindingItemProps extends Omit<FindingsProps, 'explanation'> {
  readonly finding: Finding;
  /** Whether there is no other finding. The card's line then already has a link to the event. */
  readonly isOnly: boolean;
}

function FindingItem({ finding, isOnly, now, lockOf, onSelect }: FindingItemProps) {
  const format = useTimeFormat();
  const { description } = useRun();
  const { cause, eventId, remedy, title } = finding;
  const around = breadcrumb(finding);
  return (
    <li className={styles['finding']}>
      <OutcomeGlyph outcome={outcomeOfFinding(finding, description.workflow.status)} />
      <div className={styles['text']}>
        {leadsWithCause(finding) ? null : <p className="strong">{title}</p>}
        {cause ? (
          <p className={styles['message']}>
            <MessageText message={cause.message} lockOf={lockOf} whole />{' '}
            <span className={styles['type']}>{cause.type}</span>
          </p>
        ) : null}
        <p className="t2">{factsOf(finding, { now, format }).join(' · ')}</p>
        <Way places={cause?.places ?? []} onSelect={onSelect} />
        {around ? <p className={styles['around']}>{around}</p> : null}
        {cause && cause.frames.length > 0 ? (
          <ul className={styles['frames']} aria-label="The application’s frames">
            {cause.frames.map(({ call, place, code }) => (
              <li key={`${call} ${place}`}>
                {call || '(anonymous)'}{' '}
                <span className="t3">
                  <Breakable>{place}</Breakable>
                </span>
                {code === undefined ? null : <div>{code}</div>}
              </li>
            ))}
          </ul>
        ) : null}
        {remedy ? <p className={styles['remedy']}>{remedy}</p> : null}
      </div>
      {isOnly ? null : <ToEvent eventId={eventId} onSelect={onSelect} />}
    </li>
  );
}

interface WayProps {
  /** The steps, from the current run inwards. */
  readonly places: readonly Place[];
  readonly onSelect: (eventId: number) => void;
}

/** The steps through which a failure propagated, each with a link to its event or run. */
function Way({ places, onSelect }: WayProps) {
  const { address } = useRun();
  if (places.length < 2 && places[0]?.run === undefined) return null;
  return (
    <p className="t2">
      through{' '}
      {places.map((place, index) => (
        <span key={`${place.kind} ${place.name} ${place.eventId ?? place.run?.runId ?? ''}`}>
          {index > 0 ? ' › ' : ''}
          {place.run && !address.file ? (
            <RunAnchor run={runOf(address.namespace, place.run)}>{placeText(place)}</RunAnchor>
          ) : (
            placeText(place)
          )}
          <ToEvent eventId={place.eventId} onSelect={onSelect} />
        </span>
      ))}
    </p>
  );
}

const runOf = (namespace: string, { workflowId, runId }: NonNullable<Place['run']>) => ({
  namespace,
  workflowId,
  ...(runId === undefined ? {} : { runId }),
});

/** A link to an event of the current run. */
export function ToEvent({
  eventId,
  onSelect,
}: Pick<WayProps, 'onSelect'> & { readonly eventId: number | undefined }) {
  if (eventId === undefined) return null;
  return (
    <Button look="ghost" size="small" onClick={() => onSelect(eventId)}>
      Event {eventId}
    </Button>
  );
}
