import { auditOperation, auditResult } from '@temporal-kms/codec-api';
import { Search, X } from 'lucide-react';
import { type FormEvent, type Ref, useRef, useState } from 'react';
import { useCommands } from '../ui/commands/registry.ts';
import { Button } from '../ui/controls/button.tsx';
import { fromWallTime, toWallTime, zoneLabel } from '../ui/format/time.ts';
import { Menu, MenuChoice } from '../ui/overlays/menu.tsx';
import { useTimeFormat } from '../ui/preferences/preferences.ts';
import { isFiltered, noText, type PersonText } from './audit-conditions.ts';
import { type AuditSearch, type Span, spans } from './audit-params.ts';
import { operationTexts, resultTexts } from './audit-rows.ts';
import styles from './audit.module.css';

interface AuditFilterProps {
  readonly search: AuditSearch;
  readonly text: PersonText;
  readonly onChange: (search: AuditSearch, text: PersonText) => void;
}

const spanTexts: Readonly<Record<Span, string>> = {
  '1h': 'Last hour',
  '24h': 'Last 24 hours',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
};

const outcomes = [...auditResult.options, 'denied'] as const;
const ANY = 'any';
const BETWEEN = 'between';

/**
 * The fields for the search's conditions. Choosing a value starts a search immediately; typed text does so only
 * on Enter, because each search adds two entries to the audit.
 */
export function AuditFilter({ search, text, onChange }: AuditFilterProps) {
  const [draft, setDraft] = useState({ ...text, wf: search.wf ?? '' });
  const first = useRef<HTMLInputElement>(null);
  const [between, setBetween] = useState(search.since !== undefined || search.until !== undefined);
  useCommands({ find: () => first.current?.select() });

  const { who, justification, wf } = draft;
  const withTexts = (next: AuditSearch = search): [AuditSearch, PersonText] => [
    { ...next, wf: wf.trim() || undefined },
    { who, justification },
  ];
  const choose = (part: Partial<AuditSearch>) => onChange(...withTexts({ ...search, ...part }));

  function submit(event: FormEvent) {
    event.preventDefault();
    onChange(...withTexts());
  }

  function clear() {
    setDraft({ ...noText, wf: '' });
    setBetween(false);
    onChange({}, noText);
  }

  const time = between ? BETWEEN : (search.last ?? ANY);
  return (
    <form
      className={styles['filter']}
      role="search"
      aria-label="Filter the audit"
      noValidate
      onSubmit={submit}
    >
      <Field
        ref={first}
        label="Person"
        value={who}
        onChange={(value) => setDraft({ ...draft, who: value })}
        wide={false}
      />
      <Field label="Workflow id" value={wf} onChange={(value) => setDraft({ ...draft, wf: value })} wide />
      <Field
        label="Justification"
        value={justification}
        onChange={(value) => setDraft({ ...draft, justification: value })}
        wide
      />
      <Button type="submit" look="ghost" icon aria-label="Search" data-tip="Search" data-tip-key="Enter">
        <Search size={14} />
      </Button>
      <div className={styles['choices']}>
        <Choice
          label="Action"
          value={search.op ?? ANY}
          options={[
            [ANY, 'Any action'],
            ...auditOperation.options.map((each) => [each, operationTexts[each]] as const),
          ]}
          onChange={(value) => choose({ op: auditOperation.options.find((each) => each === value) })}
        />
        <Choice
          label="Outcome"
          value={search.out ?? ANY}
          options={[[ANY, 'Any outcome'], ...outcomes.map((each) => [each, resultTexts[each]] as const)]}
          onChange={(value) => choose({ out: outcomes.find((each) => each === value) })}
        />
        <Choice
          label="Time"
          value={time}
          options={[
            [ANY, 'Any time'],
            ...spans.map((each) => [each, spanTexts[each]] as const),
            [BETWEEN, 'Between…'],
          ]}
          onChange={(value) => {
            setBetween(value === BETWEEN);
            if (value !== BETWEEN)
              choose({ last: spans.find((each) => each === value), since: undefined, until: undefined });
          }}
        />
        {isFiltered({ search, text }) ? (
          <Button look="ghost" onClick={clear}>
            <X size={14} />
            Clear
          </Button>
        ) : null}
      </div>
      {between ? <Between search={search} onChange={choose} /> : null}
    </form>
  );
}

interface FieldProps {
  readonly ref?: Ref<HTMLInputElement>;
  readonly label: string;
  readonly value: string;
  readonly wide: boolean;
  readonly onChange: (value: string) => void;
}

const Field = ({ ref, label, value, wide, onChange }: FieldProps) => (
  <input
    ref={ref}
    className={styles['field']}
    data-wide={wide ? '' : undefined}
    aria-label={label}
    placeholder={label}
    value={value}
    maxLength={500}
    spellCheck={false}
    autoComplete="off"
    enterKeyHint="search"
    onChange={(event) => onChange(event.target.value)}
  />
);

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, text: string])[];
  readonly onChange: (value: string) => void;
}

function Choice({ label, value, options, onChange }: ChoiceProps) {
  const chosen = options.find(([each]) => each === value)?.[1] ?? label;
  return (
    <Menu label={label} trigger={<span data-chosen={value === ANY ? undefined : ''}>{chosen}</span>}>
      <MenuChoice
        title={label}
        value={value}
        options={options.map(([each, text]) => ({ value: each, text }))}
        onChange={onChange}
      />
    </Menu>
  );
}

/** Fields for the start (inclusive) and the end (exclusive). */
function Between({
  search,
  onChange,
}: {
  search: AuditSearch;
  onChange: (part: Partial<AuditSearch>) => void;
}) {
  const { zone } = useTimeFormat();
  const shown = (time: string | undefined) =>
    time === undefined ? '' : toWallTime(Date.parse(time), zone).slice(0, 19);
  const [from, setFrom] = useState(() => shown(search.since));
  const [to, setTo] = useState(() => shown(search.until));
  const first = fromWallTime(from, zone);
  const last = fromWallTime(to, zone);
  const wrong = first !== undefined && last !== undefined && first >= last;

  const apply = () => {
    if (wrong || (first === undefined && last === undefined)) return;
    onChange({
      last: undefined,
      since: first === undefined ? undefined : new Date(first).toISOString(),
      until: last === undefined ? undefined : new Date(last).toISOString(),
    });
  };
  return (
    <div className={styles['between']} role="group" aria-label="Between">
      <label>
        From
        <input
          type="datetime-local"
          step="1"
          className={styles['field']}
          value={from}
          onChange={(event) => setFrom(event.target.value)}
        />
      </label>
      <label>
        to
        <input
          type="datetime-local"
          step="1"
          className={styles['field']}
          value={to}
          onChange={(event) => setTo(event.target.value)}
        />
      </label>
      <span className="small t3">{zoneLabel(zone)}</span>
      <Button onClick={apply} aria-disabled={wrong}>
        Apply
      </Button>
      {wrong ? (
        <span className={styles['problem']} role="alert">
          The end must be after the start.
        </span>
      ) : null}
    </div>
  );
}
