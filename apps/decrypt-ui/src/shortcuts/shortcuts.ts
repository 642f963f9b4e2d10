/** The part of the application in which a command works, as the shortcuts dialog groups them. */
type Section = 'Lists' | 'History';

interface Shortcut {
  /** What the command does, for tooltips and the shortcuts dialog. */
  readonly title: string;
  /** Values of `KeyboardEvent.key`: letters in lower case, with `Shift+` in front where Shift must be held. */
  readonly keys: readonly string[];
  readonly section: Section;
  /** The dialog's line for commands that are listed together; the title when absent. */
  readonly help?: string;
  /** Limits the command to some key events, for example to those of a focused row. */
  readonly when?: (event: KeyboardEvent) => boolean;
}

const onRow = (event: KeyboardEvent) => event.target instanceof Element && event.target.role === 'row';

const lists = (title: string, keys: readonly string[], more: Partial<Shortcut> = {}): Shortcut => ({
  title,
  keys,
  section: 'Lists',
  ...more,
});
const history = (title: string, keys: readonly string[], help?: string): Shortcut => ({
  title,
  keys,
  section: 'History',
  ...(help === undefined ? {} : { help }),
});

/**
 * Every keyboard shortcut of the application, in the order of the shortcuts dialog. Key handlers, tooltips, footers and
 * the dialog all read this table; components give the commands their actions with `useShortcuts`.
 */
const shortcuts = {
  'row.next': lists('Next row', ['j', 'ArrowDown']),
  'row.previous': lists('Previous row', ['k', 'ArrowUp']),
  'row.first': lists('First row', ['Home'], { help: 'First, last row' }),
  'row.last': lists('Last row', ['End'], { help: 'First, last row' }),
  'page.previous': lists('Previous page', ['PageUp'], { help: 'Previous, next page' }),
  'page.next': lists('Next page', ['PageDown'], { help: 'Previous, next page' }),
  'row.open': lists('Open', ['Enter'], { when: onRow }),
  find: lists('Find or filter', ['/']),
  copy: lists('Copy id, or link to event', ['c']),
  help: lists('Keyboard shortcuts', ['?']),

  'group.expand': history('Expand', ['ArrowRight'], 'Expand, collapse'),
  'group.collapse': history('Collapse', ['ArrowLeft'], 'Expand, collapse'),
  'groups.collapse': history('Collapse all', ['['], 'Collapse, expand all'),
  'groups.expand': history('Expand all', [']'], 'Collapse, expand all'),
  'match.next': history('Next match', ['n'], 'Next, previous match'),
  'match.previous': history('Previous match', ['Shift+n'], 'Next, previous match'),
  'failed.next': history('Next failed', ['e'], 'Next, previous failed'),
  'failed.previous': history('Previous failed', ['Shift+e'], 'Next, previous failed'),
  'pending.next': history('Next pending', ['p'], 'Next, previous pending'),
  'pending.previous': history('Previous pending', ['Shift+p'], 'Next, previous pending'),
  'inspector.open': { ...history('Inspect the row', [' ']), when: onRow },
  'inspector.focus': history('Go to the inspector', ['i']),
  'inspector.payloads': history('Payloads', ['1'], 'Inspector tabs'),
  'inspector.attributes': history('Attributes', ['2'], 'Inspector tabs'),
  'inspector.failure': history('Failure', ['3'], 'Inspector tabs'),
  'inspector.raw': history('Raw', ['4'], 'Inspector tabs'),
  'inspector.crypto': history('Crypto', ['5'], 'Inspector tabs'),
  'inspector.close': history('Close, or return to the row', ['Escape']),
  'view.groups': history('Groups or all events', ['g']),
  'view.idle': history('Collapse idle time', ['z']),
  'view.follow': history('Follow new events', ['f']),
  'view.whole': history('Show the whole run', ['0']),
} as const satisfies Readonly<Record<string, Shortcut>>;

export type ShortcutId = keyof typeof shortcuts;

const shortcutOf = (id: ShortcutId): Shortcut => shortcuts[id];

const keyNames: Readonly<Record<string, string>> = {
  ArrowDown: '↓',
  ArrowUp: '↑',
  ArrowLeft: '←',
  ArrowRight: '→',
  Escape: 'Esc',
  PageUp: 'PgUp',
  PageDown: 'PgDn',
  ' ': 'Space',
};

/** The text on the key: `J`, `↓`, `Shift N`. */
function keyLabel(key: string): string {
  if (key.startsWith('Shift+')) return `Shift ${keyLabel(key.slice('Shift+'.length))}`;
  return keyNames[key] ?? (key.length === 1 ? key.toUpperCase() : key);
}

/** The label of the first key of a command. */
export const firstKey = (id: ShortcutId): string => keyLabel(shortcutOf(id).keys[0] ?? '');

/** A tooltip that names a command and its key: `Next failed: E`. */
export const tooltip = (id: ShortcutId, title: string = shortcutOf(id).title): string =>
  `${title}: ${firstKey(id)}`;

export interface HelpLine {
  readonly text: string;
  readonly keys: readonly string[];
}

/** The lines of the shortcuts dialog by section; commands with the same `help` share a line. */
export function helpLines(): Map<Section, HelpLine[]> {
  const sections = new Map<Section, HelpLine[]>();
  for (const { title, keys, section, help = title } of Object.values<Shortcut>(shortcuts)) {
    const lines = sections.get(section) ?? [];
    sections.set(section, lines);
    const labels = keys.map(keyLabel);
    const last = lines.at(-1);
    if (last?.text === help) lines[lines.length - 1] = { text: help, keys: [...last.keys, ...labels] };
    else lines.push({ text: help, keys: labels });
  }
  return sections;
}

/** The commands of a key event, most specific first: with Shift held, `Shift+n` comes before `n`. */
export function commandsFor(event: Pick<KeyboardEvent, 'key' | 'shiftKey'>): ShortcutId[] {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return (event.shiftKey ? [`Shift+${key}`, key] : [key]).flatMap((name) => byKey.get(name) ?? []);
}

const byKey = new Map<string, ShortcutId[]>();
for (const id of Object.keys(shortcuts).filter(isShortcutId)) {
  for (const key of shortcutOf(id).keys) byKey.set(key, [...(byKey.get(key) ?? []), id]);
}

function isShortcutId(id: string): id is ShortcutId {
  return id in shortcuts;
}

/** Whether the command may run for this event. */
export const isEnabled = (id: ShortcutId, event: KeyboardEvent): boolean =>
  shortcutOf(id).when?.(event) ?? true;
