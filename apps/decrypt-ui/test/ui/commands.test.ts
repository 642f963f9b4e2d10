import { describe, expect, test } from 'vitest';
import {
  commandIds,
  commandOf,
  commandsFor,
  firstKey,
  helpLines,
  keyLabel,
  tip,
} from '../../src/ui/commands/commands.ts';

const event = (key: string, shiftKey = false, ctrlKey = false) => ({
  key,
  shiftKey,
  ctrlKey,
  metaKey: false,
});

describe('the command table', () => {
  test('finds a command by its key, in upper and lower case', () => {
    expect(commandsFor(event('j'))).toEqual(['row.next']);
    expect(commandsFor(event('J'))).toEqual(['row.next']);
    expect(commandsFor(event('ArrowDown'))).toEqual(['row.next']);
    expect(commandsFor(event('q'))).toEqual([]);
  });

  test('prefers the command with Shift while Shift is held', () => {
    expect(commandsFor(event('E', true))).toEqual(['failed.previous', 'failed.next']);
    expect(commandsFor(event('n'))).toEqual(['difference.next', 'match.next']);
    expect(commandsFor(event('?', true))).toEqual(['help']);
  });

  test('finds no command for a letter alone while Ctrl is held', () => {
    expect(commandsFor(event('j', false, true))).toEqual([]);
    expect(keyLabel('Mod+k')).toBe('Ctrl K');
  });

  test('assigns each key to only one command of a section', () => {
    for (const [section, lines] of helpLines()) {
      const keys = lines.flatMap((line) => line.keys);
      expect(new Set(keys).size, section).toBe(keys.length);
    }
  });

  test('gives every command a title', () => {
    for (const id of commandIds) expect(commandOf(id).title, id).not.toBe('');
  });

  test('lists related commands on one line of the dialog', () => {
    expect(helpLines().get('Lists')).toContainEqual({ text: 'Next row', keys: ['J', '↓'] });
    expect(helpLines().get('Lists')).toContainEqual({ text: 'Expand, collapse', keys: ['→', '←'] });
    expect(helpLines().get('Find')).toContainEqual({ text: 'Next, previous match', keys: ['N', 'Shift N'] });
    expect(helpLines().get('History')).toContainEqual({
      text: 'Inspector tabs',
      keys: ['1', '2', '3', '4', '5'],
    });
  });

  test('names keys for tooltips and footers', () => {
    expect(tip('failed.next')).toEqual({ 'data-tip': 'Next failed', 'data-tip-key': 'E' });
    expect(tip('inspector.close', 'Close')).toEqual({ 'data-tip': 'Close', 'data-tip-key': 'Esc' });
    expect(firstKey('inspector.open')).toBe('Space');
  });
});
