import { ArrowDown, ArrowUp, X } from 'lucide-react';
import { type KeyboardEvent, lazy, type RefObject, Suspense, useId, useLayoutEffect, useRef } from 'react';
import { tip } from '../../ui/commands/commands.ts';
import { Button } from '../../ui/controls/button.tsx';
import { CheckBox } from '../../ui/controls/check-box.tsx';
import { MatchCase, SearchField } from '../../ui/controls/search-field.tsx';
import { useFind, useRun } from '../run/run-context.tsx';
import styles from './find-bar.module.css';
import type { MatchJump } from './use-matches.ts';
import { usePayloadSearch } from './use-payload-search.ts';

// Loaded once the user has entered text to find.
const FindStatus = lazy(async () => ({ default: (await import('./find-status.tsx')).FindStatus }));

interface FindBarProps {
  readonly matches: MatchJump;
  /** Moves the focus back to the rows. */
  readonly onLeave: () => void;
}

/** The field that searches within a run. Searches names at each keystroke, and decrypted payloads on request. */
export function FindBar({ matches, onLeave }: FindBarProps) {
  const { find } = useRun();
  const payloadSearch = usePayloadSearch();
  const { term, scope, caseSensitive, only, search, settled } = useFind();
  const field = useRef<HTMLInputElement>(null);
  const onlyId = useId();
  // A user who comes from a search of several runs is already at a match, so the field does not take the focus.
  useFieldFocus(field, search?.inRuns !== true);

  function keyDown(event: KeyboardEvent) {
    if (event.key === 'Enter') {
      if (scope === 'payloads' && search === undefined) payloadSearch.start();
      else if (scope === 'names' && !(settled && matches.count)) find.ifNoName(payloadSearch.start);
      else if (event.shiftKey) matches.previous();
      else matches.next();
    } else if (event.key === 'Escape') {
      event.preventDefault();
      if (search?.status === 'running') find.stop();
      else leave();
    }
  }

  function leave() {
    find.clear();
    onLeave();
  }

  return (
    <div role="search" aria-label="Find in this run" className={styles['find']}>
      <div className={styles['bar']}>
        <SearchField
          ref={field}
          label={scope === 'names' ? 'Find in names, types and ids' : 'Find in decrypted payloads'}
          placeholder={scope === 'names' ? 'Names, types, ids and workers' : 'Text in decrypted payloads'}
          value={term}
          onChange={(text) => find.setTerm(text)}
          onKeyDown={keyDown}
        >
          {scope === 'payloads' ? (
            <MatchCase on={caseSensitive} onChange={(on) => find.setCaseSensitive(on)} />
          ) : null}
          <div className={styles['scope']} role="group" aria-label="Search in">
            <button type="button" aria-pressed={scope === 'names'} onClick={() => find.setScope('names')}>
              Names
            </button>
            <button
              type="button"
              aria-pressed={scope === 'payloads'}
              {...tip('find.payloads')}
              onClick={() => find.setScope('payloads')}
            >
              Payloads
            </button>
          </div>
        </SearchField>
        <span className={styles['count']} role="status">
          {matches.count === undefined
            ? ''
            : matches.position === undefined
              ? foundText(matches.count, scope)
              : `${matches.position} of ${matches.count}`}
        </span>
        <Button
          look="ghost"
          icon
          aria-label="Previous match"
          {...tip('match.previous')}
          disabled={!matches.count}
          onClick={matches.previous}
        >
          <ArrowUp size={14} />
        </Button>
        <Button
          look="ghost"
          icon
          aria-label="Next match"
          {...tip('match.next')}
          disabled={!matches.count}
          onClick={matches.next}
        >
          <ArrowDown size={14} />
        </Button>
        <label htmlFor={onlyId} className={styles['only']} {...tip('match.only')}>
          <CheckBox id={onlyId} checked={only} onChange={(event) => find.setOnly(event.target.checked)} />
          Only matches
        </label>
        <Button look="ghost" icon aria-label="Close find" data-tip="Close" data-tip-key="Esc" onClick={leave}>
          <X size={14} />
        </Button>
      </div>
      <Suspense>
        <FindStatus count={matches.count} />
      </Suspense>
    </div>
  );
}

const foundText = (count: number, scope: 'names' | 'payloads') =>
  count === 0 && scope === 'names' ? 'None found' : `${count} found`;

/** Focuses the field when the bar opens, if `atOnce` is true, and whenever the command is used again. */
function useFieldFocus(field: RefObject<HTMLInputElement | null>, atOnce: boolean) {
  const first = useRef(atOnce);
  // Runs before the next keystroke, because the user may type immediately.
  useLayoutEffect(() => {
    const focus = () => {
      field.current?.focus();
      field.current?.select();
    };
    if (first.current) focus();
    document.addEventListener(FOCUS_FIND, focus);
    return () => document.removeEventListener(FOCUS_FIND, focus);
  }, [field]);
}

/** The event that moves the focus to the field of an open bar. */
const FOCUS_FIND = 'focus-find';

export const focusFind = () => document.dispatchEvent(new Event(FOCUS_FIND));
