import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const css = readFileSync(new URL('../../src/ui/styles/tokens.css', import.meta.url), 'utf8');

/** A theme's tokens that are plain colours, by name. */
function theme(selector: string): Map<string, string> {
  const block = css.slice(css.indexOf(selector)).split('}', 1)[0] ?? '';
  return new Map(
    [...block.matchAll(/--([a-z0-9-]+):\s*(#[0-9a-f]{6})\s*;/g)].map(([, name, value]) => [name!, value!]),
  );
}

function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].toSorted((x, y) => x - y);
  return (light! + 0.05) / (dark! + 0.05);
}

const outcomes = ['running', 'ok', 'failed', 'timed-out', 'canceled', 'pending'];
const surfaces = ['bg', 'panel', 'raised', 'selected', 'hover', 'inset'];

describe.each([
  ['dark', "[data-theme='dark']"],
  ['light', "[data-theme='light']"],
])('contrast of the %s theme (WCAG 2)', (_, selector) => {
  const colors = theme(selector);
  const ratio = (a: string, b: string) => contrast(colors.get(a)!, colors.get(b)!);

  test.each(['text-1', 'text-2', 'text-3', 'crypto', ...outcomes])(
    '%s has a contrast of at least 4.5 as text on every surface',
    (name) => {
      for (const surface of surfaces) expect(ratio(name, surface), surface).toBeGreaterThanOrEqual(4.5);
    },
  );

  test.each(['control', 'focus', ...outcomes.map((name) => `bar-${name}`)])(
    '%s has a contrast of at least 3 as a graphic on every surface',
    (name) => {
      for (const surface of ['bg', 'panel', 'selected'])
        expect(ratio(name, surface), surface).toBeGreaterThanOrEqual(3);
    },
  );

  test('text has enough contrast on inverse and crypto fills', () => {
    expect(ratio('inverse-ink', 'inverse')).toBeGreaterThanOrEqual(4.5);
    expect(ratio('crypto-ink', 'crypto')).toBeGreaterThanOrEqual(4.5);
    expect(ratio('crypto', 'crypto-fill')).toBeGreaterThanOrEqual(4.5);
    expect(ratio('text-3', 'fill')).toBeGreaterThanOrEqual(4.5);
    expect(ratio('mask', 'bg')).toBeGreaterThanOrEqual(3);
  });
});
