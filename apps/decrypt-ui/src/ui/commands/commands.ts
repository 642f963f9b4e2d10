import { getPreferences } from '../preferences/preferences.ts';

/** A group of commands in the shortcuts dialog, named after the part of the application in which the commands work. */
type Section = 'Everywhere' | 'Lists' | 'History' | 'Find' | 'Keys and audit';

interface Command {
  /** What the command does. Shown in tooltips, the palette and the shortcuts dialog. */
  readonly title: string;
  /**
   * Values of `KeyboardEvent.key`, with letters in lower case. The prefix `Shift+` requires Shift; `Mod+` requires
   * Ctrl, or ⌘ on a Mac.
   */
  readonly keys: readonly string[];
  readonly section: Section;
  /** The line in the shortcuts dialog; commands with the same `help` share a line. Default: `title`. */
  readonly help?: string;
  /** Returns whether the command's keys apply now; some keys apply only while a row has the focus. */
  readonly when?: (event: KeyboardEvent) => boolean;
  /** Whether the palette omits the command, because the command opens the palette or works only in a focused list. */
  readonly keysOnly?: boolean;
}

const onRow = (event: KeyboardEvent) => event.target instanceof Element && event.target.role === 'row';

/**
 * Every command of the application, in the order of the shortcuts dialog. Key handlers, tooltips, footers, the
 * palette and the dialog all read this table. Components define the commands' actions with `useCommands`; a command
 * without an action is not available.
 */
const commands = {
  palette: { title: 'Search or jump to…', keys: ['Mod+k'], section: 'Everywhere', keysOnly: true },
  'file.open': { title: 'Open a history file', keys: ['Mod+o'], section: 'Everywhere' },
  'go.workflows': { title: 'Go to workflows', keys: ['Shift+w'], section: 'Everywhere' },
  'go.causes': { title: 'Go to failures by cause', keys: ['Shift+f'], section: 'Everywhere' },
  'go.schedules': { title: 'Go to schedules', keys: ['Shift+s'], section: 'Everywhere' },
  'go.keys': { title: 'Go to keys', keys: ['Shift+k'], section: 'Everywhere' },
  'go.audit': { title: 'Go to the audit', keys: ['Shift+a'], section: 'Everywhere' },
  'payloads.lock': { title: 'Lock payloads', keys: ['l'], section: 'Everywhere' },
  help: { title: 'Keyboard shortcuts', keys: ['?'], section: 'Everywhere' },
  settings: { title: 'Settings', keys: [], section: 'Everywhere' },

  'row.next': { title: 'Next row', keys: ['j', 'ArrowDown'], section: 'Lists', keysOnly: true },
  'row.previous': { title: 'Previous row', keys: ['k', 'ArrowUp'], section: 'Lists', keysOnly: true },
  'row.first': {
    title: 'First row',
    keys: ['Home'],
    section: 'Lists',
    help: 'First, last row',
    keysOnly: true,
  },
  'row.last': { title: 'Last row', keys: ['End'], section: 'Lists', help: 'First, last row', keysOnly: true },
  'page.previous': {
    title: 'Previous page',
    keys: ['PageUp'],
    section: 'Lists',
    help: 'Previous, next page',
    keysOnly: true,
  },
  'page.next': {
    title: 'Next page',
    keys: ['PageDown'],
    section: 'Lists',
    help: 'Previous, next page',
    keysOnly: true,
  },
  'row.open': { title: 'Open', keys: ['Enter'], section: 'Lists', when: onRow, keysOnly: true },
  'group.expand': {
    title: 'Expand',
    keys: ['ArrowRight'],
    section: 'Lists',
    help: 'Expand, collapse',
    keysOnly: true,
  },
  'group.collapse': {
    title: 'Collapse',
    keys: ['ArrowLeft'],
    section: 'Lists',
    help: 'Expand, collapse',
    keysOnly: true,
  },
  find: { title: 'Find or filter', keys: ['/'], section: 'Lists' },
  'row.pick': { title: 'Pick the run for a comparison', keys: ['x'], section: 'Lists' },
  'runs.pick': { title: 'Pick runs to compare', keys: [], section: 'Lists' },
  'runs.compare': { title: 'Compare the picked runs', keys: ['d'], section: 'Lists' },
  'runs.unpick': { title: 'Drop the picked runs', keys: ['Escape'], section: 'Lists' },
  'copy.id': { title: 'Copy id', keys: ['c'], section: 'Lists' },
  'list.columns': { title: 'Choose columns', keys: [], section: 'Lists' },
  'list.json': { title: 'Export loaded rows as JSON', keys: [], section: 'Lists' },
  'list.csv': { title: 'Export loaded rows as CSV', keys: [], section: 'Lists' },
  'search.runs': { title: 'Search in the payloads of these runs', keys: ['Mod+Shift+f'], section: 'Lists' },

  'groups.collapse': {
    title: 'Collapse all groups',
    keys: ['['],
    section: 'History',
    help: 'Collapse, expand all',
  },
  'groups.expand': {
    title: 'Expand all groups',
    keys: [']'],
    section: 'History',
    help: 'Collapse, expand all',
  },
  'failed.next': { title: 'Next failed', keys: ['e'], section: 'History', help: 'Next, previous failed' },
  'failed.previous': {
    title: 'Previous failed',
    keys: ['Shift+e'],
    section: 'History',
    help: 'Next, previous failed',
  },
  'pending.next': { title: 'Next pending', keys: ['p'], section: 'History', help: 'Next, previous pending' },
  'pending.previous': {
    title: 'Previous pending',
    keys: ['Shift+p'],
    section: 'History',
    help: 'Next, previous pending',
  },
  'inspector.open': {
    title: 'Inspect the row',
    keys: [' '],
    section: 'History',
    when: onRow,
    keysOnly: true,
  },
  'inspector.focus': { title: 'Go to the inspector', keys: ['i'], section: 'History' },
  'inspector.payloads': {
    title: 'Inspector: payloads',
    keys: ['1'],
    section: 'History',
    help: 'Inspector tabs',
  },
  'inspector.attributes': {
    title: 'Inspector: attributes',
    keys: ['2'],
    section: 'History',
    help: 'Inspector tabs',
  },
  'inspector.failure': {
    title: 'Inspector: failure',
    keys: ['3'],
    section: 'History',
    help: 'Inspector tabs',
  },
  'inspector.raw': { title: 'Inspector: raw event', keys: ['4'], section: 'History', help: 'Inspector tabs' },
  'inspector.crypto': {
    title: 'Inspector: encryption',
    keys: ['5'],
    section: 'History',
    help: 'Inspector tabs',
  },
  'inspector.close': {
    title: 'Close the inspector',
    keys: ['Escape'],
    section: 'History',
    help: 'Close, or return to the row',
    keysOnly: true,
  },
  'copy.link': { title: 'Copy link to the event', keys: ['c'], section: 'History' },
  'run.related': { title: 'Open the related run', keys: ['o'], section: 'History' },
  'run.parent': { title: 'Open the parent run', keys: ['u'], section: 'History' },
  'run.compare': { title: 'Compare with another run', keys: ['d'], section: 'History' },
  'difference.next': {
    title: 'Next difference',
    keys: ['n'],
    section: 'History',
    help: 'Next, previous difference of two runs',
  },
  'difference.previous': {
    title: 'Previous difference',
    keys: ['Shift+n'],
    section: 'History',
    help: 'Next, previous difference of two runs',
  },
  'run.export': { title: 'Export the history', keys: ['x'], section: 'History' },
  'reveal.event': {
    title: 'Reveal the payloads of the event',
    keys: ['r'],
    section: 'History',
    help: 'Reveal payloads of the event, of the run',
  },
  'reveal.run': {
    title: 'Reveal the payloads of the run',
    keys: ['Shift+r'],
    section: 'History',
    help: 'Reveal payloads of the event, of the run',
  },
  'view.groups': { title: 'Groups or all events', keys: ['g'], section: 'History' },
  'view.idle': { title: 'Collapse idle time', keys: ['z'], section: 'History' },
  'view.path': { title: 'Critical path', keys: ['w'], section: 'History' },
  'view.follow': { title: 'Follow new events', keys: ['f'], section: 'History' },
  'run.pause': { title: 'Pause or continue updates', keys: ['s'], section: 'History' },
  'view.range': { title: 'Choose the visible time', keys: [], section: 'History' },
  'view.whole': { title: 'Show the whole run', keys: ['0'], section: 'History' },

  'find.payloads': { title: 'Find in decrypted payloads', keys: ['Mod+Shift+f'], section: 'Find' },
  'match.next': { title: 'Next match', keys: ['n'], section: 'Find', help: 'Next, previous match' },
  'match.previous': {
    title: 'Previous match',
    keys: ['Shift+n'],
    section: 'Find',
    help: 'Next, previous match',
  },
  'match.only': { title: 'Only matches', keys: ['m'], section: 'Find' },

  'keys.test': { title: 'Test the keys', keys: ['t'], section: 'Keys and audit' },
  'audit.verify': { title: 'Verify the audit file’s hash chain', keys: ['v'], section: 'Keys and audit' },
} as const satisfies Readonly<Record<string, Command>>;

export type CommandId = keyof typeof commands;

export const commandOf = (id: CommandId): Command => commands[id];

/** All commands, in the order of the table. */
export const commandIds: readonly CommandId[] = Object.keys(commands).filter(isCommandId);

function isCommandId(id: string): id is CommandId {
  return id in commands;
}

const isMac = () => /Mac|iPhone|iPad/.test(globalThis.navigator?.platform ?? '');

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

/** Returns the label of a key: `J`, `↓`, `Shift N`, `Ctrl K`. */
export function keyLabel(key: string): string {
  if (key.startsWith('Mod+')) return `${isMac() ? '⌘' : 'Ctrl'} ${keyLabel(key.slice('Mod+'.length))}`;
  if (key.startsWith('Shift+')) return `Shift ${keyLabel(key.slice('Shift+'.length))}`;
  return keyNames[key] ?? (key.length === 1 ? key.toUpperCase() : key);
}

/**
 * Returns whether a key types a character: a letter, a digit or a symbol, but not Space, which acts only on the
 * focused row.
 */
function isCharacterKey(key: string): boolean {
  const typed = key.startsWith('Shift+') ? key.slice('Shift+'.length) : key;
  return typed.length === 1 && typed !== ' ';
}

/** Returns the keys of a command, except those that the user has switched off. */
const keysOf = (id: CommandId): readonly string[] =>
  getPreferences().characterKeys
    ? commandOf(id).keys
    : commandOf(id).keys.filter((key) => !isCharacterKey(key));

/** Returns the label of a command's first key, or an empty string if the command has no key. */
export function firstKey(id: CommandId): string {
  const [key] = keysOf(id);
  return key === undefined ? '' : keyLabel(key);
}

/** Returns the attributes that make an element's tooltip show a command and its key. */
export const tip = (id: CommandId, title: string = commandOf(id).title) => ({
  'data-tip': title,
  'data-tip-key': firstKey(id),
});

export interface HelpLine {
  readonly text: string;
  readonly keys: readonly string[];
}

/** Returns the lines of the shortcuts dialog by section. Commands with the same `help` share a line. */
export function helpLines(): Map<Section, HelpLine[]> {
  const sections = new Map<Section, HelpLine[]>();
  for (const id of commandIds) {
    const { title, section, help = title } = commandOf(id);
    const keys = keysOf(id);
    if (keys.length === 0) continue;
    const lines = sections.get(section) ?? [];
    sections.set(section, lines);
    const labels = keys.map(keyLabel);
    const last = lines.at(-1);
    if (last?.text === help) lines[lines.length - 1] = { text: help, keys: [...last.keys, ...labels] };
    else lines.push({ text: help, keys: labels });
  }
  return sections;
}

type KeyPress = Pick<KeyboardEvent, 'key' | 'shiftKey' | 'ctrlKey' | 'metaKey'>;

/**
 * Returns the commands whose keys match a key event. If Shift is held, commands for `Shift+n` come before commands for
 * `n`.
 */
export function commandsFor(event: KeyPress): CommandId[] {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) return byKey.get(`Mod+${event.shiftKey ? 'Shift+' : ''}${key}`) ?? [];
  if (isCharacterKey(key) && !getPreferences().characterKeys) return [];
  return (event.shiftKey ? [`Shift+${key}`, key] : [key]).flatMap((name) => byKey.get(name) ?? []);
}

const byKey = new Map<string, CommandId[]>();
for (const id of commandIds) {
  for (const key of commandOf(id).keys) byKey.set(key, [...(byKey.get(key) ?? []), id]);
}
