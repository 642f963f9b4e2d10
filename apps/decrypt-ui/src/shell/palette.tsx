import { Autocomplete } from '@base-ui/react/autocomplete';
import { Dialog } from '@base-ui/react/dialog';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useParams } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { clsx } from 'clsx';
import { Search } from 'lucide-react';
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react';
import { millisOf } from '@temporal-kms/histories/events/proto-json';
import { useRunsApi } from '../runs/api.ts';
import { outcomeOf, outcomeText } from '../runs/outcome.ts';
import { jumpQuery } from '../runs/queries.ts';
import { commandOf, firstKey } from '../ui/commands/commands.ts';
import { runCommand, useAvailableCommands } from '../ui/commands/registry.ts';
import menu from '../ui/overlays/menu.module.css';
import { Kbd } from '../ui/text/kbd.tsx';
import { Moment } from '../ui/text/moment.tsx';
import { OutcomeGlyph } from '../ui/text/outcome.tsx';
import styles from './palette.module.css';

interface Item {
  readonly id: string;
  readonly text: string;
  readonly note?: ReactNode;
  readonly run: () => void;
}

interface Group {
  readonly value: string;
  readonly items: readonly Item[];
}

interface PaletteProps {
  readonly title: string;
  /** The field's label. */
  readonly label: string;
  readonly text: string;
  readonly onText: (text: string) => void;
  /** The element that gets the focus when the palette closes. */
  readonly from: Element | null;
  /** Called when the field gets the focus. */
  readonly onReady: () => void;
  readonly onClose: () => void;
}

/** A dialog that runs a command by name, or opens a workflow, a run or an event by its id. */
export function Palette({ title, label, text, onText, from, onReady, onClose }: PaletteProps) {
  const field = useRef<HTMLInputElement>(null);
  const takeFocus = useCallback(
    (element: HTMLInputElement | null) => {
      field.current = element;
      if (!element) return;
      element.focus();
      element.setSelectionRange(element.value.length, element.value.length);
      onReady();
    },
    [onReady],
  );
  const jumps = useJumps(text.trim());
  const commands = useCommandItems(text);
  const groups: readonly Group[] = [
    { value: 'Go to', items: jumps },
    { value: 'Commands', items: commands },
  ].filter(({ items }) => items.length > 0);

  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Backdrop className={styles['scrim'] ?? ''} />
        <Dialog.Popup
          className={styles['popup'] ?? ''}
          aria-label={title}
          initialFocus={field}
          finalFocus={() => (from instanceof HTMLElement && from.isConnected ? from : true)}
        >
          <Autocomplete.Root
            open
            inline
            mode="none"
            items={groups}
            value={text}
            onValueChange={onText}
            itemToStringValue={(item: Item) => item.text}
            autoHighlight="always"
            keepHighlight
          >
            <div className={styles['field']}>
              <Search size={16} aria-hidden="true" />
              <Autocomplete.Input ref={takeFocus} aria-label={label} placeholder={label} spellCheck={false} />
            </div>
            <Autocomplete.List className={clsx(styles['list'], 'fades-below')}>
              {(group: Group) => (
                <Autocomplete.Group key={group.value} items={group.items}>
                  <Autocomplete.GroupLabel className={menu['title'] ?? ''}>
                    {group.value}
                  </Autocomplete.GroupLabel>
                  <Autocomplete.Collection>
                    {(item: Item) => (
                      <Autocomplete.Item
                        key={item.id}
                        value={item}
                        className={clsx(menu['item'], menu['action'])}
                        onClick={() => {
                          onClose();
                          item.run();
                        }}
                      >
                        <span className="ellipsis">{item.text}</span>
                        <span className="spacer" />
                        {item.note}
                      </Autocomplete.Item>
                    )}
                  </Autocomplete.Collection>
                </Autocomplete.Group>
              )}
            </Autocomplete.List>
            <Autocomplete.Empty className={styles['empty'] ?? ''}>
              {groups.length === 0 ? 'No command and no id begins with this text.' : ''}
            </Autocomplete.Empty>
          </Autocomplete.Root>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

/** Returns the commands that can run on the page and whose titles contain every word of the text. */
function useCommandItems(text: string): Item[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return useAvailableCommands()
    .filter((id) => !commandOf(id).keysOnly)
    .filter((id) => words.every((word) => commandOf(id).title.toLowerCase().includes(word)))
    .map((id) => {
      const key = firstKey(id);
      return {
        id,
        text: commandOf(id).title,
        note: key === '' ? null : <Kbd>{key}</Kbd>,
        // Runs the command after the dialog has closed and returned the focus.
        run: () => setTimeout(() => runCommand(id)),
      };
    });
}

/** Milliseconds after the last keystroke until the page queries the server. */
const DEBOUNCE = 200;

/**
 * Returns the runs whose workflow id or type begins with the text, the run with this run id, and the current
 * run's event with this id.
 */
function useJumps(text: string): Item[] {
  const api = useRunsApi();
  const navigate = useNavigate();
  const { namespace = '', workflowId, runId } = useParams({ strict: false });
  const [asked, setAsked] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setAsked(text), DEBOUNCE);
    return () => clearTimeout(timer);
  }, [text]);
  const { data } = useQuery({
    ...jumpQuery(api, namespace, asked),
    enabled: namespace !== '' && /^[^\s"'`]{2,}$/.test(asked),
  });
  const event = /^#?(\d{1,5})$/.exec(text)?.[1];
  const items: Item[] = [];
  if (event !== undefined && workflowId !== undefined && runId !== undefined) {
    items.push({
      id: 'event',
      text: `Event ${event} of this run`,
      run: () =>
        void navigate({
          to: '/ns/$namespace/workflows/$workflowId/$runId',
          params: { namespace, workflowId, runId },
          search: (known) => ({ ...known, tab: undefined, ev: Number(event) }),
        }),
    });
  }
  const runs = asked === text ? (data?.workflows ?? []) : [];
  for (const found of runs) {
    const outcome = outcomeOf(found.status);
    const isOne = runs.filter(({ workflowId: id }) => id === found.workflowId).length === 1;
    const started = millisOf(found.startTime);
    items.push({
      id: found.runId,
      text: escapeInvisible(found.workflowId),
      note: (
        <>
          {isOne || started === undefined ? null : <Moment at={started} />}
          <span className="t3">{escapeInvisible(found.type)}</span>
          <OutcomeGlyph outcome={outcome} />
          <span className="sr-only">{outcomeText[outcome]}</span>
        </>
      ),
      run: () =>
        void navigate({
          to: '/ns/$namespace/workflows/$workflowId/$runId',
          params: { namespace, workflowId: found.workflowId, runId: found.runId },
        }),
    });
  }
  return items;
}
