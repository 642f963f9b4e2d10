import { escapeInvisible, type SearchHit } from '@temporal-kms/codec-api';
import { eventTitle, groupName } from '@temporal-kms/histories/events';
import { clsx } from 'clsx';
import { X } from 'lucide-react';
import { type Ref, useRef } from 'react';
import { KeyBadges } from '../../payloads/key-badges.tsx';
import { rowBadges } from '../../payloads/payload-keys.ts';
import { useFindings, usePayload } from '../../payloads/payloads-context.tsx';
import { payloadTitle } from '../../payloads/value/payload-label.ts';
import { hitContext } from '../../search/hit-context.ts';
import { HitPlace, HitSnippet } from '../../search/search-hit.tsx';
import { SearchNote } from '../../search/search-progress.tsx';
import { useCommands } from '../../ui/commands/registry.ts';
import { Button } from '../../ui/controls/button.tsx';
import { formatCount, plural } from '../../ui/format/number.ts';
import { VirtualList } from '../../ui/grid/virtual-list.tsx';
import { SheetSize } from '../../ui/page/sheet-size.tsx';
import { useSheetShare } from '../../ui/preferences/sheet-height.ts';
import { SHEET_BELOW, useNarrowerThan } from '../../ui/preferences/window-size.ts';
import { groupOfEvent } from '../events/history.ts';
import { LabelText } from '../history/summary-cell.tsx';
import { useFind, useRun } from '../run/run-context.tsx';
import styles from './match-list.module.css';
import type { MatchJump } from './use-matches.ts';

/** Height of an entry in CSS pixels; equals that of `.hit` in match-list.module.css. */
const HEIGHT = 66;

interface MatchListProps {
  readonly matches: MatchJump;
  readonly onClose: () => void;
}

/** Lists the places in payloads that contain the text, with context if the page shows the payload. */
export function MatchList({ matches, onClose }: MatchListProps) {
  const { hits, current, matches: found, search } = useFind();
  const sheet = useNarrowerThan(SHEET_BELOW);
  const full = useSheetShare() === 1 && sheet;
  const hasFocus = useRef(!full);
  useCommands({ 'inspector.close': full ? onClose : undefined });

  /** Moves the focus to the list when it opens, because a full sheet covers the field. */
  function takeFocus(match: HTMLElement | null) {
    if (!match || hasFocus.current) return;
    hasFocus.current = true;
    match.focus({ preventScroll: true });
  }

  return (
    <section className={styles['list']} aria-label="Matches">
      <header className={styles['head']}>
        <h2>Matches</h2>
        <span className={clsx('t3', 'ellipsis')}>
          {formatCount(hits.length)} in {plural(found?.size ?? 0, 'event')}
          {full && search ? ` · ${escapeInvisible(search.text)}` : ''}
        </span>
        <span className="spacer" />
        <SheetSize of="the matches" />
        <Button look="ghost" size="small" icon aria-label="Close matches" data-tip="Close" onClick={onClose}>
          <X size={14} />
        </Button>
      </header>
      <VirtualList
        count={hits.length}
        itemHeight={HEIGHT}
        current={current}
        renderItem={(index) => {
          const hit = hits[index];
          return hit ? (
            <Match
              hit={hit}
              current={index === current}
              onOpen={() => matches.goTo(index)}
              {...(index === (current ?? 0) && { ref: takeFocus })}
            />
          ) : null;
        }}
      />
      <SearchNote audited="this search" />
    </section>
  );
}

interface MatchProps {
  readonly hit: SearchHit;
  readonly current: boolean;
  readonly onOpen: () => void;
  readonly ref?: Ref<HTMLButtonElement>;
}

function Match({ hit, current, onOpen, ref }: MatchProps) {
  const { follow, stub, usage } = useRun();
  const findings = useFindings();
  const group = groupOfEvent(follow.history, hit.eventId);
  const event = follow.history.events[hit.eventId - 1];
  const own = stub(hit.ref);
  const view = usePayload(hit.ref, own);
  const context = view.status === 'readable' ? hitContext(view.value, hit) : undefined;
  return (
    <button ref={ref} type="button" className={styles['hit']} aria-current={current} onClick={onOpen}>
      <span className={styles['line']}>
        <span className={styles['id']}>{formatCount(hit.eventId)}</span>
        <span className={styles['name']}>{group ? <LabelText label={groupName(group)} /> : 'Event'}</span>
        {event && group && group.events.length > 1 ? <span className="t3">{eventTitle(event)}</span> : null}
        <span className="spacer" />
        {own ? <KeyBadges badges={rowBadges([own], findings, usage)} /> : null}
      </span>
      <HitPlace hit={hit} {...(own && event && { title: payloadTitle(own, event.payloads) })} />
      <HitSnippet hit={hit} context={context} />
    </button>
  );
}
