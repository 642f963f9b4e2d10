import { useVirtualizer } from '@tanstack/react-virtual';
import { escapeInText, type SearchHit } from '@temporal-kms/codec-api';
import { ShieldCheck } from 'lucide-react';
import { useEffect, useRef } from 'react';
import { eventTitle, groupName } from '../../model/describe-group.ts';
import { formatCount, plural } from '../../model/format/number.ts';
import { groupOfEvent } from '../../model/history.ts';
import { keyBadges } from '../../model/keys.ts';
import { payloadLabel } from '../../model/payload-label.ts';
import { useFindings } from '../../payloads/payloads-context.tsx';
import { useFind, useRun } from '../../run/run-context.tsx';
import { KeyBadges } from '../payload/key-badges.tsx';
import styles from './match-list.module.css';
import { LabelText } from './summary-cell.tsx';
import type { MatchJump } from './use-matches.ts';

/** Height of an entry in CSS pixels; `.hit` of match-list.module.css. */
const HEIGHT = 66;

/** The places in payloads that contain the text. Around the text, the server masks everything. */
export function MatchList({ matches }: { matches: MatchJump }) {
  const { hits, current, matches: found } = useFind();
  const scroller = useRef<HTMLUListElement>(null);
  const virtual = useVirtualizer({
    count: hits.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => HEIGHT,
    overscan: 6,
  });
  useEffect(() => {
    if (current !== undefined) virtual.scrollToIndex(current);
  }, [current, virtual]);
  return (
    <section className={styles['list']} aria-label="Matches">
      <header className={styles['head']}>
        <h2>Matches</h2>
        <span className="t3">
          {formatCount(hits.length)} in {plural(found?.size ?? 0, 'event')}
        </span>
      </header>
      <ul ref={scroller} className={styles['hits']}>
        <li aria-hidden="true" style={{ height: virtual.getTotalSize() }} />
        {virtual.getVirtualItems().map(({ index, start }) => {
          const hit = hits[index];
          return hit ? (
            <li key={index} className={styles['item']} style={{ translate: `0 ${start}px` }}>
              <Match hit={hit} current={index === current} onOpen={() => matches.goTo(index)} />
            </li>
          ) : null;
        })}
      </ul>
      <p className={styles['note']}>
        <ShieldCheck size={14} aria-hidden="true" />
        Decrypted on the server, with an audit entry for this search. The text stays out of the address and
        the log.
      </p>
    </section>
  );
}

/** Widths of masked text in CSS pixels, by the server's buckets of its length. */
const widths = { '0': 0, '1-4': 16, '5-16': 32, '17-64': 88, '65+': 124 } as const;

interface MatchProps {
  readonly hit: SearchHit;
  readonly current: boolean;
  readonly onOpen: () => void;
}

function Match({ hit, current, onOpen }: MatchProps) {
  const { follow, stub } = useRun();
  const findings = useFindings();
  const group = groupOfEvent(follow.history, hit.eventId);
  const event = follow.history.events[hit.eventId - 1];
  const own = stub(hit.ref);
  const { before, match, after } = hit.snippet;
  return (
    <button type="button" className={styles['hit']} aria-current={current} onClick={onOpen}>
      <span className={styles['line']}>
        <span className={styles['id']}>{formatCount(hit.eventId)}</span>
        <span className={styles['name']}>{group ? <LabelText label={groupName(group)} /> : 'Event'}</span>
        {event && group && group.events.length > 1 ? <span className="t3">{eventTitle(event)}</span> : null}
        <span className="spacer" />
        {own ? <KeyBadges badges={keyBadges([own], findings)} /> : null}
      </span>
      <span className={styles['pointer']}>
        {payloadLabel(hit.path)} <span className="mono">{escapeInText(hit.pointer)}</span>
        {hit.in === 'key' ? ' (name)' : ''}
        {hit.matches > 1 ? ` ×${hit.matches}` : ''}
      </span>
      <span className={styles['snippet']}>
        <Dots length={before} />
        <mark>{escapeInText(match)}</mark>
        <Dots length={after} />
        {hit.more ? <span className="t3">and {plural(hit.more, 'more place')} in this payload</span> : null}
      </span>
    </button>
  );
}

function Dots({ length }: { length: keyof typeof widths }) {
  return length === '0' ? null : (
    <span className={styles['dots']} style={{ width: widths[length] }} aria-label="masked" role="img" />
  );
}
