import { describe, expect, test } from 'vitest';
import { commandsFor, firstKey, helpLines, tooltip } from '../../src/shortcuts/shortcuts.ts';

const event = (key: string, shiftKey = false) => ({ key, shiftKey });

describe('the table of shortcuts', () => {
  test('finds a command by its key, in upper and in lower case', () => {
    expect(commandsFor(event('j'))).toEqual(['row.next']);
    expect(commandsFor(event('J'))).toEqual(['row.next']);
    expect(commandsFor(event('ArrowDown'))).toEqual(['row.next']);
    expect(commandsFor(event('q'))).toEqual([]);
  });

  test('prefers the command with Shift while Shift is held', () => {
    expect(commandsFor(event('N', true))).toEqual(['match.previous', 'match.next']);
    expect(commandsFor(event('n'))).toEqual(['match.next']);
    expect(commandsFor(event('?', true))).toEqual(['help']);
  });

  test('gives each key to one command', () => {
    const keys = [...helpLines().values()].flatMap((lines) => lines.flatMap((line) => line.keys));
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('lists commands that belong together on one line of the dialog', () => {
    expect(helpLines().get('Lists')).toContainEqual({ text: 'Next row', keys: ['J', '↓'] });
    expect(helpLines().get('History')).toContainEqual({
      text: 'Next, previous match',
      keys: ['N', 'Shift N'],
    });
    expect(helpLines().get('History')).toContainEqual({
      text: 'Inspector tabs',
      keys: ['1', '2', '3', '4', '5'],
    });
  });

  test('names keys for tooltips and footers', () => {
    expect(tooltip('failed.next')).toBe('Next failed: E');
    expect(tooltip('inspector.close', 'Close')).toBe('Close: Esc');
    expect(firstKey('inspector.open')).toBe('Space');
  });
});
