import { escapeInText, escapeInvisible, MAX_API_BODY } from '@temporal-kms/codec-api';
import { Play } from 'lucide-react';
import { useId, useState } from 'react';
import { useMe } from '../../session/me.tsx';
import { Button } from '../../ui/controls/button.tsx';
import { useRun } from '../run/run-context.tsx';
import { AnswerView } from './answer-view.tsx';
import { argumentTexts, type QueryDefinition } from './answers.ts';
import styles from './now.module.css';
import { useWhenRevealed, useWorkerQuery } from './use-worker-query.ts';

/** A query that the workflow defines, with its arguments and its answer. */
export function QueryRow({ query: { name, description } }: { query: QueryDefinition }) {
  return (
    <li className={styles['query']}>
      <h4 className="mono">{escapeInvisible(name)}</h4>
      {description ? <p className="t2">{escapeInText(description)}</p> : null}
      <QueryForm name={name} />
    </li>
  );
}

/** A form for a query that the worker does not list. Older SDKs list no queries. */
export function OtherQuery() {
  const id = useId();
  return (
    <li className={styles['query']}>
      <label htmlFor={id}>
        <h4>Another query</h4>
      </label>
      <QueryForm nameId={id} />
    </li>
  );
}

interface QueryFormProps {
  /** The query's name. If absent, the form has a field for the name. */
  readonly name?: string;
  /** The id of the field for the name. */
  readonly nameId?: string;
}

/** Maximum size of the arguments in bytes. The rest of the request's body takes less than 16 KiB. */
const MAX_SIZE = MAX_API_BODY - 16 * 1024;

/** Returns why arguments cannot be sent, or undefined if they can. */
function problemOf(texts: readonly string[] | undefined): string | undefined {
  if (texts === undefined) return 'This is not a JSON array. Write text in double quotation marks.';
  return new Blob([JSON.stringify(texts)]).size > MAX_SIZE
    ? `The arguments are larger than ${MAX_SIZE / 1024} KiB.`
    : undefined;
}

const focus = (element: HTMLElement | null) => element?.focus();

function QueryForm({ name, nameId }: QueryFormProps) {
  const { state, ask, clear } = useWorkerQuery();
  const [type, setType] = useState(name ?? '');
  const whenRevealed = useWhenRevealed();
  const { address } = useRun();
  const mayEncode = useMe().can(address.namespace, 'encode');
  const [editing, setEditing] = useState(false);
  const [text, setText] = useState('');
  const [problem, setProblem] = useState<string>();
  const id = useId();

  function run() {
    const texts = argumentTexts(text);
    const found = problemOf(texts);
    setProblem(found);
    if (texts !== undefined && found === undefined) whenRevealed(() => ask(type, texts));
  }

  return (
    <>
      <form
        className={styles['form']}
        autoComplete="off"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        {name === undefined ? (
          <input
            id={nameId}
            className={styles['name']}
            placeholder="Name of the query"
            maxLength={1000}
            autoComplete="off"
            spellCheck={false}
            value={type}
            onChange={(event) => {
              setType(event.target.value);
              // Drops the answer, because it would look like the answer to the new text in the form.
              clear();
            }}
          />
        ) : null}
        <Button size="small" type="submit" disabled={type === '' || state.status === 'asking'}>
          <Play size={12} />
          Run<span className="sr-only"> {escapeInvisible(type)}</span>
        </Button>
        {editing ? null : (
          <Button size="small" look="ghost" onClick={() => setEditing(true)}>
            Arguments<span className="sr-only"> of {escapeInvisible(type)}</span>
          </Button>
        )}
        {!editing ? null : mayEncode ? (
          <div className={styles['arguments']}>
            <label htmlFor={id}>Arguments, as a JSON array</label>
            <textarea
              ref={focus}
              id={id}
              rows={3}
              placeholder={'["order-1", {"all": true}]'}
              autoComplete="off"
              spellCheck={false}
              value={text}
              aria-invalid={problem !== undefined || undefined}
              aria-describedby={`${id}-note`}
              onChange={(event) => {
                setText(event.target.value);
                setProblem(undefined);
                clear();
              }}
            />
            <p id={`${id}-note`} className="t3" role={problem === undefined ? undefined : 'alert'}>
              {problem ?? 'The codec server encrypts the arguments.'}
            </p>
          </div>
        ) : (
          <p ref={focus} tabIndex={-1} className="t2">
            To encrypt arguments, you need the permission <code>encode</code>.
          </p>
        )}
      </form>
      <AnswerView state={state} />
    </>
  );
}
