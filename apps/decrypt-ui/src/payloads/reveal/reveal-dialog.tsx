import { escapeInvisible } from '@temporal-kms/codec-api';
import { Eye, EyeOff, Search } from 'lucide-react';
import { useState } from 'react';
import { useMe } from '../../session/me.tsx';
import { firstKey } from '../../ui/commands/commands.ts';
import { plural } from '../../ui/format/number.ts';
import { announce } from '../../ui/live-region.tsx';
import { JustificationDialog } from './justification.tsx';
import styles from './reveal-dialog.module.css';
import { type Asked, closeDialog } from './reveal-request.ts';
import { useReveals } from './reveals-context.tsx';
import { HIDDEN, namespaceOf } from './reveals.ts';

const TIMES = [5, 15, 60, 240] as const;

/** Returns the durations to choose from, in minutes, up to the maximum that the policy permits. */
export const timesUpTo = (most: number): readonly number[] => [...TIMES.filter((time) => time < most), most];

/** Asks what to reveal, for how long and why, and then reveals the chosen payloads. */
export function RevealDialog({ asked }: { asked: Asked }) {
  const { choices, what, onRevealed } = asked;
  const reveals = useReveals();
  const { revealMinutes } = useMe();
  const [chosen, setChosen] = useState(choices[0]);
  const namespace = namespaceOf(chosen.target);
  const times = timesUpTo(revealMinutes(namespace));
  const [minutes, setMinutes] = useState(times[0] ?? 1);
  const search = what !== undefined;
  const shown = `the namespace ${escapeInvisible(namespace)}`;
  const key = firstKey('payloads.lock');

  function submit(justification: string) {
    const { target, name } = chosen;
    reveals.reveal({ target, name, minutes, justification });
    closeDialog();
    announce(`Revealed for ${plural(minutes, 'minute')}: ${name}`);
    onRevealed?.();
  }

  return (
    <JustificationDialog
      title={search ? 'Search decrypted payloads' : 'Reveal payloads'}
      description={
        search
          ? `The server decrypts and searches ${what}. Payloads of ${shown} need a justification.`
          : `Payloads of ${shown} need a justification. The page decrypts those that you open.`
      }
      action={
        <>
          {search ? <Search size={14} /> : <Eye size={14} />}
          {search ? 'Search' : 'Reveal'}
        </>
      }
      initial={reveals.lastJustification(namespace)}
      onSubmit={submit}
      onClose={closeDialog}
    >
      {choices.length > 1 ? (
        <Choice
          legend="Reveal"
          options={choices.map(({ text }) => text)}
          chosen={choices.indexOf(chosen)}
          onChoose={(index) => setChosen(choices[index] ?? chosen)}
        />
      ) : null}
      <Choice
        legend={search ? 'Hide the matches after' : 'Hide again after'}
        options={times.map(timeText)}
        chosen={times.indexOf(minutes)}
        onChoose={(index) => setMinutes(times[index] ?? minutes)}
      />
      <p className={styles['rule']}>
        <EyeOff size={12} aria-hidden="true" />
        <span>
          Also hidden when you lock them
          {key === '' ? null : <span className={styles['key']}> ({key})</span>}, when this tab is in the
          background for {HIDDEN / 1000} s, and when you leave {shown} or sign out.
        </span>
      </p>
    </JustificationDialog>
  );
}

const timeText = (minutes: number) =>
  minutes >= 60 && minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`;

interface ChoiceProps {
  readonly legend: string;
  readonly options: readonly string[];
  readonly chosen: number;
  readonly onChoose: (index: number) => void;
}

function Choice({ legend, options, chosen, onChoose }: ChoiceProps) {
  return (
    <fieldset className={styles['choice']}>
      <legend>{legend}</legend>
      <div className={styles['options']}>
        {options.map((text, index) => (
          <label key={text} data-checked={index === chosen ? '' : undefined}>
            <input
              type="radio"
              name={legend}
              className="sr-only"
              checked={index === chosen}
              onChange={() => onChoose(index)}
            />
            {text}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
